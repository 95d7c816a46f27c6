// Package format formats numbers, values with their units, and tables, for everything under bench that people read. A figure that does not
// exist is a dash: no output has NaN.
package format

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// None stands for a figure that does not exist.
const None = "–"

// Finite reports whether v is a number that can be shown.
func Finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Number formats v with at most so many significant digits and no trailing zeros: 8.8, 1.6836, 12,580,000, 6.358e15.
func Number(v float64, digits int) string {
	if !Finite(v) || v == 0 {
		return Fixed(v, 0)
	}
	// The exponent after rounding: 9.9996 is 10, not 10.00.
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', digits-1, 64), "e")
	n, err := strconv.Atoi(exponent)
	if err != nil || n < -4 || n >= 9 {
		return trimmed(mantissa) + "e" + strconv.Itoa(n)
	}
	return trimmed(Fixed(v, max(0, digits-1-n)))
}

// trimmed removes the zeros at the end of a fraction.
func trimmed(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// Fixed formats v with a fixed number of decimals, so that points align, and groups thousands from five digits on. Zero has no minus.
func Fixed(v float64, decimals int) string {
	if !Finite(v) {
		return None
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	if len(whole) > 4 {
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if v < 0 && strings.Trim(s, "0.") != "" {
		return "-" + whole
	}
	return whole
}

// All formats v with all its digits: settings, and values that differ in the last one.
func All(v float64) string {
	if !Finite(v) {
		return None
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// hundredths formats per cent with two digits, and with three from 10 on: both ends of an interval then look alike.
func hundredths(fraction float64) string {
	if math.Abs(fraction) >= 0.0995 {
		return Number(100*fraction, 3)
	}
	return Number(100*fraction, 2)
}

// Percent formats the size of a measured fraction, whatever its sign: 0.8 %, 12.3 %.
func Percent(fraction float64) string { return hundredths(math.Abs(fraction)) + " %" }

// Level formats a chosen fraction: 5 %, 97.5 %.
func Level(fraction float64) string { return Number(100*fraction, 4) + " %" }

// Plus puts a plus before the text of a value that grew.
func Plus(v float64, text string) string {
	if v > 0 && Finite(v) && strings.ContainsAny(text, "123456789") {
		return "+" + text
	}
	return text
}

func signed(fraction float64) string { return Plus(fraction, hundredths(fraction)) }

// Change formats a relative difference: in per cent with its sign, or as a factor from tenfold on.
func Change(fraction float64) string {
	switch {
	case !Finite(fraction):
		return None
	case fraction >= 9:
		return "×" + Number(1+fraction, 3)
	}
	return signed(fraction) + " %"
}

// Interval formats an interval of fractions: -1.2 to +3 %. It returns "" if there is none.
func Interval(low, high float64) string {
	switch {
	case !Finite(low) || !Finite(high):
		return ""
	case high >= 9:
		return Change(low) + " to " + Change(high)
	}
	return signed(low) + " to " + signed(high) + " %"
}

// Higher formats a difference in words: 3.1 % higher.
func Higher(fraction float64) string {
	switch {
	case fraction > 0:
		return Percent(fraction) + " higher"
	case fraction < 0:
		return Percent(fraction) + " lower"
	}
	return "no difference"
}

// P formats a probability: 0.032, or a bound where it is smaller than anyone acts on.
func P(p float64) string {
	if p < 0.0001 {
		return "<0.0001"
	}
	return Number(p, 2)
}

// Whole formats a whole number.
func Whole[T int | int64](n T) string { return Fixed(float64(n), 0) }

// Count formats a number of things: 1 seed, 2 seeds.
func Count[T int | int64](n T, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return Whole(n) + " " + thing
}

// List joins items: a, b and c.
func List(items []string) string {
	if n := len(items); n > 1 {
		return strings.Join(items[:n-1], ", ") + " and " + items[n-1]
	}
	return strings.Join(items, "")
}

// Few joins at most most items, the last of which counts those that are left out.
func Few(items []string, most int) string {
	if n := len(items) - most + 1; n > 1 {
		items = append(items[:most-1:most-1], Whole(n)+" more")
	}
	return List(items)
}

// digits is the number of a value's significant digits, unless more are needed to tell two apart.
const digits = 4

// gib lists the units that say GB and count 1024^3 bytes, as the reference run does.
var gib = []string{"initial-GPU-GB", "peak-GPU-GB", "initial-RSS-GB", "peak-RSS-GB", "final-RSS-GB"}

// steps returns the names that a unit's values are shown with, such as B and KiB, and the factor between them; no names if shown bare.
func steps(unit string) (factor float64, names []string) {
	base := unit[strings.LastIndex(unit, "-")+1:]
	switch {
	case slices.Contains(gib, unit):
		return 1024, []string{"GiB", "TiB"}
	case base == "ns" || base == "ns/op":
		return 1000, []string{"ns", "µs", "ms", "s"}
	case base == "B" || base == "bytes" || base == "B/op":
		return 1024, []string{"B", "KiB", "MiB", "GiB", "TiB"}
	case base == "GB" || base == "MB" || base == "KB" || base == "kB":
		return math.Inf(1), []string{base}
	case base == "sec" || base == "sec/op" || strings.HasPrefix(unit, "sec-to-"):
		return math.Inf(1), []string{"s"}
	case base == "B/s" || base == "B/sec":
		return 1024, []string{"B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"}
	}
	return 0, nil
}

// Value formats a value with its unit, times and bytes in a suitable step; bare where the unit is only a name, as samples/sec.
func Value(unit string, v float64) string {
	if strings.HasSuffix(unit, "loss") && !strings.HasPrefix(unit, "sec-to-") {
		return value(unit, v, digits+1)
	}
	return value(unit, v, digits)
}

func value(unit string, v float64, digits int) string {
	factor, names := steps(unit)
	switch {
	case !Finite(v):
		return None
	case names == nil && v == math.Trunc(v) && math.Abs(v) < 1e15:
		return Fixed(v, 0)
	case names == nil:
		return Number(v, digits)
	case names[0] == "s" && v != 0 && math.Abs(v) < 1:
		return value("ns", v*1e9, digits)
	}
	i := 0
	for ; i < len(names)-1 && math.Abs(v) >= factor; i++ {
		v /= factor
	}
	return Number(v, digits) + " " + names[i]
}

// Apart formats two values of a unit with the digits that tell them apart: exact comparisons find differences far behind the fourth.
func Apart(unit string, a, b float64) (string, string) {
	for d := digits; ; d++ {
		x, y := value(unit, a, d), value(unit, b, d)
		if x != y || a == b || !Finite(a) || !Finite(b) || d >= 17 {
			return x, y
		}
	}
}
