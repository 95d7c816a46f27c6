package judge

import (
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

// byValue compares the sides pair by pair, with the digits of the coarser file: go test prints four, the files of -out have all.
// Counts of which no seed is on both sides are compared as they are: they do not vary.
func (t *test) byValue() differences {
	d := differences{pairs: len(t.at)}
	from, at := 0.0, t.at
	if len(at) == 0 {
		at = [][2]int{{0, 0}}
	}
	for k, p := range at {
		a, b := t.Baseline.Values[p[0]], t.New.Values[p[1]]
		if t.Baseline.rounded || t.New.rounded {
			a, b = results.Printed(a), results.Printed(b)
		}
		if a != b {
			if d.differ++; d.differ == 1 {
				d.seed, d.old, d.nu = t.Baseline.Seeds[p[0]], a, b
			}
			d.largest = max(d.largest, math.Abs((b-a)/a))
		}
		d.mean += (b - a - d.mean) / float64(k+1)
		from += (a - from) / float64(k+1)
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
func (j *judging) exact(t *test) (tested bool) {
	d := t.byValue()
	t.Pairs, t.Change = d.pairs, d.change
	first := fmt.Sprintf("%s instead of %s", format.All(d.nu), format.All(d.old))
	seeds := "every run"
	if d.pairs > 0 {
		seeds = format.Count(d.pairs, "seed")
		first = fmt.Sprintf("seed %d gives %s, %d of %s differ", d.seed, first, d.differ, seeds)
	}
	size := t.how()
	by := math.Abs(d.change)
	if t.Class == Loss || t.worse == 0 { // two-sided
		by = d.largest
	}
	switch {
	case d.pairs == 0 && t.spread:
		t.Call, t.Why = CallCannotTell, "it is compared seed by seed, and no seed is on both sides: run both with the same -seed"
	case d.differ == 0:
		t.Call, t.Why = CallSame, "the same value in "+seeds
	case by <= t.Rule.Floor:
		t.Call, t.Why = CallSame, fmt.Sprintf("%s, within the floor of %s: %s", size, format.Level(t.Rule.Floor), first)
	case t.Class == Loss && j.Accept != "" && t.worse == 0:
		t.Call, t.Why = CallSame, "other digits, which "+j.Accept+" accepts: "+first
	case t.Class == Loss && j.Accept != "":
		j.note("Losses of the same seed have other digits, which %s accepts: they are tested.", j.Accept)
		t.Exact, t.Rule = false, j.rules.For(t.Unit, Loss, false)
		t.measure()
		return true
	case t.Class == Loss:
		t.Call, t.Why, t.Causes = CallNumerics, fmt.Sprintf("%s on average: %s", size, first), j.parting(t)
	case t.worse == 0:
		t.Call, t.Why = CallWorse, "it must not change: "+first+"; accept a deliberate change with a new baseline, or a floor in gate.txt"
	case t.worse*d.mean > 0:
		t.Call, t.Why = CallWorse, size+": "+first
	default:
		t.Call, t.Why = CallBetter, size+": "+first
	}
	return false
}

// parting says where the losses of a benchmark first part, as its run records have them: once for all of its losses.
func (j *judging) parting(t *test) []string {
	m := t.m
	for i := len(j.all) - 1; i >= 0 && j.all[i].m == m; i-- {
		if j.all[i].Call == CallNumerics {
			return nil
		}
	}
	var at, was *record.Step
	seed, both := int64(0), false
	for _, old := range j.old.RecordsOf(m.old) {
		for _, r := range j.new.RecordsOf(m.new) {
			if r.Seed != old.Seed {
				continue
			}
			both = true
			for i := range min(len(old.Steps), len(r.Steps)) {
				if s := &r.Steps[i]; s.Loss != old.Steps[i].Loss {
					if at == nil || s.Step < at.Step {
						at, was, seed = s, &old.Steps[i], r.Seed
					}
					break
				}
			}
		}
	}
	switch {
	case !both:
		return []string{"At which step the losses of " + m.name + " part cannot be told: both sides need run records; run with -out=DIR " +
			"and give the folders."}
	case at == nil:
		return []string{"The training losses of " + m.name + " are the same in every step: what is evaluated, or how, has changed."}
	}
	return []string{fmt.Sprintf("%s parts from the baseline at step %d, seed %d: loss %s instead of %s.", m.name, at.Step, seed,
		format.All(at.Loss), format.All(was.Loss))}
}
