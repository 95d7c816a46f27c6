package history

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// dash stands for a figure that does not exist.
const dash = "–"

// significant has so many digits and commas between thousands: 0.1834, 36.66, 7,164, 6.358e15.
func significant(v float64, digits int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return dash
	}
	if v == 0 {
		return "0"
	}
	e := strconv.FormatFloat(v, 'e', digits-1, 64) // the exponent after rounding
	mantissa, exp, _ := strings.Cut(e, "e")
	n, err := strconv.Atoi(exp)
	if err != nil || n < -4 || n >= 9 {
		return minus(mantissa) + "e" + strings.TrimPrefix(strconv.Itoa(n), "+")
	}
	return fixed(v, max(0, digits-1-n))
}

func fixed(v float64, decimals int) string {
	return grouped(minus(strconv.FormatFloat(v, 'f', decimals, 64)))
}

// percent is a fraction as a percentage with its sign.
func percent(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return dash
	}
	p := 100 * v
	decimals := 1
	for m := math.Abs(p); m < 0.95 && m > 0 && decimals < 6; m *= 10 {
		decimals++
	}
	s := fixed(p, decimals) + " %"
	if v > 0 {
		s = "+" + s
	}
	return s
}

// minus is the sign that is as wide as a plus, and never one before a zero.
func minus(s string) string {
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		if strings.Trim(rest, "0.") == "" {
			return rest
		}
		return "−" + rest
	}
	return s
}

func grouped(s string) string {
	sign := ""
	if rest, ok := strings.CutPrefix(s, "−"); ok {
		sign, s = "−", rest
	}
	whole, frac, point := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		frac = "." + frac
	}
	return sign + whole + frac
}

// probability is a p for people.
func probability(p float64) string {
	if p < 1e-6 {
		return "<0.000001"
	}
	return significant(p, 1)
}

func day(t time.Time) string { return t.Format("2 Jan 2006") }

// short is a commit as it is shown: hashes at the length that git shows, tags and a + whole.
func short(commit string) string {
	hash := strings.TrimRight(commit, "+")
	if len(hash) > 9 && strings.Trim(hash, "0123456789abcdef") == "" {
		return hash[:9] + commit[len(hash):]
	}
	return commit
}

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return grouped(strconv.Itoa(n)) + " " + thing + "s"
}

// amount is the unit and the factor in which values of a unit are shown: ns/op of a training step are ms/op.
func amount(unit string, most float64) (shown string, factor float64) {
	tidied, toBase := tidy(unit)
	base, per, _ := strings.Cut(tidied, "/")
	if per != "" {
		per = "/" + per
	}
	size := math.Abs(most) * toBase
	if !(size > 0) || math.IsInf(size, 0) {
		return unit, 1
	}
	var steps []step
	switch base {
	case "sec":
		steps = []step{{"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}, {"ns", 1e-9}}
	case "B":
		if per == "/s" || per == "/sec" {
			steps = []step{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}
		} else {
			steps = []step{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
		}
	default:
		return unit, 1
	}
	for _, s := range steps {
		if size >= s.size {
			return s.name + per, toBase / s.size
		}
	}
	last := steps[len(steps)-1]
	return last.name + per, toBase / last.size
}

type step struct {
	name string
	size float64
}
