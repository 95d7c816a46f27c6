package judge

import (
	"slices"
	"strings"

	"lorabench/bench/results"
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
	case exact, unit == results.AdapterBytes, unit == results.Parameters, unit == "allocs/op":
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

var classes = []Class{Loss, Speed, Memory, Count, Other}
