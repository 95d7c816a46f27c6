package judge

import (
	"slices"
	"strings"

	"golang.org/x/perf/benchunit"

	"lorabench/bench/compare"
)

// The counts that records have and result lines lack.
const (
	adapterBytes = "adapter-bytes"
	parameters   = "trainable-parameters"
)

// classOf is what a unit measures, by its name. exact is that its Unit line says assume=exact.
func classOf(unit string, exact bool) Class {
	has := func(suffixes ...string) bool {
		return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(unit, s) })
	}
	begins := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(s string) bool { return strings.HasPrefix(unit, s) })
	}
	switch {
	case exact, unit == adapterBytes, unit == parameters, unit == "allocs/op":
		return Count
	case unit == "sec-to-loss", has("/sec", "/s"), begins("ns/", "sec/"), has("-sec", "-ns"):
		return Speed
	case has("loss"):
		return Loss
	case begins("peak-"), unit == "B/op", has("-GB", "-MB", "-kB", "-B", "-GiB", "-MiB", "-KiB", "-bytes"), slices.Contains([]string{"B", "MB", "GB", "bytes"}, unit):
		return Memory
	}
	return Other
}

// builtIn is the direction of a unit that needs no Unit line, "" where there is none; by its name, or by
// that of a unit which it is a spelling of (sec/op, ns/op).
func builtIn(unit string) string {
	if d, ok := compare.Direction(unit); ok {
		return d
	}
	_, tidied := benchunit.Tidy(1, unit)
	d, _ := compare.Direction(tidied)
	return d
}

// speeds are one measurement, the time of an operation: each is a constant over another, since an
// operation has the same samples, tokens and bytes on both sides. The first that is there is judged for all.
var speeds = []string{"samples/sec", "tokens/sec", "steps/sec", "ns/op", "sec/op", "runtime-sec", "MB/s", "B/s"}

// known are units in the order in which people read them.
var known = slices.Concat([]string{"eval-loss", "train-loss", "loss"}, speeds,
	[]string{"sec-to-loss", "initial-GPU-GB", "peak-GPU-GB", "peak-RSS-GB", "B/op", adapterBytes, parameters, "allocs/op"})

// order is where a unit stands among those of a benchmark: by class, then as known, then as they were written.
func order(unit string, class Class) int {
	i := slices.Index(known, unit)
	if i < 0 {
		i = len(known)
	}
	return len(known)*2*slices.Index(classes, class) + i
}

var classes = []Class{Loss, Speed, Memory, Count, Other}

// tidy is benchunit's base unit of a unit, and the factor to it.
func tidy(unit string) (string, float64) {
	f, u := benchunit.Tidy(1, unit)
	return u, f
}
