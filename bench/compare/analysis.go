// Package compare analyses benchmark results: which ranks differ, in what, by how much, how sure that is, and which rank to take.
//
// Runs are paired by block: all arms (ranks, and whatever else varies) train with one seed, on the same data in the same order, before
// any trains with the next. Each arm is compared with the first, metric by metric, by Student's paired t test on the logarithms, so that
// a difference is a fraction (on the values themselves where one is not positive). Each pair has its own variance: a rank may be
// noisier than others. The comparisons of one metric are a family, corrected by Holm. Tried and refused: closed testing finds as much
// for five times the code; one variance for all arms calls a difference in 8 % to 15 % of families where the reference is noisy.
//
// A difference is exact, and not tested, where the unit has no chance in it (adapter-bytes, trainable-parameters, a Unit line that says
// assume=exact) and no arm's runs differ, or where at least four blocks show the very same difference: fewer rounded values agree too
// easily. With one run of each arm there is no p and no interval. With fewer than four blocks what is not found is "cannot tell".
//
// The verdict rests on the held-out loss of each rank at its best rate and alpha. An arm is worse, or as good, where its interval
// against the best lies beyond, or within, the margin: 5 % of what training gained. docs/soundness.md has how often all this is right.
package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// Options configures a comparison. The zero value means the defaults.
type Options struct {
	Alpha  float64 // how often a family in which nothing differs may be called different, below 0.5; 0 means 0.05
	Margin Margin
	Notes  []string // of whoever read the results
	Differ []string // settings that may differ between the results, besides those that always may
}

// Analysis is the outcome for a study. A figure that does not exist is NaN.
type Analysis struct {
	Options
	Metrics  []Metric
	Verdict  Verdict
	Unsteady string   // what Steady says of the machine
	Notes    []string // sentences about the whole: what was left aside, what was corrected for what
}

// Metric is one metric over all arms that have it.
type Metric struct {
	record.Unit
	Arms     []Summary
	Pairs    []Pair   // every arm but the first against the first
	Unsteady bool     // a time of an unsteady machine
	Notes    []string // sentences about this metric only
}

// Summary is an arm's values of one metric, and how many of its runs lack it.
type Summary struct {
	Arm string
	stats.Spread
	Missing int
}

// Pair compares an arm with another, paired by block. Diff, Low, High and Detectable are fractions of To's value.
type Pair struct {
	Unit, Arm, To string
	N             int     // blocks that both have
	Diff          float64 // from the mean difference of logarithms; NaN where there is none
	Low, High     float64 // all intervals of a family hold together with 1 - Alpha; NaN where N < 2
	P             float64 // of this one comparison, two-sided; NaN where N < 2 and where Exact
	Corrected     float64 // P corrected for the family: at most Alpha where the interval is on one side of 0
	// Detectable is the smallest difference that so many blocks with this noise find at least 80 % of the time, after correction.
	Detectable float64
	Call       Call
	Exact      bool // the same difference in every block, without any spread: no test is needed
	Seeds      int  // about how many would decide 80 % of the time what Verdict.Standing cannot tell; 0 where that cannot be estimated
}

// Call is the judgement of a difference.
type Call string

// The calls. NoDifference is said where enough blocks were compared to find something the size of Detectable.
const (
	Higher       Call = "higher"
	Lower        Call = "lower"
	NoDifference Call = "no difference found"
	CannotTell   Call = "cannot tell"
	Drifts       Call = "drift is in it" // times of runs that were not in blocks

	// Of a loss against the best one, whose margin the interval lies beyond or within:
	Worse  Call = "worse"
	AsGood Call = "as good"
)

// Verdict says which arm to take, and how sure that is.
type Verdict struct {
	Unit     string   // the loss it rests on: eval-loss, or train-loss or loss where there is no other
	Best     string   // the arm with the lowest mean loss
	Limit    float64  // the margin as a fraction of the best's loss; 0 where training gained nothing
	Smallest string   // the smallest arm whose loss is as good as the best; "" where it cannot be told
	Sure     bool     // every arm of a smaller rank is shown to be worse
	Standing []Pair   // every arm against Best: of each rank the one at its best rate and alpha
	Costs    []Pair   // larger arms against Smallest, or against the first where that is "" or the largest
	Text     []string // sentences; the first is the verdict itself
}

