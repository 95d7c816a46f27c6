package compare

import (
	"cmp"
	"slices"

	"lorabench/bench/record"
	"lorabench/bench/results"
)

// Units that this package knows something about.
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

// timed reports whether a unit is a time or speed.
func timed(unit string) bool { return unit == secToLoss || slices.Contains(results.Speeds, unit) }

// sameAs is the unit that unit is one measurement with, "" where unit stands for itself.
func sameAs(unit string, all []record.Unit) string {
	for _, s := range results.Speeds {
		has := slices.ContainsFunc(all, func(u record.Unit) bool { return u.Name == s })
		if has && s != unit && slices.Contains(results.Speeds, unit) {
			return s
		} else if has {
			return ""
		}
	}
	return ""
}

// words are units in sentences.
var words = map[string]string{
	evalLoss: "held-out loss", "forget-loss": "loss on other text", "train-loss": "training loss", "loss": "last logged loss",
	peakGPU: "peak GPU memory", peakRSS: "peak memory",
}

func plain(unit string) string { return cmp.Or(words[unit], unit) }
