package compare

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// significant prints v with so many significant digits and no zeros after them: 8.8, 1.6836, 12,582,912.
func significant(v float64, digits int) string {
	s := rounded(v, digits)
	if strings.Contains(s, ".") && !strings.Contains(s, "e") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// rounded prints v with so many significant digits: 8.80, 0.53.
func rounded(v float64, digits int) string {
	size := math.Abs(v)
	switch {
	case v == 0 || math.IsNaN(v) || math.IsInf(v, 0):
		return strconv.FormatFloat(v, 'f', -1, 64)
	case size >= 1e10 || size < 1e-6:
		return strconv.FormatFloat(v, 'g', digits, 64)
	}
	decimals := max(0, digits-1-int(math.Floor(math.Log10(size))))
	s := strconv.FormatFloat(size, 'f', decimals, 64)
	if decimals == 0 && len(s) > 4 { // thousands are grouped from five digits on
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
	}
	if v < 0 {
		return "-" + s
	}
	return s
}

// whole prints a whole number.
func whole(v float64) string {
	return rounded(v, 1+int(math.Log10(max(1, math.Abs(v)))))
}

// percent prints the size of a fraction that was measured, whichever way it points.
func percent(fraction float64) string { return rounded(100*math.Abs(fraction), 2) + " %" }

// level prints a fraction that was chosen.
func level(fraction float64) string { return significant(100*fraction, 4) + " %" }

// signed is a fraction in per cent with its sign, without the sign of per cent.
func signed(fraction float64) string {
	s := rounded(100*fraction, 2)
	if fraction > 0 {
		return "+" + s
	}
	return s
}

// change is a difference: in per cent, or in times where it is more than tenfold.
func change(fraction float64) string {
	if fraction >= 9 {
		return "×" + significant(1+fraction, 3)
	}
	return signed(fraction) + " %"
}

// figure prints a metric's value: time, bytes and GB with their unit, everything else bare.
func figure(unit string, v float64) string {
	scaled := func(factor float64, names ...string) string {
		i := 0
		for ; i < len(names)-1 && math.Abs(v) >= factor; i++ {
			v /= factor
		}
		return significant(v, 4) + " " + names[i]
	}
	switch {
	case strings.HasPrefix(unit, "ns"):
		return scaled(1000, "ns", "µs", "ms", "s")
	case strings.HasPrefix(unit, "sec"), strings.HasSuffix(unit, "-sec"):
		return significant(v, 4) + " s"
	case strings.HasSuffix(unit, "-bytes"), strings.HasPrefix(unit, "B/"):
		return scaled(1024, "B", "KiB", "MiB", "GiB")
	case strings.HasSuffix(unit, "-GB"):
		return significant(v, 4) + " GB"
	case strings.HasSuffix(unit, "loss"):
		return significant(v, 5)
	case v == math.Trunc(v) && math.Abs(v) < 1e15:
		return whole(v)
	}
	return significant(v, 4)
}

// pvalue prints a p.
func pvalue(p float64) string {
	if p < 0.001 {
		return "p < 0.001"
	}
	return "p = " + significant(p, 2)
}

// list is an enumeration: a, b and c.
func list(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	return strings.Join(items[:len(items)-1], ", ") + " and " + items[len(items)-1]
}

// count is a number of things: 1 seed, 2 seeds.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%s %ss", whole(float64(n)), thing)
}

// plain is what a unit is called in a sentence.
func plain(unit string) string {
	switch unit {
	case evalLoss:
		return "held-out loss"
	case "forget-loss":
		return "loss on other text"
	case "train-loss":
		return "training loss"
	case "loss":
		return "last logged loss"
	case peakGPU:
		return "peak GPU memory"
	case peakRSS:
		return "peak memory"
	}
	return unit
}
