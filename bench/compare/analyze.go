package compare

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/perf/benchmath"

	"lorabench/bench/record"
	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// Analyze compares every arm with the first, metric by metric, and reaches a verdict. The set is what results.Read or
// results.FromRecords returned; the smallest rank comes first.
func Analyze(in *results.Set, o Options) (*Analysis, error) {
	if o.Alpha == 0 {
		o.Alpha = 0.05
	}
	if o.Margin == (Margin{}) {
		o.Margin = ofGain
	}
	if !(o.Alpha > 0 && o.Alpha < 0.5) || !(o.Margin.Part > 0 && o.Margin.Part < 1) {
		return nil, fmt.Errorf("compare: Alpha is %v and Margin %v, want Alpha above 0 and below 0.5, Margin above 0 and below 100 %%", o.Alpha, o.Margin)
	}
	s, err := newStudy(in)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	a := &Analysis{Options: o, Unsteady: Steady(s.timings()), Seeds: len(s.seeds)}
	for i := range s.arms {
		n := 0
		for k, r := range s.runs[i] {
			if r != nil && s.runs[0][k] != nil {
				n++
			}
		}
		a.Seeds = min(a.Seeds, n)
	}
	carried, units := s.carried(), s.units()
	tables := map[string]*table{}
	for _, u := range units {
		t := s.table(u.Name)
		t.untold = carried != "" && (u.Name == peakGPU || u.Name == initialGPU)
		tables[u.Name] = t
		a.Metrics = append(a.Metrics, t.metric(u, sameAs(u.Name, units), a))
	}
	if len(a.Metrics) == 0 {
		return nil, errors.New("compare: the runs have no metric")
	}
	a.Verdict = s.verdict(tables, a)
	if carried != "" {
		a.Verdict.Text = append(a.Verdict.Text, carried)
	}
	a.Notes = s.allNotes(a)
	return a, nil
}

// metric is everything about one unit.
func (t *table) metric(u record.Unit, same string, a *Analysis) Metric {
	m := Metric{Unit: u, SameAs: same, Unsteady: t.timed && a.Unsteady != ""}
	var es []estimate
	for i := range t.arms {
		m.Arms = append(m.Arms, t.summary(i))
		if i == 0 {
			continue
		}
		e := t.diff(i, 0)
		// Comparing the runs that reached a target with each other would compare the fast ones.
		if u.Name == secToLoss && m.Arms[0].Missing+m.Arms[i].Missing > 0 {
			e.Mean, e.SE, e.exact = math.NaN(), math.NaN(), false
		}
		es = append(es, e)
	}
	m.Pairs = pairs(t.arms[1:], t.arms[0], es, a.Alpha)
	m.Notes = t.notes(&m, a)
	return m
}

// summary is arm i's values. Order statistics need no assumption about the noise; benchstat prints the same interval. Below 6 runs no
// two of them enclose the median with 95 %.
func (t *table) summary(i int) Summary {
	sample := benchmath.NewSample(t.values(i), &benchmath.DefaultThresholds)
	in := benchmath.AssumeNothing.Summary(sample, 0.95)
	n := len(sample.Values)
	s := Summary{Arm: t.arms[i], N: n, Missing: -n, Median: in.Center, Low: in.Lo, High: in.Hi, Min: sample.Values[0], Max: sample.Values[n-1]}
	for _, r := range t.by[i].runs {
		if r != nil {
			s.Missing++
		}
	}
	if math.IsInf(s.Low, 0) || math.IsInf(s.High, 0) {
		s.Low, s.High = math.NaN(), math.NaN()
	}
	return s
}

// pairs judges the differences of one family, each of an arm to the same other. p values are corrected by Holm; the intervals are
// Bonferroni's, those of what Holm finds ending at 0 at the latest (K. Strassburger and F. Bretz, Compatible simultaneous lower
// confidence bounds for the Holm procedure, Statistics in Medicine 27, 2008).
func pairs(arms []string, to string, es []estimate, alpha float64) []Pair {
	ps, family := make([]float64, len(es)), 0
	for i, e := range es {
		if ps[i] = e.P(); !math.IsNaN(ps[i]) {
			family++
		}
	}
	corrected := stats.Holm(ps)
	out := make([]Pair, len(es))
	for i, e := range es {
		p := e.pair(arms[i], to, alpha, family)
		if p.Corrected = corrected[i]; p.Corrected <= alpha && p.Diff > 0 {
			p.Low = max(p.Low, 0)
		} else if p.Corrected <= alpha {
			p.High = min(p.High, 0)
		}
		p.Call = e.call(p.Corrected, alpha)
		out[i] = p
	}
	return out
}

// pair is a comparison that is one of a family of so many, corrected by Bonferroni.
func (e estimate) pair(arm, to string, alpha float64, family int) Pair {
	p := Pair{Arm: arm, To: to, N: e.n, Diff: e.relative(e.Mean), P: e.P(), Detectable: math.NaN(), Exact: e.exact}
	p.Corrected = min(1, p.P*float64(family))
	p.Low, p.High = e.bounds(alpha, family)
	if !math.IsNaN(e.SE) {
		p.Detectable = e.relative(e.Difference.Detectable(alpha/2/float64(family), 0))
	}
	return p
}

// call is what a corrected p allows to say.
func (e estimate) call(corrected, alpha float64) Call {
	switch {
	case e.exact && e.Mean == 0:
		return NoDifference
	case e.drifts && e.n > 1 && !math.IsNaN(e.Mean):
		return Drifts
	case (e.exact || corrected <= alpha) && e.Mean > 0:
		return Higher
	case e.exact || corrected <= alpha:
		return Lower
	case math.IsNaN(corrected) || e.n < few:
		return CannotTell
	}
	return NoDifference
}
