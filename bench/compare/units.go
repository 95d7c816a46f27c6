package compare

import (
	"slices"

	"lorabench/bench/record"
)

// Units of this package besides record.Units: the testing package's own, and what the records have
// and result lines lack.
const (
	adapterBytes = "adapter-bytes"
	parameters   = "trainable-parameters"
	initialGPU   = "initial-GPU-GB"
	peakGPU      = "peak-GPU-GB"
	peakRSS      = "peak-RSS-GB"
	evalLoss     = "eval-loss"
	samples      = "samples/sec"
	secToLoss    = "sec-to-loss"
)

var builtIn = append(slices.Clone(record.Units),
	record.Unit{Name: "ns/op", Better: "lower"}, record.Unit{Name: "sec/op", Better: "lower"},
	record.Unit{Name: "B/op", Better: "lower"}, record.Unit{Name: "allocs/op", Better: "lower"},
	record.Unit{Name: "MB/s", Better: "higher"}, record.Unit{Name: "B/s", Better: "higher"},
	record.Unit{Name: adapterBytes, Better: "lower"}, record.Unit{Name: parameters})

// Direction is the built-in direction of a unit, and whether there is one.
func Direction(unit string) (better string, ok bool) {
	i := slices.IndexFunc(builtIn, func(u record.Unit) bool { return u.Name == unit })
	if i < 0 {
		return "", false
	}
	return builtIn[i].Better, true
}

// deterministic units have no chance in them.
var deterministic = []string{adapterBytes, parameters}

// losses are what the verdict can rest on, the best first.
var losses = []string{evalLoss, "train-loss", "loss"}

// speeds are one measurement, the time of the steps: with the same seed every arm sees the same
// samples and tokens, so that each is a constant over another. The first that is there stands for all.
var speeds = []string{samples, "tokens/sec", "steps/sec", "ns/op", "sec/op", "runtime-sec"}

// sameAs is the unit that unit is one measurement with, "" where unit stands for itself.
func sameAs(unit string, all []record.Unit) string {
	if !slices.Contains(speeds, unit) {
		return ""
	}
	for _, s := range speeds {
		if s == unit {
			return ""
		}
		if slices.ContainsFunc(all, func(u record.Unit) bool { return u.Name == s }) {
			return s
		}
	}
	return ""
}

// shown puts units in the order in which people read them: what was learned, how fast, how much
// memory; then the rest as they came.
func shown(units []string) []string {
	first := slices.Concat(losses, speeds, []string{secToLoss, initialGPU, peakGPU, peakRSS, adapterBytes, parameters})
	rank := func(u string) int {
		if i := slices.Index(first, u); i >= 0 {
			return i
		}
		return len(first)
	}
	units = slices.Clone(units)
	slices.SortStableFunc(units, func(a, b string) int { return rank(a) - rank(b) })
	return units
}

// plain is what a unit is called in a sentence.
func plain(unit string) string {
	switch unit {
	case evalLoss:
		return "held-out loss"
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
