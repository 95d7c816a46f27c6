package compare

import (
	"slices"

	"lorabench/bench/record"
	"lorabench/bench/results"
)

// Units of this package besides record.Units: the testing package's own, and what the records have
// and result lines lack.
const (
	adapterBytes = results.AdapterBytes
	parameters   = results.Parameters
	initialGPU   = "initial-GPU-GB"
	peakGPU      = "peak-GPU-GB"
	peakRSS      = "peak-RSS-GB"
	evalLoss     = "eval-loss"
	samples      = "samples/sec"
	secToLoss    = "sec-to-loss"
)

// deterministic units have no chance in them.
var deterministic = []string{adapterBytes, parameters}

// sameAs is the unit that unit is one measurement with, "" where unit stands for itself.
func sameAs(unit string, all []record.Unit) string {
	if !slices.Contains(results.Speeds, unit) {
		return ""
	}
	for _, s := range results.Speeds {
		if s == unit {
			return ""
		}
		if slices.ContainsFunc(all, func(u record.Unit) bool { return u.Name == s }) {
			return s
		}
	}
	return ""
}

// plain is what a unit is called in a sentence.
func plain(unit string) string {
	switch unit {
	case evalLoss:
		return "held-out loss"
	case "forget-loss":
		return "loss on other text"
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
