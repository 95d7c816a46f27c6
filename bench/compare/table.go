package compare

import (
	"math"
	"slices"

	"lorabench/bench/stats"
)

// slots are the places of the seeds of all runs: slots[arm][run].
type slots struct {
	at    [][]int
	seeds int
}

// slots numbers the seeds of a set, in order.
func (s *Set) slots() slots {
	var all []int64
	for _, a := range s.Arms {
		for _, r := range a.Runs {
			all = append(all, r.Seed)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	place := make(map[int64]int, len(all))
	for i, seed := range all {
		place[seed] = i
	}
	sl := slots{seeds: len(all)}
	for _, a := range s.Arms {
		at := make([]int, len(a.Runs))
		for k, r := range a.Runs {
			at[k] = place[r.Seed]
		}
		sl.at = append(sl.at, at)
	}
	return sl
}

// table is one metric: the values of each arm by the seed's place.
type table struct {
	arms   []string
	by     []column
	scale  stats.Scale
	exact  bool // a unit without chance, and no arm's values differ
	untold bool // carried over from run to run: nothing can be compared
}

// tiny is the size up to which differences on the scale are rounding errors.
const tiny = 1e-12

// column is an arm's values; NaN where the seed has none.
type column struct {
	value    []float64
	scaled   []float64 // on the scale on which differences are taken
	n        int       // values that are there
	constant bool      // and they are all the same
}

// newTable takes the arms that have the unit at all.
func newTable(s *Set, sl slots, unit string) *table {
	t := &table{exact: slices.Contains(s.Exact, unit)}
	var all [][]float64
	for i, a := range s.Arms {
		c := column{value: make([]float64, sl.seeds), constant: true}
		for k := range c.value {
			c.value[k] = math.NaN()
		}
		first := math.NaN()
		for k, r := range a.Runs {
			v, ok := r.Values[unit]
			if !ok {
				continue
			}
			if c.n++; c.n == 1 {
				first = v
			}
			c.value[sl.at[i][k]] = v
			c.constant = c.constant && v == first
		}
		if c.n == 0 {
			continue
		}
		t.arms = append(t.arms, a.Name)
		t.by, all = append(t.by, c), append(all, c.value)
		t.exact = t.exact && c.constant
	}
	t.scale = stats.NewScale(all...)
	for i := range t.by {
		t.by[i].scaled = t.scale.Of(t.by[i].value)
	}
	return t
}

// seeds are the places that all of the arms have a value in.
func (t *table) seeds(arms ...int) []int {
	seeds := make([]int, 0, t.by[arms[0]].n)
	for k := range t.by[arms[0]].value {
		if !slices.ContainsFunc(arms, func(a int) bool { return math.IsNaN(t.by[a].value[k]) }) {
			seeds = append(seeds, k)
		}
	}
	return seeds
}

// all are the arms' indices.
func (t *table) all() []int {
	all := make([]int, len(t.arms))
	for i := range all {
		all[i] = i
	}
	return all
}
