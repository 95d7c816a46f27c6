package table

import (
	"math"
	"strconv"
	"strings"

	"lorabench/bench/record"
)

// Dash stands for a figure that does not exist.
const Dash = "–"

// Format turns a figure into text; not finite ones into a dash.
type Format func(float64) string

// Fixed has a fixed number of decimals, so that a column's points stand below each other.
func Fixed(decimals int) Format {
	return func(v float64) string {
		if !Finite(v) {
			return Dash
		}
		return grouped(minus(strconv.FormatFloat(v, 'f', decimals, 64)))
	}
}

// Significant has so many digits: 0.1834, 36.66, 7,164, 6.358e15.
func Significant(digits int) Format {
	return func(v float64) string {
		if !Finite(v) {
			return Dash
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
		return Fixed(max(0, digits-1-n))(v)
	}
}

// Plain is the shortest text that is the number: settings, not measurements.
func Plain(v float64) string {
	if !Finite(v) {
		return Dash
	}
	return minus(strconv.FormatFloat(v, 'g', -1, 64))
}

// Count is a whole number with its thousands grouped.
func Count[T int | int64](n T) string { return grouped(strconv.FormatInt(int64(n), 10)) }

// GiB are bytes as GiB.
func GiB(v float64) string { return Fixed(3)(v / record.GiB) }

// Size is bytes in the unit that suits them.
func Size(v float64) string {
	if !Finite(v) {
		return Dash
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for math.Abs(v) >= 999.5 && i < len(units)-1 {
		v /= 1024
		i++
	}
	if i == 0 {
		return Fixed(0)(v) + " B"
	}
	return Significant(3)(v) + " " + units[i]
}

// Percent is a fraction as a percentage.
func Percent(v float64) string {
	p := math.Abs(v) * 100
	switch {
	case !Finite(v):
		return Dash
	case p >= 99.95:
		return Fixed(0)(v*100) + " %"
	case p >= 0.95 || p == 0:
		return Fixed(1)(v*100) + " %"
	default:
		return Significant(2)(v*100) + " %"
	}
}

// Signed puts a plus before what grew.
func Signed(f Format) Format {
	return func(v float64) string {
		s := f(v)
		if v > 0 && Finite(v) && strings.Trim(s, "0.,% ") != "" {
			return "+" + s
		}
		return s
	}
}

// PValue is a probability; small ones are a bound.
func PValue(p float64) string {
	if Finite(p) && p < 0.001 {
		return "<0.001"
	}
	return Fixed(3)(p)
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

// List joins words as a sentence does.
func List(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}
