package judge

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"lorabench/bench/format"
	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// Options are what a comparison depends on besides its rules. The zero value means the defaults.
type Options struct {
	MinSamples int      // fewest values a side must have of what is tested; 0 means 4
	Ignore     []string // configuration keys that may differ
	Accept     string   // who accepts other digits of losses: "-accept=losses", "commit 0ff21c3"; "" nobody
}

// judging is a comparison that is under way.
type judging struct {
	*Verdict
	Options
	old, new *Input
	rules    *Rules
	matched  []matched
	tests    []*test
	results  []*Result
	said     map[string]bool // units whose direction was complained of
}

// Judge compares new with old; nil rules are the defaults. It does not fail: what cannot be judged is in Verdict.Problems,
// together with the problems that Read had with either side. Results are there for looking at even where the status is
// Unusable; they must not be taken for a whole then.
func Judge(old, new *Input, rules *Rules, o Options) *Verdict {
	if rules == nil {
		rules = &Rules{}
	}
	if o.MinSamples <= 0 {
		o.MinSamples = 4
	}
	j := &judging{Verdict: &Verdict{}, Options: o, old: old, new: new, rules: rules, said: map[string]bool{}}
	j.Problems = slices.Concat(old.Problems, new.Problems)
	j.Notes = slices.Concat(old.Notes, new.Notes)
	for _, f := range old.Files {
		if slices.ContainsFunc(new.Files, func(g string) bool { return filepath.Clean(f) == filepath.Clean(g) }) {
			j.note("%s is on both sides: it is compared with itself.", f)
		}
	}
	j.sameRecords()
	j.Baseline, j.New = side(j.old, "baseline"), side(j.new, "new")
	j.match()
	j.settings()
	for i := range j.matched {
		j.metrics(&j.matched[i])
	}
	j.mustBeThere()
	j.correct()
	for _, t := range j.tests {
		j.call(t)
	}
	j.explain()
	for _, r := range j.results {
		j.Results = append(j.Results, *r)
	}
	j.conclude()
	return j.Verdict
}

func (j *judging) problem(kind results.Kind, benchmark, unit, format string, args ...any) {
	j.Problems = append(j.Problems, Problem{Kind: kind, Benchmark: benchmark, Unit: unit, Text: fmt.Sprintf(format, args...)})
}

func (j *judging) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(j.Notes, n) {
		j.Notes = append(j.Notes, n)
	}
}

// sameRecords leaves aside records that stand beside the files of both sides: whose they are is not known.
func (j *judging) sameRecords() {
	both := slices.DeleteFunc(slices.Clone(j.old.RecordFiles), func(f string) bool { return !slices.Contains(j.new.RecordFiles, f) })
	if len(both) == 0 {
		return
	}
	for _, in := range []**Input{&j.old, &j.new} {
		set := *(*in).Set
		set.Records, set.RecordFiles = nil, nil
		for i, f := range (*in).RecordFiles {
			if !slices.Contains(both, f) {
				set.Records, set.RecordFiles = append(set.Records, (*in).Records[i]), append(set.RecordFiles, f)
			}
		}
		*in = &Input{Set: &set, Label: (*in).Label}
	}
	j.note("%s beside the files of both sides left aside: they can be of one side only; keep each side in a folder of its own.", format.Count(len(both), "run record"))
}

// mustBeThere looks for what rules require.
func (j *judging) mustBeThere() {
	for _, name := range j.rules.required() {
		base, _ := results.Tidy(name)
		is := func(r *Result) bool {
			unit, _ := results.Tidy(r.Unit)
			return r.Class == forClass(name) || unit == base
		}
		if len(j.matched) > 0 && !slices.ContainsFunc(j.results, is) {
			j.problem(MissingMetric, "", name, "%s is required and no benchmark has it on both sides: run the benchmark that reports it, or change the rule", name)
		}
	}
	if len(j.rules.lines) == 0 {
		return
	}
	for _, m := range j.matched {
		for _, b := range j.new.metrics(m.new, nil) {
			class := j.rules.class(b.Unit, b.class)
			if m.old.Metric(b.Base) == nil && j.rules.For(b.Unit, class, false).Need == Required {
				j.problem(MissingMetric, m.name, b.Unit, "%s of %s is required and the baseline has none: make the baseline anew", b.Unit, m.name)
			}
		}
	}
}

// correct corrects the tests' p values for each other: all of those for worse, and all of those for better.
func (j *judging) correct() {
	worse, better := make([]float64, len(j.tests)), make([]float64, len(j.tests))
	for i, t := range j.tests {
		worse[i], better[i] = t.pUp, t.pDown
		if t.worse < 0 {
			worse[i], better[i] = t.pDown, t.pUp
		}
		if min(t.Baseline.N(), t.New.N()) < j.MinSamples {
			worse[i], better[i] = math.NaN(), math.NaN()
		}
		if !math.IsNaN(worse[i]) {
			j.Compared++
		}
	}
	correctedWorse, correctedBetter := stats.Holm(worse), stats.Holm(better)
	for i, t := range j.tests {
		t.P, t.Corrected = worse[i], correctedWorse[i]
		if t.worse*(t.New.Center-t.Baseline.Center) < 0 {
			t.P, t.Corrected = better[i], correctedBetter[i]
		}
	}
}
