package judge

import (
	"fmt"
	"math"

	"lorabench/bench/format"
	"lorabench/bench/results"
)

// valueByValue is what is found where the same seed must give the same value.
type valueByValue struct {
	pairs   int
	differ  int
	mean    float64 // of New's less the baseline's, over the pairs
	change  float64 // relative to the baseline's mean; NaN where that is 0
	seed    int64   // the first that differs
	old, nu float64 // its values
}

// byValue compares the sides seed by seed, with the digits of the coarser file: go test prints four, the
// files of -out have all. Counts of which no seed is on both sides are compared as they are: they do not
// vary.
func byValue(old, new values) valueByValue {
	var v valueByValue
	from := 0.0
	add := func(i, j int) {
		a, b := old.x[i], new.x[j]
		if old.rounded[i] || new.rounded[j] {
			a, b = results.Printed(a), results.Printed(b)
		}
		v.pairs++
		if a != b {
			if v.differ == 0 {
				v.seed, v.old, v.nu = old.seeds[i], a, b
			}
			v.differ++
		}
		v.mean += (b - a - v.mean) / float64(v.pairs)
		from += (a - from) / float64(v.pairs)
	}
	if pairs(old, new, add) == 0 && old.constant() && new.constant() {
		add(0, 0)
		v.pairs = 0
	}
	v.change = v.mean / math.Abs(from)
	if v.mean == 0 {
		v.change = 0
	}
	if math.IsInf(v.change, 0) {
		v.change = math.NaN()
	}
	return v
}

// exact calls what is compared value by value.
func (t *test) exact() {
	v := byValue(t.old, t.new)
	t.Pairs, t.Change = v.pairs, v.change
	if v.pairs == 0 && !(t.old.constant() && t.new.constant()) {
		t.Call, t.Why = CallCannotTell, "it is compared seed by seed, and no seed is on both sides: run both with the same -seed"
		return
	}
	if v.differ == 0 {
		t.Call, t.Why = CallSame, "the same value in "+format.Count(v.pairs, "seed")
		if v.pairs == 0 {
			t.Why = "the same value in every run"
		}
		return
	}
	first := fmt.Sprintf("%s instead of %s", format.All(v.nu), format.All(v.old))
	if v.pairs > 0 {
		first = fmt.Sprintf("seed %d gives %s, %d of %s differ", v.seed, first, v.differ, format.Count(v.pairs, "seed"))
	}
	size := "from 0"
	if !math.IsNaN(v.change) {
		size = format.Higher(v.change)
	}
	beyond := func(direction float64) bool {
		return direction*v.mean > 0 && (math.IsNaN(v.change) || direction*v.change > t.Rule.Floor)
	}
	within := ""
	if t.Rule.Floor > 0 {
		within = ", floor " + format.Level(t.Rule.Floor)
	}
	switch {
	case t.worse == 0 && (t.Rule.Floor == 0 || beyond(1) || beyond(-1)):
		t.Call, t.Why = CallWorse, fmt.Sprintf("it must not change: %s%s; accept a deliberate change with a new baseline, or a floor in gate.txt", first, within)
	case t.worse != 0 && beyond(t.worse):
		t.Call, t.Why = CallWorse, fmt.Sprintf("%s%s: %s", size, within, first)
		if t.Class == Loss {
			t.Why += "; losses of the same seed on a CPU differ only when the computation does: accept a deliberate change of rounding with a floor in gate.txt"
		}
	case t.worse != 0 && beyond(-t.worse):
		t.Call, t.Why = CallBetter, fmt.Sprintf("%s%s: %s", size, within, first)
	default:
		t.Call, t.Why = CallSame, fmt.Sprintf("%s, within the floor of %s: %s", size, format.Level(t.Rule.Floor), first)
	}
}
