package results

import (
	"math"
	"slices"
	"strconv"

	"golang.org/x/perf/benchunit"

	"lorabench/bench/record"
)

// Units that records have and result lines lack.
const (
	AdapterBytes = "adapter-bytes"
	Parameters   = "trainable-parameters"
)

// Losses are the units that ranks are judged by, the preferred first.
var Losses = []string{"eval-loss", "train-loss", "loss"}

// Speeds all measure the time of an operation: each is a constant over another, since an operation has the same samples, tokens and bytes
// on both sides. The first that is present stands for all.
var Speeds = []string{"samples/sec", "tokens/sec", "steps/sec", "ns/op", "sec/op", "runtime-sec", "MB/s", "B/s"}

// known lists units in the order in which people read them: what was learned, how fast, how much memory.
var known = slices.Concat(Losses, Speeds,
	[]string{"sec-to-loss", "initial-GPU-GB", "peak-GPU-GB", "peak-RSS-GB", "B/op", AdapterBytes, Parameters, "allocs/op"})

// Order returns a unit's place in the order in which people read them; unknown units come last and are equal.
func Order(unit string) int {
	if i := slices.Index(known, unit); i >= 0 {
		return i
	}
	return len(known)
}

// directed lists the units whose direction needs no Unit line.
var directed = slices.Concat(record.Units, []record.Unit{{Name: "MB/s", Better: "higher"}, {Name: "B/s", Better: "higher"},
	{Name: "ns/op", Better: "lower"}, {Name: "sec/op", Better: "lower"}, {Name: "B/op", Better: "lower"}, {Name: "allocs/op", Better: "lower"},
	{Name: AdapterBytes, Better: "lower"}})

// Better returns the direction of a unit that needs no Unit line, else "": by its name, or by that of its base unit.
func Better(unit string) string {
	base, _ := Tidy(unit)
	for _, name := range []string{unit, base} {
		if i := slices.IndexFunc(directed, func(u record.Unit) bool { return u.Name == name }); i >= 0 {
			return directed[i].Better
		}
	}
	return ""
}

// Tidy returns a unit's base unit and the factor to it.
func Tidy(unit string) (base string, factor float64) {
	factor, base = benchunit.Tidy(1, unit)
	return base, factor
}

// Printed rounds a value as go test prints it (testing.prettyPrint): to about four digits.
func Printed(v float64) float64 {
	if math.Abs(v) >= 999.95 {
		return math.RoundToEven(v)
	}
	text := strconv.FormatFloat(v, 'g', 4, 64)
	if math.Abs(v) < 0.00099995 {
		text = strconv.FormatFloat(v, 'f', 7, 64)
	}
	x, _ := strconv.ParseFloat(text, 64) // a float's own text always parses
	return x
}
