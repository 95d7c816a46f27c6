package judge

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"lorabench/bench/stats"
)

// test is one metric of one benchmark while it is judged.
type test struct {
	*Result
	m       *matched
	worse   float64  // the direction of a worsening: 1 up, -1 down, 0 none
	at      [][2]int // places of each pair
	scale   stats.Scale
	by      []stats.Difference // on the scale, positive where New is worse, by each test
	spread  bool               // there is some: else values are compared with the floor and nothing else
	pWorse  float64            // of "not worse"
	pBetter float64            // of "not better"
}

// measure fills in what is shown of both sides, and the estimates.
func (t *test) measure() {
	r, nan := t.Result, math.NaN()
	t.scale = stats.NewScale(r.Baseline.Values, r.New.Values)
	r.Baseline.measure(t.scale.Logs)
	r.New.measure(t.scale.Logs)
	r.Change, r.Low, r.High, r.P, r.Corrected, r.Detectable = nan, nan, nan, nan, nan, nan
	t.pWorse, t.pBetter = nan, nan
	if r.Baseline.Center != 0 {
		r.Change = (r.New.Center - r.Baseline.Center) / math.Abs(r.Baseline.Center)
	}
	if math.IsInf(r.Change, 0) {
		r.Change = nan
	}
	t.spread, r.Pairs = !r.Baseline.constant() || !r.New.constant(), len(t.at)
	if min(r.Baseline.N(), r.New.N()) < 2 || r.Exact || !t.spread {
		return
	}
	xo, xn := t.scale.Of(r.Baseline.Values), t.scale.Of(r.New.Values)
	d := make([]float64, len(t.at))
	for k, at := range t.at {
		d[k] = xn[at[1]] - xo[at[0]]
	}
	if t.worse < 0 {
		xo, xn = xn, xo
		floats.Scale(-1, d)
	}
	t.by = append(t.by, stats.Welch(xo, xn))
	// A pair or two say nothing of the noise.
	if r.Pairs >= 3 {
		t.by = append(t.by, stats.Paired(d))
	}
	t.pWorse = t.p(func(d stats.Difference) float64 { return d.Above(0) })
	t.pBetter = t.p(func(d stats.Difference) float64 { return d.Below(0) })
	t.interval()
}

// p is the smaller of the two tests', times two where there are two: that is valid whichever is chosen.
// Pairs win where seeds matter or the machine drifts; where neither is so, Welch's test has twice the
// degrees of freedom, which with 4 to 10 samples is much.
func (t *test) p(of func(stats.Difference) float64) float64 {
	least := math.NaN()
	for _, d := range t.by {
		if p := of(d); !math.IsNaN(p) && !(least <= p) {
			least = p
		}
	}
	return min(1, float64(len(t.by))*least)
}

// interval is where both tests' intervals agree, each at 97.5 %: 95 % by Bonferroni, and the one of the
// test that decides.
func (t *test) interval() {
	low, high := math.Inf(-1), math.Inf(1)
	for _, d := range t.by {
		l, h := d.Interval(t.share(0.05))
		low, high = max(low, l), min(high, h)
	}
	if low > high { // the seeds that both have lie apart from all
		low, high = t.by[0].Interval(0.05)
	}
	if t.worse < 0 {
		low, high = -high, -low
	}
	t.Low, t.High = t.scale.Relative(low, t.Baseline.Center), t.scale.Relative(high, t.Baseline.Center)
}

// share is a test's part of a level.
func (t *test) share(level float64) float64 { return level / float64(len(t.by)) }

// onScale is the size of a worsening by a fraction of the baseline.
func (t *test) onScale(fraction float64) float64 {
	return t.worse * t.scale.Shift(t.worse*fraction, t.Baseline.Center)
}

// detectable is the smallest worsening that is found, of a family of so many tests.
func (t *test) detectable(family int) float64 {
	least := math.Inf(1)
	for _, d := range t.by {
		least = min(least, d.Detectable(t.share(t.Rule.Alpha)/float64(family), t.onScale(t.Rule.Floor)))
	}
	return math.Abs(t.scale.Relative(t.worse*least, t.Baseline.Center))
}

// ruledOut says whether a worsening by Rule.Detect can be ruled out: at Rule.Alpha, one-sided. With a
// baseline of 0 no fraction of it means anything.
func (t *test) ruledOut() bool {
	limit := t.onScale(t.Rule.Detect)
	return limit == 0 || slices.ContainsFunc(t.by, func(d stats.Difference) bool { return d.Below(limit) < t.share(t.Rule.Alpha) })
}

// needed is about how many samples of each side would rule out a worsening by Rule.Detect where nothing
// differs; stats.TooMany where not even so many would.
func (t *test) needed() int {
	n, limit := min(t.Baseline.N(), t.New.N()), t.onScale(t.Rule.Detect)
	return stats.Needed(n, func(k int) bool {
		return slices.ContainsFunc(t.by, func(d stats.Difference) bool {
			return d.Resampled(n, k).Detectable(t.share(t.Rule.Alpha), 0) <= limit
		})
	})
}

// beyond says whether a change in a direction is larger than the floor. A change from 0 is beyond any.
func (t *test) beyond(direction float64) bool {
	const tiny = 1e-12 // 3 % in float64 is not 3 %
	if math.IsNaN(t.Change) {
		return direction*(t.New.Center-t.Baseline.Center) > 0
	}
	return direction*t.Change > t.Rule.Floor+tiny
}
