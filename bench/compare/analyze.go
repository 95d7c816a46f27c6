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
	a := &Analysis{Options: o, Steady: Steady(s.timings())}
	carried := s.carried()
	tables, units := map[string]*table{}, s.units()
	for _, u := range units {
		t := s.metric(u.Name)
		t.untold = carried != "" && (u.Name == peakGPU || u.Name == initialGPU)
		tables[u.Name] = t
		a.Metrics = append(a.Metrics, t.metric(s, u, units, a))
	}
	if len(a.Metrics) == 0 {
		return nil, errors.New("compare: the runs have no metric")
	}
	a.Seeds = s.fewest()
	a.Verdict = s.verdict(tables, a)
	if carried != "" {
		a.Verdict.Text = append(a.Verdict.Text, carried)
	}
	a.Notes = s.all(a)
	return a, nil
}

// fewest is the number of blocks that every arm shares with the first, or of runs that the only arm has.
func (s *study) fewest() int {
	fewest := len(s.arms[0].Runs)
	for _, b := range s.arms[1:] {
		n := 0
		for _, r := range b.Runs {
			for _, first := range s.arms[0].Runs {
				if first.Seed == r.Seed {
					n++
				}
			}
		}
		fewest = min(fewest, n)
	}
	return fewest
}

// metric is everything about one unit.
func (t *table) metric(s *study, u record.Unit, units []record.Unit, a *Analysis) Metric {
	m := Metric{Unit: u, Exact: t.exact, SameAs: sameAs(u.Name, units)}
	for i := range t.arms {
		m.Arms = append(m.Arms, t.summary(i, s.runs(t.arms[i])))
	}
	// Comparing the runs that reached a target with each other would compare the fast ones.
	censored := func(i int) bool { return u.Name == secToLoss && m.Arms[i].Missing > 0 }
	var es []estimate
	for i := range t.arms[1:] {
		e := t.diff(i+1, 0)
		if censored(0) || censored(i+1) {
			e.Mean, e.SE, e.exact = math.NaN(), math.NaN(), false
		}
		es = append(es, e)
	}
	m.Pairs = pairs(t.arms[1:], t.arms[0], es, a.Alpha)
	m.Notes = t.notes(&m, a)
	return m
}

// runs is how many an arm has.
func (s *study) runs(name string) int {
	for i, b := range s.arms {
		if s.names[i] == name {
			return len(b.Runs)
		}
	}
	return 0
}

// summary is arm i's values; of runs have been made.
func (t *table) summary(i, of int) Summary {
	// Order statistics need no assumption about the noise; benchstat prints the same interval. Below 6
	// runs no two of them enclose the median with 95 %.
	sample := benchmath.NewSample(t.values(i), &benchmath.DefaultThresholds)
	in := benchmath.AssumeNothing.Summary(sample, 0.95)
	n := len(sample.Values)
	s := Summary{Arm: t.arms[i], N: n, Missing: of - n, Median: in.Center, Low: in.Lo, High: in.Hi, Min: sample.Values[0], Max: sample.Values[n-1]}
	if math.IsInf(s.Low, 0) || math.IsInf(s.High, 0) {
		s.Low, s.High = math.NaN(), math.NaN()
	}
	return s
}

// mean is arm i's over the blocks, geometric where differences are of logarithms.
func (t *table) mean(i int, blocks []int) float64 {
	sum := 0.0
	for _, k := range blocks {
		sum += t.by[i].scaled[k] / float64(len(blocks))
	}
	if t.scale.Logs {
		return math.Exp(sum)
	}
	return sum * t.scale.Over
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
		p := Pair{Arm: arms[i], To: to, N: e.n, Diff: e.relative(e.Mean), P: ps[i], Corrected: corrected[i], Detectable: math.NaN(), Exact: e.exact}
		if p.Low, p.High = e.bounds(alpha, family); p.Corrected <= alpha && p.Diff > 0 {
			p.Low = max(p.Low, 0)
		} else if p.Corrected <= alpha {
			p.High = min(p.High, 0)
		}
		if !math.IsNaN(e.SE) {
			p.Detectable = e.relative(e.Difference.Detectable(alpha/2/float64(family), 0))
		}
		p.Call = e.call(p.Corrected, alpha)
		out[i] = p
	}
	return out
}

// call is what a corrected p allows to say.
func (e estimate) call(corrected, alpha float64) Call {
	switch {
	case e.exact && e.Mean == 0:
		return NoDifference
	case e.drifts && e.n > 1 && !math.IsNaN(e.Mean):
		return Drifts
	case e.exact || corrected <= alpha:
		if e.Mean > 0 {
			return Higher
		}
		return Lower
	case math.IsNaN(corrected) || e.n < few:
		return CannotTell
	}
	return NoDifference
}
