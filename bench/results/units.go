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

// Losses are what ranks are judged by, the best first.
var Losses = []string{"eval-loss", "train-loss", "loss"}

// Speeds are one measurement, the time of an operation: each is a constant over another, since an operation has the same
// samples, tokens and bytes on both sides. The first that is there stands for all.
var Speeds = []string{"samples/sec", "tokens/sec", "steps/sec", "ns/op", "sec/op", "runtime-sec", "MB/s", "B/s"}

// known are units in the order in which people read them: what was learned, how fast, how much memory.
var known = slices.Concat(Losses, Speeds,
	[]string{"sec-to-loss", "initial-GPU-GB", "peak-GPU-GB", "peak-RSS-GB", "B/op", AdapterBytes, Parameters, "allocs/op"})

// Order returns a unit's place in the order in which people read them; Order of those that nobody knows is the same.
func Order(unit string) int {
	if i := slices.Index(known, unit); i >= 0 {
		return i
	}
	return len(known)
}

// lower and higher are units whose direction needs no Unit line, besides record.Units.
var (
	lower  = []string{"ns/op", "sec/op", "B/op", "allocs/op", AdapterBytes}
	higher = []string{"MB/s", "B/s"}
)

// Better returns the direction of a unit that needs no Unit line, "" where there is none; by its name, or by that of a unit
// which it is a spelling of.
func Better(unit string) string {
	base, _ := Tidy(unit)
	for _, name := range []string{unit, base} {
		switch i := slices.IndexFunc(record.Units, func(u record.Unit) bool { return u.Name == name }); {
		case i >= 0:
			return record.Units[i].Better
		case slices.Contains(lower, name):
			return "lower"
		case slices.Contains(higher, name):
			return "higher"
		}
	}
	return ""
}

// Tidy returns a unit's base unit and the factor to it.
func Tidy(unit string) (base string, factor float64) {
	factor, base = benchunit.Tidy(1, unit)
	return base, factor
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

// asPrinted reports whether a value has no more digits than go test prints.
func asPrinted(v float64) bool {
	x := v * tens[decimals(v)]
	return math.Abs(x-math.Round(x)) <= 1e-6
}

// Printed is a value as go test prints it.
func Printed(v float64) float64 {
	x, err := strconv.ParseFloat(strconv.FormatFloat(v, 'f', decimals(v), 64), 64)
	if err != nil {
		return v
	}
	return x
}
