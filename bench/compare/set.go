package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/record"
)

// Run is one run's figures by unit; Seed pairs it with the runs of other arms.
type Run struct {
	Seed   int64
	Values map[string]float64
}

// Arm is a sub-benchmark: a rank, with whatever else varies.
type Arm struct {
	Name string
	Runs []Run // by seed
}

// Config is a key and value of the benchmark configuration.
type Config struct{ Key, Value string }

// Set is what is compared: one study, each arm run with the same seeds.
type Set struct {
	Arms   []Arm         // in record.Compare's order: the smallest rank first, full last
	Units  []record.Unit // the metrics that any run has, in the order in which they are shown
	Config []Config
	Exact  []string // units without chance: the same settings give the same value
	Order  []string // arms in the order in which they were run; nil where that is not known
	Notes  []string // what was left aside, what differs and does not matter
}

// check is for sets that a caller built: the statistics rely on it.
func (s *Set) check() error {
	if s == nil || len(s.Arms) == 0 {
		return fmt.Errorf("compare: no runs to compare")
	}
	names := map[string]bool{}
	for _, a := range s.Arms {
		if names[a.Name] {
			return fmt.Errorf("compare: the arm %s is there twice", a.Name)
		}
		names[a.Name] = true
		if len(a.Runs) == 0 {
			return fmt.Errorf("compare: %s has no run", a.Name)
		}
		seeds := map[int64]bool{}
		for _, r := range a.Runs {
			if seeds[r.Seed] {
				return fmt.Errorf("compare: %s has two runs of seed %d: runs are paired by seed", a.Name, r.Seed)
			}
			seeds[r.Seed] = true
			for u, v := range r.Values {
				if err := finite(v); err != nil {
					return fmt.Errorf("compare: %s, seed %d: %s is %w", a.Name, r.Seed, u, err)
				}
			}
		}
	}
	for i, u := range s.Units {
		if slices.ContainsFunc(s.Units[:i], func(v record.Unit) bool { return v.Name == u.Name }) {
			return fmt.Errorf("compare: the unit %s is there twice", u.Name)
		}
	}
	return nil
}

// finite is the error of a value that no statistic can take.
func finite(v float64) error {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Errorf("%v, want a finite number: the run diverged or was not measured", v)
	}
	return nil
}

// config is the value of the first of keys that the configuration has.
func (s *Set) config(keys ...string) string {
	for _, k := range keys {
		for _, c := range s.Config {
			if c.Key == k {
				return c.Value
			}
		}
	}
	return ""
}

// onlyRanks says whether arms differ in nothing but their rank, so that they may be called ranks.
func (s *Set) onlyRanks() bool {
	return !slices.ContainsFunc(s.Arms, func(a Arm) bool {
		return !strings.HasPrefix(a.Name, "rank=") || strings.Contains(a.Name, "/")
	})
}
