package judge

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// significant prints v with at most so many significant digits and without an exponent where it would be
// read by people: 3.1, 0.05, 1200000.
func significant(v float64, digits int) string {
	size := math.Abs(v)
	if v == 0 || size >= 1e12 || size < 1e-6 || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'g', digits, 64)
	}
	s := strconv.FormatFloat(v, 'f', max(0, digits-1-int(math.Floor(math.Log10(size)))), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// digits prints all digits of a value, so that two that differ look different.
func digits(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// percent prints the size of a fraction.
func percent(fraction float64) string {
	if math.IsNaN(fraction) {
		return "–"
	}
	return significant(100*math.Abs(fraction), 2) + " %"
}

// level prints a fraction that was chosen.
func level(fraction float64) string { return significant(100*fraction, 4) + " %" }

// pvalue prints a p.
func pvalue(p float64) string {
	if p < 1e-6 {
		return "below 0.000001"
	}
	return significant(p, 2)
}

// amount prints bytes.
func amount(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB"}
	i := 0
	for ; i < len(units)-1 && math.Abs(v) >= 1024; i++ {
		v /= 1024
	}
	return significant(v, 3) + " " + units[i]
}

// seconds prints a time.
func seconds(v float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}} {
		if math.Abs(v) >= u.size {
			return significant(v/u.size, 3) + " " + u.name
		}
	}
	return significant(v*1e9, 3) + " ns"
}

// count is a number of things: 1 seed, 2 seeds.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// list is an enumeration: a, b and c.
func list(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	return strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]
}
