package record

import (
	"cmp"
	"strconv"
	"strings"
)

// Compare orders names of sub-benchmarks as a reader expects them: key by key, numbers by value, and
// rank=full, or whatever else is no number, after all numbers.
func Compare(a, b string) int {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range min(len(as), len(bs)) {
		ka, va, _ := strings.Cut(as[i], "=")
		kb, vb, _ := strings.Cut(bs[i], "=")
		if c := cmp.Compare(ka, kb); c != 0 {
			return c
		}
		x, ex := strconv.ParseFloat(va, 64)
		y, ey := strconv.ParseFloat(vb, 64)
		c := 0
		switch {
		case ex == nil && ey == nil:
			c = cmp.Compare(x, y)
		case ex == nil:
			c = -1
		case ey == nil:
			c = 1
		default:
			c = cmp.Compare(va, vb)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}
