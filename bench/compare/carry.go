package compare

import (
	"fmt"
	"slices"
	"strings"

	"lorabench/bench/format"
)

// carried is a sentence where the peak of GPU memory was not reset between arms: a run begins with the
// very figure at which the run before it ended, so that its peak may be another's. It is "" where that
// did not happen or cannot be seen.
func (s *Set) carried() string {
	order := s.Order
	if order == nil {
		for _, a := range s.Arms {
			order = append(order, a.Name)
		}
	}
	var found []string
	for i, name := range order[1:] {
		from, to := s.runs(order[i]), s.runs(name)
		if len(from) == 0 || len(to) == 0 {
			continue
		}
		last, ok := from[len(from)-1].Values[peakGPU]
		first, have := to[0].Values[initialGPU]
		if ok && have && last > 0 && last == first {
			found = append(found, fmt.Sprintf("%s began with the %s at which %s ended", name, format.Value(peakGPU, first), order[i]))
		}
	}
	if len(found) == 0 {
		return ""
	}
	return fmt.Sprintf("GPU memory cannot be told apart: %s. The peak was not reset in between, so a figure may be that of an earlier run.", strings.Join(found, ", "))
}

// runs are an arm's.
func (s *Set) runs(name string) []Run {
	i := slices.IndexFunc(s.Arms, func(a Arm) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return s.Arms[i].Runs
}
