package compare

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"lorabench/bench/record"
	"lorabench/bench/stats"
)

// Analyze compares every arm with the first, metric by metric, and reaches a verdict. The set's arms
// are taken in their order: ReadResults and FromRecords put the smallest rank first, and a caller that
// compares old with new puts old first.
func Analyze(s *Set, o Options) (*Analysis, error) {
	if o.Alpha == 0 {
		o.Alpha = 0.05
	}
	if o.Margin == 0 {
		o.Margin = 0.01
	}
	if !(o.Alpha > 0 && o.Alpha < 0.5) || !(o.Margin > 0 && o.Margin < math.Inf(1)) {
		return nil, fmt.Errorf("compare: Alpha is %v and Margin %v, want Alpha above 0 and below 0.5, Margin above 0", o.Alpha, o.Margin)
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	a := &Analysis{Options: o, Seeds: s.seeds()}
	carried := s.carried()
	tables, sl := map[string]*table{}, s.slots()
	for _, u := range s.Units {
		t := newTable(s, sl, u.Name)
		if len(t.arms) == 0 {
			continue
		}
		tables[u.Name] = t
		t.untold = carried != "" && (u.Name == peakGPU || u.Name == initialGPU)
		a.Metrics = append(a.Metrics, t.metric(s, u, o))
	}
	if len(a.Metrics) == 0 {
		return nil, errors.New("compare: the runs have no metric that is in Set.Units")
	}
	a.Verdict = s.verdict(tables, a, o)
	if carried != "" {
		a.Verdict.Text = append(a.Verdict.Text, carried)
	}
	a.Notes = s.notes(a)
	return a, nil
}

// seeds is the fewest that an arm shares with the first, or how many runs the only arm has.
func (s *Set) seeds() int {
	first := map[int64]bool{}
	for _, r := range s.Arms[0].Runs {
		first[r.Seed] = true
	}
	fewest := len(first)
	for _, a := range s.Arms[1:] {
		n := 0
		for _, r := range a.Runs {
			if first[r.Seed] {
				n++
			}
		}
		fewest = min(fewest, n)
	}
	return fewest
}

// metric is everything about one unit.
func (t *table) metric(s *Set, u record.Unit, o Options) Metric {
	m := Metric{Unit: u, Exact: t.exact, SameAs: sameAs(u.Name, s.Units)}
	for i, name := range t.arms {
		runs := s.Arms[slices.IndexFunc(s.Arms, func(a Arm) bool { return a.Name == name })].Runs
		m.Arms = append(m.Arms, t.summary(i, len(runs)))
	}
	// Comparing the runs that reached a target with each other would compare the fast ones.
	censored := func(i int) bool { return u.Name == secToLoss && m.Arms[i].Missing > 0 }
	var es []estimate
	var cs []comparison
	for i := range t.arms[1:] {
		e := t.diff(i+1, 0)
		if t.untold || censored(0) || censored(i+1) {
			e.Mean, e.SE, e.exact = math.NaN(), math.NaN(), false
		}
		es, cs = append(es, e), append(cs, comparison{i + 1, 0})
	}
	m.Pairs = t.pairs(cs, es, o.Alpha)
	m.Notes = t.notes(&m, o)
	return m
}

// summary is arm i's values; of runs have been made.
func (t *table) summary(i, of int) Summary {
	var values []float64
	mean := 0.0
	for _, seed := range t.seeds(i) {
		values = append(values, t.by[i].value[seed])
		mean += t.by[i].scaled[seed]
	}
	n := len(values)
	if mean /= float64(n); t.scale.Logs {
		mean = math.Exp(mean)
	} else {
		mean *= t.scale.Over
	}
	if t.by[i].constant {
		mean = values[0] // and not what exp(log(v)) makes of it
	}
	// Order statistics need no assumption about the noise; benchstat prints the same interval. Below 6
	// runs no two of them enclose the median with 95 %.
	in := benchmath.AssumeNothing.Summary(benchmath.NewSample(values, &benchmath.DefaultThresholds), 0.95)
	s := Summary{Arm: t.arms[i], N: n, Missing: of - n, Median: in.Center, Low: in.Lo, High: in.Hi, Min: values[0], Max: values[n-1], Mean: mean}
	if math.IsInf(s.Low, 0) || math.IsInf(s.High, 0) {
		s.Low, s.High = math.NaN(), math.NaN()
	}
	return s
}

// comparison is of arm i with arm j.
type comparison struct{ i, j int }

// pairs judges the differences of one family.
func (t *table) pairs(cs []comparison, es []estimate, alpha float64) []Pair {
	ps, family := make([]float64, len(es)), 0
	for i, e := range es {
		if ps[i] = e.P(); !math.IsNaN(ps[i]) {
			family++
		}
	}
	corrected := stats.Holm(ps)
	out := make([]Pair, len(es))
	for i, e := range es {
		nan := math.NaN()
		p := Pair{Arm: t.arms[cs[i].i], To: t.arms[cs[i].j], N: e.n, Diff: e.relative(e.Mean), Low: nan, High: nan, P: ps[i], Corrected: corrected[i], Detectable: nan, Exact: e.exact}
		switch {
		case e.exact:
			p.Low, p.High = p.Diff, p.Diff
		case !math.IsNaN(e.SE):
			low, high := e.Interval(alpha)
			p.Low, p.High = e.relative(low), e.relative(high)
			p.Detectable = e.relative(e.Difference.Detectable(alpha/2/float64(family), 0))
		}
		p.Call = e.call(corrected[i], alpha)
		out[i] = p
	}
	return out
}

// call is what a corrected p allows to say.
func (e estimate) call(corrected, alpha float64) Call {
	switch {
	case e.exact && e.Mean == 0:
		return NoDifference
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
