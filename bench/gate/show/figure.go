package show

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/gate/judge"
)

// none stands for a figure that does not exist.
const none = "–"

// digits is how many significant digits a figure has where no more are needed to tell two apart.
const digits = 4

func exists(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// rounded prints v with so many significant digits and no zeros after them: 8.8, 1.6836, 12,582,912.
func rounded(v float64, digits int) string {
	size := math.Abs(v)
	switch {
	case !exists(v):
		return none
	case v == 0:
		return "0"
	case size >= 1e15 || size < 1e-6:
		return strconv.FormatFloat(v, 'g', digits, 64)
	}
	s := strconv.FormatFloat(size, 'f', max(0, digits-1-int(math.Floor(math.Log10(size)))), 64)
	s, fraction, _ := strings.Cut(s, ".")
	if len(s) > 4 { // thousands are grouped from five digits on
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		s += "." + fraction
	}
	if v < 0 {
		s = "-" + s
	}
	return s
}

// gib are the units that say GB and count 1024^3 bytes, as the reference run does: package record has
// the metrics.
var gib = []string{"initial-GPU-GB", "peak-GPU-GB", "initial-RSS-GB", "peak-RSS-GB", "final-RSS-GB"}

// scale is what one step of a unit's value is divided by and the names of the steps; no names where the
// value is printed bare.
func scale(unit string) (factor float64, names []string) {
	base := unit
	if i := strings.LastIndex(unit, "-"); i >= 0 {
		base = unit[i+1:]
	}
	bytes := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	switch {
	case slices.Contains(gib, unit):
		return 1024, []string{"GiB", "TiB"}
	case base == "ns" || base == "ns/op":
		return 1000, []string{"ns", "µs", "ms", "s"}
	case base == "B" || base == "bytes" || base == "B/op":
		return 1024, bytes
	case base == "GB" || base == "MB" || base == "KB" || base == "kB":
		return math.Inf(1), []string{base}
	case base == "sec" || base == "sec/op" || strings.HasPrefix(unit, "sec-to-"):
		return math.Inf(1), []string{"s"}
	case base == "B/s" || base == "B/sec":
		return 1024, []string{"B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"}
	}
	return 0, nil
}

// figure prints a metric's value for people: times and bytes in the step that suits them.
func figure(unit string, v float64, digits int) string {
	if !exists(v) {
		return none
	}
	factor, names := scale(unit)
	if len(names) == 0 {
		if whole := v == math.Trunc(v) && math.Abs(v) < 1e15; whole {
			digits = max(digits, 15)
		}
		return rounded(v, digits)
	}
	if seconds := len(names) == 1 && names[0] == "s"; seconds && v != 0 && math.Abs(v) < 1 {
		return figure("ns", v*1e9, digits)
	}
	i := 0
	for ; i < len(names)-1 && math.Abs(v) >= factor; i++ {
		v /= factor
	}
	return rounded(v, digits) + " " + names[i]
}

// centers prints what is compared of both sides. Where a difference was found they have as many digits as
// it takes to see it: exact comparisons find some far behind the fourth.
func centers(r *judge.Result) (string, string) {
	if found := r.Exact || r.Call == judge.CallWorse || r.Call == judge.CallBetter; !found {
		return figure(r.Unit, r.Old.Center, digits), figure(r.Unit, r.New.Center, digits)
	}
	return pair(r.Unit, r.Old.Center, r.New.Center)
}

// pair prints two values with the digits that tell them apart.
func pair(unit string, a, b float64) (string, string) {
	for d := digits; ; d++ {
		x, y := figure(unit, a, d), figure(unit, b, d)
		if x != y || a == b || !exists(a) || !exists(b) || d >= 17 {
			return x, y
		}
	}
}

// percent is a difference with its sign: in per cent, or in times where it is more than tenfold.
func percent(fraction float64) string {
	switch {
	case !exists(fraction):
		return none
	case fraction >= 9:
		return "×" + rounded(1+fraction, 3)
	}
	return signed(fraction) + " %"
}

// signed is a fraction in per cent without the sign of per cent.
func signed(fraction float64) string {
	if !exists(fraction) {
		return none
	}
	v := 100 * fraction
	n := 2
	if math.Abs(v) >= 9.95 {
		n = 3
	}
	s := rounded(v, n)
	if v > 0 {
		s = "+" + s
	}
	return s
}

// interval is the 95 % interval of a change, "" where there is none.
func interval(r *judge.Result) string {
	if !exists(r.Low) || !exists(r.High) || r.Low == r.High {
		return ""
	}
	if r.High >= 9 {
		return percent(r.Low) + " … " + percent(r.High)
	}
	return signed(r.Low) + " … " + signed(r.High)
}

// change is a result's change with its interval.
func change(r *judge.Result) string {
	s := percent(r.Change)
	if i := interval(r); i != "" {
		s += " (" + i + ")"
	}
	return s
}

// pvalue prints the corrected p.
func pvalue(r *judge.Result) string {
	switch p := r.Corrected; {
	case r.Exact:
		return "exact"
	case !exists(p):
		return none
	case p < 0.0001:
		return "<0.0001"
	case p > 0.9995:
		return "1"
	default:
		return rounded(p, 2)
	}
}

// samples is how many values the sides have: "6", or "6, 10" where that differs.
func samples(r *judge.Result) string {
	a, b := strconv.Itoa(r.Old.N()), strconv.Itoa(r.New.N())
	if a == b {
		return a
	}
	return a + ", " + b
}

// count is a number of things: 1 result, 2 results.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return rounded(float64(n), 15) + " " + thing + "s"
}
