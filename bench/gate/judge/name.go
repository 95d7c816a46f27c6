package judge

import (
	"math"
	"strconv"
	"strings"
)

// splitProcs is a benchmark's name without GOMAXPROCS' suffix. The format does not tell the suffix apart
// from the exponent of a number at the end, as in lr=1e-4; this does.
func splitProcs(name string) (bare string, procs int) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 {
		return name, 1
	}
	n, err := strconv.ParseUint(name[i+1:], 10, 31)
	if err != nil || n == 0 {
		return name, 1
	}
	_, value, _ := strings.Cut(name[strings.LastIndexByte(name, '/')+1:], "=")
	if _, err := strconv.ParseFloat(value, 64); err == nil && strings.ContainsRune("eE", rune(name[i-1])) {
		return name, 1
	}
	return name[:i], int(n)
}

// decimals is how many go test prints of a value (testing.prettyPrint): about four digits.
func decimals(v float64) int {
	d := 0
	for _, limit := range [...]float64{999.95, 99.995, 9.9995, 0.99995, 0.099995, 0.0099995, 0.00099995} {
		if v = math.Abs(v); v == 0 || v >= limit {
			break
		}
		d++
	}
	return d
}

var tens = [...]float64{1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7}

// asPrinted says whether a value has no more digits than go test prints.
func asPrinted(v float64) bool {
	x := v * tens[decimals(v)]
	return math.Abs(x-math.Round(x)) <= 1e-6
}

// printed is a value as go test prints it.
func printed(v float64) float64 {
	x, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', decimals(v), 64), 64)
	if err != nil {
		return v
	}
	return x
}
