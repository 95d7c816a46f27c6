package judge

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"lorabench/bench/stats"
)

// N counts the values.
func (s Sample) N() int { return len(s.Values) }

// measure sets Center and Variation. With logs the center is the geometric mean.
func (s *Sample) measure(logs bool) {
	s.Center, s.Variation = s.Values[0], math.NaN()
	if s.constant() { // exactly, without rounding in sums and logarithms
		if s.N() > 1 {
			s.Variation = 0
		}
		return
	}
	scale := stats.NewScale(s.Values)
	mean, deviation := stat.MeanStdDev(stats.Scale{Over: scale.Over}.Of(s.Values), nil) // divided by the largest: no sum overflows
	s.Center = mean * scale.Over
	if logs {
		s.Center = math.Exp(stat.Mean(scale.Of(s.Values), nil))
	}
	if mean != 0 {
		s.Variation = deviation / math.Abs(mean)
	}
}

// constant reports whether all values are equal.
func (s *Sample) constant() bool {
	return !slices.ContainsFunc(s.Values, func(x float64) bool { return x != s.Values[0] })
}

// pairs returns the indexes of each seed that both sides have; a seed that occurs several times is paired in the order of the runs. Blocks
// need no pairing: a block has one seed, and if it has another seed on the other side the two were not run together.
func pairs(a, b *Sample) (at [][2]int) {
	places := make(map[int64][]int, b.N())
	for i, seed := range b.Seeds {
		places[seed] = append(places[seed], i)
	}
	for i, seed := range a.Seeds {
		if found := places[seed]; len(found) > 0 {
			at, places[seed] = append(at, [2]int{i, found[0]}), found[1:]
		}
	}
	return at
}

// common drops values without a pair: seeds differ in speed by their data, so one that only one side has would shift that side.
func (r *Result) common() {
	for side, s := range []*Sample{&r.Baseline, &r.New} {
		all := *s
		s.Values, s.Seeds = nil, nil
		for k := range r.at {
			i := r.at[k][side]
			s.Values, s.Seeds, r.at[k][side] = append(s.Values, all.Values[i]), append(s.Seeds, all.Seeds[i]), k
		}
	}
}

// measure sets both sides' figures and the estimates.
func (r *Result) measure() {
	nan := math.NaN()
	r.scale = stats.NewScale(r.Baseline.Values, r.New.Values)
	r.Baseline.measure(r.scale.Logs)
	r.New.measure(r.scale.Logs)
	r.Change, r.Low, r.High, r.P, r.Corrected, r.Detectable = nan, nan, nan, nan, nan, nan
	r.p = [2]float64{nan, nan}
	if change := (r.New.Center - r.Baseline.Center) / math.Abs(r.Baseline.Center); !math.IsInf(change, 0) {
		r.Change = change
	}
	r.spread, r.Pairs = !r.Baseline.constant() || !r.New.constant(), len(r.at)
	if min(r.Baseline.N(), r.New.N()) < 2 || r.Exact || !r.spread {
		return
	}
	xo, xn := r.scale.Of(r.Baseline.Values), r.scale.Of(r.New.Values)
	d := make([]float64, len(r.at))
	for k, at := range r.at {
		d[k] = xn[at[1]] - xo[at[0]]
	}
	if r.worse < 0 {
		xo, xn = xn, xo
		floats.Scale(-1, d)
	}
	r.by = append(r.by, stats.Welch(xo, xn))
	// One or two pairs say nothing about the noise, and some pairs nothing about the centers of all.
	if r.Pairs >= 3 && r.Pairs == r.Baseline.N() && r.Pairs == r.New.N() {
		r.by = append(r.by, stats.Paired(d))
	}
	// Each test's p is multiplied by the number of tests, which is valid whichever is smaller. Pairs win where seeds matter or the machine
	// drifts; elsewhere Welch's test has twice the degrees of freedom, which matters with 4 to 10 samples.
	r.p = [2]float64{1, 1}
	for _, d := range r.by {
		r.p = [2]float64{min(r.p[0], float64(len(r.by))*d.Above(0)), min(r.p[1], float64(len(r.by))*d.Below(0))}
	}
	r.interval()
}

// interval sets Low and High to where the tests' intervals overlap, each at 97.5 %: 95 % by Bonferroni, in agreement with p.
func (r *Result) interval() {
	low, high := math.Inf(-1), math.Inf(1)
	for _, d := range r.by {
		l, h := d.Interval(r.share(0.05))
		low, high = max(low, l), min(high, h)
	}
	if r.worse < 0 {
		low, high = -high, -low
	}
	r.Low, r.High = r.scale.Relative(low, r.Baseline.Center), r.scale.Relative(high, r.Baseline.Center)
}

// share returns one test's part of a level.
func (r *Result) share(level float64) float64 { return level / float64(len(r.by)) }

// onScale returns the size on the scale of a worsening by a fraction of the baseline.
func (r *Result) onScale(fraction float64) float64 {
	return r.worse * r.scale.Shift(r.worse*fraction, r.Baseline.Center)
}

// detectable returns the smallest worsening that is found in a family of so many tests.
func (r *Result) detectable(family int) float64 {
	least := math.Inf(1)
	for _, d := range r.by {
		least = min(least, d.Detectable(r.share(r.Rule.Alpha)/float64(family), r.onScale(r.Rule.Floor)))
	}
	return math.Abs(r.scale.Relative(r.worse*least, r.Baseline.Center))
}

// ruledOut reports whether a worsening by Rule.Detect can be ruled out, one-sided; true for a baseline of 0, which has no fractions.
func (r *Result) ruledOut() bool {
	limit := r.onScale(r.Rule.Detect)
	return limit == 0 || slices.ContainsFunc(r.by, func(d stats.Difference) bool { return d.Below(limit) < r.share(r.Rule.Alpha) })
}

// needed estimates how many samples of each side would rule out a worsening by Rule.Detect if nothing differs: at most stats.TooMany.
func (r *Result) needed() int {
	n, limit := min(r.Baseline.N(), r.New.N()), r.onScale(r.Rule.Detect)
	return stats.Needed(n, func(k int) bool {
		return slices.ContainsFunc(r.by, func(d stats.Difference) bool {
			return d.Resampled(n, k).Detectable(r.share(r.Rule.Alpha), 0) <= limit
		})
	})
}

// beyond reports whether the change in a direction exceeds the floor. A change from 0 exceeds any.
func (r *Result) beyond(direction float64) bool {
	const tiny = 1e-12 // 3 % in float64 is not 3 %
	if math.IsNaN(r.Change) {
		return direction*(r.New.Center-r.Baseline.Center) > 0
	}
	return direction*r.Change > r.Rule.Floor+tiny
}
