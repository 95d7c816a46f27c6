package format

import (
	"math"
	"slices"
	"strings"
)

// digits is how many significant digits a value has where no more are needed to tell two apart.
const digits = 4

// gib are the units that say GB and count 1024^3 bytes, as the reference run does.
var gib = []string{"initial-GPU-GB", "peak-GPU-GB", "initial-RSS-GB", "peak-RSS-GB", "final-RSS-GB"}

// steps returns by what a unit's value is divided to come to the next of the names, none where it is shown bare.
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

// Value is a metric's value with its unit, times and bytes in the step that suits them; where the unit says no more than
// its name, as samples/sec does, the bare number.
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

// Apart are two values of a unit with the digits that tell them apart: exact comparisons find differences far behind the fourth.
func Apart(unit string, a, b float64) (string, string) {
	for d := digits; ; d++ {
		x, y := value(unit, a, d), value(unit, b, d)
		if x != y || a == b || !Finite(a) || !Finite(b) || d >= 17 {
			return x, y
		}
	}
}

// Bytes is an amount of memory or of a file.
func Bytes(v float64) string { return Value("B", v) }
