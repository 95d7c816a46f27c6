// Package judge decides whether benchmark results got worse: it reads two sets of results in x/perf's format, of any Go project, and
// judges each metric of each benchmark by rules and statistics or, where chance has no part in it, exactly. It says why, and where a
// regression sits. It prints nothing. docs/gate.md says what is judged, by which tests, and how often it is wrong.
//
// Differences are of logarithms, so that they are fractions of the baseline, or of the values where one is not positive. "Better" is
// tested as worse is, in the other direction and as a family of its own. A metric is "cannot tell" where a worsening by Rule.Detect can
// neither be found nor, at the rule's level, be ruled out. Whether a test would have found it (Result.Detectable) was tried first: with
// three benchmarks, 3 % noise and 6 samples 8 % of comparisons then ended so, though no difference of 25 % could have hidden there.
package judge

import (
	"cmp"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"lorabench/bench/compare"
	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// Options configures a comparison. The zero value means the defaults.
type Options struct {
	MinSamples int      // fewest values of a tested metric that a side must have; 0 means 4
	Ignore     []string // configuration keys that may differ
	Rules      Rules
	Accept     string // who accepts other digits of losses: "-accept=losses", "commit 0ff21c3"; "" if nobody does
}

// Input is one side's results as they were read. Problems are put into the verdict.
type Input struct {
	*results.Set
	Label string // of the side; "" is baseline or new
}

// Read reads one side: a file, or a folder's bench.txt and the files parts*.txt beside it.
func Read(path string) *Input {
	paths := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		paths[0] = filepath.Join(path, "bench.txt")
		parts, _ := fs.Glob(os.DirFS(path), "parts*.txt") // the pattern is valid
		for _, name := range parts {
			paths = append(paths, filepath.Join(path, name))
		}
	}
	return &Input{Set: results.Read(paths...)}
}

// ReadBoth reads both sides concurrently, with the run records beside their files. If the sides share a folder no records are read,
// because it is not known whose they are.
func ReadBoth(old, new string) (a, b *Input) {
	var reading sync.WaitGroup
	reading.Go(func() { a = Read(old) })
	b = Read(new)
	reading.Wait()
	for _, f := range a.Files {
		if slices.ContainsFunc(b.Files, func(g string) bool { return filepath.Dir(f) == filepath.Dir(g) }) {
			return a, b
		}
	}
	a.ReadRecords()
	b.ReadRecords()
	return a, b
}

// judging is a comparison in progress.
type judging struct {
	*Verdict
	Options
	old, new *Input
	matched  []*matched
	tests    []*Result // the results that are tested
	said     map[Problem]bool
}

// Judge compares new with old. It does not fail: what cannot be judged is in Verdict.Problems, together with Read's problems. Results are
// filled in for inspection even if the status is Unusable, but they may then be incomplete.
func Judge(old, new *Input, o Options) *Verdict {
	o.MinSamples = cmp.Or(o.MinSamples, 4)
	j := &judging{Options: o, old: old, new: new, said: map[Problem]bool{}, Verdict: &Verdict{Baseline: side(old, "baseline"),
		New: side(new, "new"), Problems: slices.Concat(old.Problems, new.Problems), Notes: slices.Concat(old.Notes, new.Notes)}}
	j.match()
	j.settings()
	for _, m := range j.matched {
		j.metrics(m)
	}
	j.mustBeThere()
	j.steady()
	j.correct()
	for _, t := range j.tests {
		j.call(t)
	}
	j.explain()
	j.conclude()
	return j.Verdict
}

// problem adds a problem, once.
func (j *judging) problem(kind results.Kind, benchmark, unit, format string, args ...any) {
	p := Problem{Kind: kind, Benchmark: benchmark, Unit: unit, Text: fmt.Sprintf(format, args...)}
	if !j.said[p] {
		j.said[p], j.Problems = true, append(j.Problems, p)
	}
}

func (j *judging) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(j.Notes, n) {
		j.Notes = append(j.Notes, n)
	}
}

// steady notes where the machine was unsteady, by pair (numbered from 0), for lorabench's own runs, which come in blocks.
func (j *judging) steady() {
	var runs []compare.Timing
	first := math.MaxInt // seed of all: a side or a benchmark may lack it
	for _, m := range j.matched {
		for i, b := range []*results.Benchmark{m.old, m.new} {
			times := b.Metric("sec/op")
			if times == nil {
				continue
			}
			for k, v := range times.Values {
				if b.Runs[times.Runs[k]].Block != results.Unplaced {
					first = min(first, int(times.Seeds[k]))
					runs = append(runs, compare.Timing{Arm: []string{"the baseline's ", "the new "}[i] + m.name, Seconds: v * times.Factor,
						Block: int(times.Seeds[k]), Tokens: math.NaN()})
				}
			}
		}
	}
	for i := range runs {
		runs[i].Block -= first
	}
	if line := compare.Steady(runs); line != "" {
		j.note("%s", line)
	}
}

// mustBeThere reports required metrics that are missing.
func (j *judging) mustBeThere() {
	for _, l := range j.Rules.lines {
		if l.unit == "*" || j.Rules.need(l.unit) != Required {
			continue
		}
		found := len(j.matched) == 0 || slices.ContainsFunc(j.Results, func(r *Result) bool {
			base, _ := results.Tidy(r.Unit)
			return l.base == base || l.base == "class:"+string(r.Class)
		})
		if !found {
			j.problem(MissingMetric, "", l.unit, "%s is required and no benchmark has it on both sides: run what reports it, or change "+
				"the rule", l.unit)
		}
		for _, m := range j.matched {
			if m.new.Metric(l.base) != nil && m.old.Metric(l.base) == nil {
				j.problem(MissingMetric, m.name, l.unit, "%s of %s is required and the baseline has none: make the baseline anew",
					l.unit, m.name)
			}
		}
	}
}

// correct corrects the tests' p values for multiple comparisons: those for worse as one family, those for better as another.
func (j *judging) correct() {
	var ps [2][]float64 // for worse, for better
	for _, t := range j.tests {
		if min(t.Baseline.N(), t.New.N()) < j.MinSamples {
			t.p = [2]float64{math.NaN(), math.NaN()}
		} else if !math.IsNaN(t.p[0]) {
			j.Compared++
		}
		ps[0], ps[1] = append(ps[0], t.p[0]), append(ps[1], t.p[1])
	}
	corrected := [2][]float64{stats.Holm(ps[0]), stats.Holm(ps[1])}
	for i, t := range j.tests {
		way := 0
		if t.worse*(t.New.Center-t.Baseline.Center) < 0 {
			way = 1
		}
		t.P, t.Corrected = t.p[way], corrected[way][i]
	}
}