// Analyze compares every arm with the first, metric by metric, and reaches a verdict. The set is what results.Read or
// results.FromRecords returned; the smallest rank comes first.
func Analyze(in *results.Set, o Options) (*Analysis, error) {
	o.Alpha, o.Margin = cmp.Or(o.Alpha, 0.05), cmp.Or(o.Margin, Margin{Part: 0.05})
	s, err := newStudy(in, o.Differ...)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	a := &Analysis{Options: o, Unsteady: Steady(s.timings())}
	for _, u := range s.units() {
		a.Metrics = append(a.Metrics, s.table(u.Name).metric(u, a))
	}
	a.Verdict = s.verdict(a)
	if len(s.seeds) > 1 && len(s.arms) > 1 {
		s.notes = slices.Insert(s.notes, 0, fmt.Sprintf("p and intervals are corrected for the comparisons of each metric, not for the "+
			"number of metrics: were nothing different, each would show a difference in at most %s of such studies.", format.Level(o.Alpha)))
	}
	a.Notes = slices.Concat(o.Notes, s.notes)
	return a, nil
}

// metric analyses one unit.
func (t *table) metric(u record.Unit, a *Analysis) Metric {
	m := Metric{Unit: u, Unsteady: timed(u.Name) && a.Unsteady != "", Pairs: t.pairs(t.arms[0], t.arms, a.Alpha)}
	if slices.ContainsFunc(m.Pairs, func(p Pair) bool { return p.Call == Drifts }) {
		m.Notes = append(m.Notes, "The arms did not run in blocks of one seed, so drift is in the difference: what the machine did "+
			"meanwhile cannot be told from what the arm does.")
	}
	if m.Unsteady {
		m.Notes = append(m.Notes, a.Unsteady)
	}
	for i, name := range t.arms {
		arm, spread := t.study.arms[t.by[i].at], stats.NewSpread(t.by[i].value)
		note, n := "%s lacks it in %d of %s.", len(arm.Runs)-spread.N
		m.Arms = append(m.Arms, Summary{name, spread, n})
		if late := Unreached(arm, u.Name); late > 0 {
			note, n = "%s did not reach the target in %d of %s: it is not compared.", late
		}
		if n > 0 {
			m.Notes = append(m.Notes, fmt.Sprintf(note, name, n, format.Count(spread.N+n, "run")))
		}
	}
	if slices.ContainsFunc(m.Pairs, func(p Pair) bool { return p.N < len(t.seeds) && (u.Name != secToLoss || !math.IsNaN(p.Diff)) }) {
		m.Notes = append(m.Notes, "Not every arm has it for every seed: only the seeds that both arms have are compared.")
	}
	return m
}

// pairs compares arms with another of the table's, as one family. p values are corrected by Holm; the intervals are Bonferroni's, those of
// differences that Holm finds ending at 0 at the latest (K. Strassburger and F. Bretz, Compatible simultaneous lower confidence bounds for
// the Holm procedure, Statistics in Medicine 27, 2008).
func (t *table) pairs(to string, arms []string, alpha float64) (out []Pair) {
	var es []estimate
	var ps []float64
	family := 0
	for _, name := range arms {
		i, j := t.index(name), t.index(to)
		if i < 0 || j < 0 || i == j {
			continue
		}
		e := t.diff(i, j)
		if es, ps = append(es, e), append(ps, e.Difference.P()); !math.IsNaN(e.Difference.P()) {
			family++
		}
	}
	for i, corrected := range stats.Holm(ps) {
		e := es[i].in(family, alpha)
		if e.Corrected = corrected; corrected <= alpha && e.Diff > 0 {
			e.Low = max(e.Low, 0)
		} else if corrected <= alpha {
			e.High = min(e.High, 0)
		}
		e.Call = e.call(alpha)
		out = append(out, e.Pair)
	}
	return out
}

// call returns what a corrected p allows to conclude.
func (e estimate) call(alpha float64) Call {
	switch {
	case e.Exact && e.Mean == 0:
		return NoDifference
	case e.drifts && e.N > 1 && !math.IsNaN(e.Mean):
		return Drifts
	case (e.Exact || e.Corrected <= alpha) && e.Mean > 0:
		return Higher
	case e.Exact || e.Corrected <= alpha:
		return Lower
	case math.IsNaN(e.Corrected) || e.N < few:
		return CannotTell
	}
	return NoDifference
}
