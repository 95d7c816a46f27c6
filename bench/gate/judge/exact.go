package judge

import (
	"cmp"
	"fmt"
	"math"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/results"
)

// differences are what is found where the same seed must give the same value.
type differences struct {
	pairs   int
	differ  int
	mean    float64 // of New's less the baseline's, over the pairs
	change  float64 // relative to the baseline's mean; NaN where that is 0
	largest float64 // of any pair, relative; infinite from 0
	seed    int64   // the first that differs
	old, nu float64 // its values
}

// byValue compares the sides seed by seed, with the digits of the coarser file: go test prints four, the files of -out have
// all. Counts of which no seed is on both sides are compared as they are: they do not vary.
func byValue(old, new values) differences {
	var d differences
	from := 0.0
	add := func(i, j int) {
		a, b := old.x[i], new.x[j]
		if old.rounded || new.rounded {
			a, b = results.Printed(a), results.Printed(b)
		}
		d.pairs++
		if a != b {
			if d.differ++; d.differ == 1 {
				d.seed, d.old, d.nu = old.seeds[i], a, b
			}
			d.largest = max(d.largest, math.Abs((b-a)/a))
		}
		d.mean += (b - a - d.mean) / float64(d.pairs)
		from += (a - from) / float64(d.pairs)
	}
	if pairs(old, new, add) == 0 && old.constant() && new.constant() {
		add(0, 0)
		d.pairs = 0
	}
	if d.mean != 0 {
		d.change = d.mean / math.Abs(from)
	}
	if math.IsInf(d.change, 0) {
		d.change = math.NaN()
	}
	return d
}

// exact calls what is compared value by value, and reports whether it is to be tested instead: losses of which somebody accepts
// other digits.
func (j *judging) exact(t *test, m *matched) (tested bool) {
	d := byValue(t.old, t.new)
	t.Pairs, t.Change = d.pairs, d.change
	every := t.old.constant() && t.new.constant()
	switch {
	case d.pairs == 0 && !every:
		t.Call, t.Why = CallCannotTell, "it is compared seed by seed, and no seed is on both sides: run both with the same -seed"
		return false
	case d.differ == 0 && d.pairs == 0:
		t.Call, t.Why = CallSame, "the same value in every run"
		return false
	case d.differ == 0:
		t.Call, t.Why = CallSame, "the same value in "+format.Count(d.pairs, "seed")
		return false
	}
	first := fmt.Sprintf("%s instead of %s", format.All(d.nu), format.All(d.old))
	if d.pairs > 0 {
		first = fmt.Sprintf("seed %d gives %s, %d of %s differ", d.seed, first, d.differ, format.Count(d.pairs, "seed"))
	}
	size, within := "from 0", ""
	if !math.IsNaN(d.change) {
		size = format.Higher(d.change)
	}
	if t.Rule.Floor > 0 {
		within = ", floor " + format.Level(t.Rule.Floor)
	}
	beyond := func(direction float64) bool {
		return direction*d.mean > 0 && (math.IsNaN(d.change) || direction*d.change > t.Rule.Floor)
	}
	switch {
	case t.Class == Loss && d.largest > t.Rule.Floor:
		if j.Accept != "" {
			j.note("Losses of the same seed have other digits, which %s accepts: they are tested.", j.Accept)
			t.Exact, t.Rule = false, j.rules.For(t.Unit, Loss, false)
			t.measure()
			return true
		}
		t.Call, t.Why, t.Causes = CallNumerics, fmt.Sprintf("%s on average%s: %s", size, within, first), j.parting(m, t)
	case t.Class == Loss:
		t.Call, t.Why = CallSame, fmt.Sprintf("%s on average, within the floor of %s: %s", size, format.Level(t.Rule.Floor), first)
	case t.worse == 0 && (t.Rule.Floor == 0 || beyond(1) || beyond(-1)):
		t.Call, t.Why = CallWorse, fmt.Sprintf("it must not change: %s%s; accept a deliberate change with a new baseline, or a floor in gate.txt", first, within)
	case t.worse != 0 && beyond(t.worse):
		t.Call, t.Why = CallWorse, fmt.Sprintf("%s%s: %s", size, within, first)
	case t.worse != 0 && beyond(-t.worse):
		t.Call, t.Why = CallBetter, fmt.Sprintf("%s%s: %s", size, within, first)
	default:
		t.Call, t.Why = CallSame, fmt.Sprintf("%s, within the floor of %s: %s", size, format.Level(t.Rule.Floor), first)
	}
	return false
}

// parting says where the losses of a benchmark first part, as its run records have them: once for all of its losses.
func (j *judging) parting(m *matched, t *test) []string {
	for _, r := range j.results {
		if r.Benchmark == t.Benchmark && r.Call == CallNumerics {
			return nil
		}
	}
	olds := map[int64]*record.Record{}
	for _, r := range j.old.RecordsOf(m.old) {
		olds[r.Seed] = r
	}
	both, at, seed := 0, record.Step{}, int64(0)
	var was float64
	for _, r := range j.new.RecordsOf(m.new) {
		old := olds[r.Seed]
		if old == nil {
			continue
		}
		both++
		for i := range min(len(old.Steps), len(r.Steps)) {
			if s := r.Steps[i]; s.Loss != old.Steps[i].Loss {
				if at.Step == 0 || cmp.Or(cmp.Compare(s.Step, at.Step), cmp.Compare(r.Seed, seed)) < 0 {
					at, seed, was = s, r.Seed, old.Steps[i].Loss
				}
				break
			}
		}
	}
	switch {
	case both == 0:
		return []string{fmt.Sprintf("At which step the losses of %s part cannot be told: both sides need run records; run with -out=DIR and give the folders.", m.name)}
	case at.Step == 0:
		return []string{fmt.Sprintf("The training losses of %s are the same in every step: what is evaluated, or how, has changed.", m.name)}
	}
	return []string{fmt.Sprintf("%s parts from the baseline at step %d, seed %d: loss %s instead of %s.", m.name, at.Step, seed, format.All(at.Loss), format.All(was))}
}
