package judge

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/results"

	"lorabench/bench/record"
	"lorabench/bench/stats"
)

// Options are what a comparison depends on besides its rules. The zero value means the defaults.
type Options struct {
	MinSamples int      // fewest values a side must have of what is tested; 0 means 4
	Ignore     []string // configuration keys that may differ
}

// parts are the benchmarks that explain and are never judged.
var parts = regexp.MustCompile(`^Part(/|$)`)

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

// Judge compares new with old; nil rules are the defaults. It does not fail: what cannot be judged is in
// Verdict.Problems, together with the problems that Read had with either side. Results are there for
// looking at even where the status is Unusable; they must not be taken for a whole then.
func Judge(old, new *Input, rules *Rules, o Options) *Verdict {
	if rules == nil {
		rules = DefaultRules()
	}
	if o.MinSamples <= 0 {
		o.MinSamples = 4
	}
	j := &judging{Verdict: &Verdict{Rules: rules}, Options: o, old: old, new: new, rules: rules, said: map[string]bool{}}
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
	j.configuration()
	for i := range j.matched {
		j.metrics(&j.matched[i])
	}
	j.mustBeThere()
	j.correct()
	for _, t := range j.tests {
		j.call(t)
	}
	j.Results = make([]Result, 0, len(j.results))
	for _, r := range j.results {
		j.Results = append(j.Results, *r)
	}
	j.explain()
	j.conclude()
	return j.Verdict
}

func (j *judging) problem(kind Kind, benchmark, unit, format string, args ...any) {
	j.Problems = append(j.Problems, Problem{Kind: kind, Benchmark: benchmark, Unit: unit, Text: fmt.Sprintf(format, args...)})
}

func (j *judging) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(j.Notes, n) {
		j.Notes = append(j.Notes, n)
	}
}

func side(in *Input, label string) Side {
	s := Side{Label: in.Label, Files: in.Files, Records: in.Records}
	if s.Label == "" {
		s.Label = label
	}
	at := map[string]int{}
	seen := map[[2]string]bool{}
	for _, set := range in.Settings {
		for i, k := range set.Keys {
			v := set.Values[i]
			if seen[[2]string{k, v}] {
				continue
			}
			seen[[2]string{k, v}] = true
			n, ok := at[k]
			if !ok {
				n = len(s.Config)
				at[k] = n
				s.Config = append(s.Config, Config{Key: k})
			}
			s.Config[n].Values = append(s.Config[n].Values, v)
		}
	}
	return s
}

// sameRecords leaves aside records that stand beside the files of both sides: whose they are is not known.
func (j *judging) sameRecords() {
	both := map[string]bool{}
	for _, f := range j.old.RecordFiles {
		both[f] = slices.Contains(j.new.RecordFiles, f)
	}
	without := func(in *Input) *Input {
		set := *in.Set
		out := &Input{Set: &set, Label: in.Label}
		out.Records, out.RecordFiles = nil, nil
		for i, f := range in.RecordFiles {
			if !both[f] {
				out.Records, out.RecordFiles = append(out.Records, in.Records[i]), append(out.RecordFiles, f)
			}
		}
		return out
	}
	old, new := without(j.old), without(j.new)
	if n := len(j.old.Records) - len(old.Records); n > 0 {
		j.note("%s beside the files of both sides left aside: they can be of one side only; keep each side in a folder of its own.", format.Count(n, "run record"))
		j.old, j.new = old, new
	}
}

// mustBeThere looks for what rules require.
func (j *judging) mustBeThere() {
	for _, name := range j.rules.required() {
		tidied, _ := results.Tidy(name)
		class, isClass := strings.CutPrefix(name, "class:")
		is := func(r *Result) bool {
			u, _ := results.Tidy(r.Unit)
			return isClass && r.Class == Class(class) || u == tidied
		}
		if len(j.matched) > 0 && !slices.ContainsFunc(j.results, is) {
			j.problem(MissingMetric, "", name, "%s is required and no benchmark has it on both sides: run the benchmark that reports it, or change the rule", name)
		}
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
	up, down := make([]float64, len(j.tests)), make([]float64, len(j.tests))
	for i, t := range j.tests {
		up[i], down[i] = math.NaN(), math.NaN()
		if t.Old.N() < j.MinSamples || t.New.N() < j.MinSamples {
			continue
		}
		up[i], down[i] = t.pUp, t.pDown
		if t.worse < 0 {
			up[i], down[i] = down[i], up[i]
		}
		if !math.IsNaN(up[i]) {
			j.Compared++
		}
	}
	worse, better := stats.Holm(up), stats.Holm(down)
	for i, t := range j.tests {
		t.P, t.Corrected = up[i], worse[i]
		if t.worse*(t.New.Center-t.Old.Center) < 0 {
			t.P, t.Corrected = down[i], better[i]
		}
	}
}

// inOrder is the order in which benchmarks are shown.
func inOrder(a, b string) int {
	if c := record.Compare(a, b); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}
