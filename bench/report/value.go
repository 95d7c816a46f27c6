package report

import (
	"math"
	"strconv"
	"strings"

	"lorabench/bench/record"
)

// dash stands for a figure that does not exist.
const dash = "–"

// format turns a figure into text; not finite ones into a dash.
type format func(float64) string

// fixed has a fixed number of decimals, so that a column's points stand below each other.
func fixed(decimals int) format {
	return func(v float64) string {
		if !finite(v) {
			return dash
		}
		return grouped(minus(strconv.FormatFloat(v, 'f', decimals, 64)))
	}
}

// significant has so many digits: 0.1834, 36.66, 7,164, 6.358e15.
func significant(digits int) format {
	return func(v float64) string {
		if !finite(v) {
			return dash
		}
		if v == 0 {
			return "0"
		}
		// The exponent after rounding: 9.9996 is 10.00, not 10.000.
		e := strconv.FormatFloat(v, 'e', digits-1, 64)
		mantissa, exp, _ := strings.Cut(e, "e")
		n, err := strconv.Atoi(exp)
		if err != nil || n < -4 || n >= 9 {
			return minus(mantissa) + "e" + strings.TrimPrefix(strconv.Itoa(n), "+")
		}
		return fixed(max(0, digits-1-n))(v)
	}
}

// plain is the shortest text that is the number: settings, not measurements.
func plain(v float64) string {
	if !finite(v) {
		return dash
	}
	return minus(strconv.FormatFloat(v, 'g', -1, 64))
}

func count[T int | int64](n T) string { return grouped(strconv.FormatInt(int64(n), 10)) }

// gib are bytes as GiB.
func gib(v float64) string { return fixed(3)(v / record.GiB) }

// size is bytes in the unit that suits them.
func size(v float64) string {
	if !finite(v) {
		return dash
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for math.Abs(v) >= 999.5 && i < len(units)-1 {
		v /= 1024
		i++
	}
	if i == 0 {
		return fixed(0)(v) + " B"
	}
	return significant(3)(v) + " " + units[i]
}

// percent is a fraction as a percentage.
func percent(v float64) string {
	p := math.Abs(v) * 100
	switch {
	case !finite(v):
		return dash
	case p >= 99.95:
		return fixed(0)(v*100) + " %"
	case p >= 0.95 || p == 0:
		return fixed(1)(v*100) + " %"
	default:
		return significant(2)(v*100) + " %"
	}
}

// signed puts a plus before what grew.
func signed(f format) format {
	return func(v float64) string {
		s := f(v)
		if v > 0 && finite(v) && strings.Trim(s, "0.,% ") != "" {
			return "+" + s
		}
		return s
	}
}

// pValue is a probability; small ones are a bound.
func pValue(p float64) string {
	if finite(p) && p < 0.001 {
		return "<0.001"
	}
	return fixed(3)(p)
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

// grouped puts commas between thousands.
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

// list joins words as a sentence does.
func list(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}
