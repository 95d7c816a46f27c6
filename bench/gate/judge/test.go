package judge

import "math"

// test is one metric of one benchmark while it is judged.
type test struct {
	*Result
	worse      float64 // the direction of a worsening: 1 up, -1 down, 0 none
	old, new   values
	scale      scale
	from       float64 // the baseline's mean on the scale, its size
	by         []estimate
	spread     bool    // there is some: else values are compared with the floor and nothing else
	pUp, pDown float64 // of "not higher" and "not lower"
}

// measure fills in what is shown of both sides, and the estimates.
func (t *test) measure() {
	t.scale = newScale(t.old.x, t.new.x)
	r := t.Result
	r.Old, r.New = t.old.sample(t.scale.logs), t.new.sample(t.scale.logs)
	nan := math.NaN()
	r.Change, r.Low, r.High, r.P, r.Corrected, r.Detectable = nan, nan, nan, nan, nan, nan
	t.pUp, t.pDown = nan, nan
	if r.Old.Center != 0 {
		r.Change = (r.New.Center - r.Old.Center) / math.Abs(r.Old.Center)
	}
	if math.IsInf(r.Change, 0) {
		r.Change = nan
	}
	t.spread = !t.old.constant() || !t.new.constant()
	if len(t.old.x) < 2 || len(t.new.x) < 2 || r.Exact {
		r.Pairs = pairs(t.old, t.new, func(i, j int) {})
		return
	}
	xo, xn := t.scale.on(t.old.x), t.scale.on(t.new.x)
	if !t.scale.logs {
		t.from = math.Abs(r.Old.Center) / t.scale.over
	}
	d := make([]float64, 0, len(xo))
	r.Pairs = pairs(t.old, t.new, func(i, j int) { d = append(d, xn[j]-xo[i]) })
	if !t.spread {
		return
	}
	t.by = append(t.by, welch(xo, xn))
	// A pair or two say nothing of the noise.
	if r.Pairs >= 3 {
		t.by = append(t.by, paired(d))
	}
	t.pUp, t.pDown = t.p(1), t.p(-1)
	t.interval()
}

// p is the smaller of the two tests', times two where there are two: that is valid whichever is chosen.
// Pairs win where seeds matter or the machine drifts; where neither is so, Welch's test has twice the
// degrees of freedom, which with 4 to 10 samples is much.
func (t *test) p(direction float64) float64 {
	least := math.NaN()
	for _, e := range t.by {
		if p := e.p(direction); !math.IsNaN(p) && !(least <= p) {
			least = p
		}
	}
	return min(1, float64(len(t.by))*least)
}

// interval is where both tests' intervals agree, each at 97.5 %: 95 % by Bonferroni, and the one of the
// test that decides.
func (t *test) interval() {
	low, high := math.Inf(-1), math.Inf(1)
	for _, e := range t.by {
		q := 0.0
		if e.ok() {
			q = quantile(0.025/float64(len(t.by)), e.df)
		}
		low, high = max(low, e.diff-q*e.se), min(high, e.diff+q*e.se)
	}
	if low > high { // the seeds that both have lie apart from all
		e := t.by[0]
		q := quantile(0.025, e.df)
		low, high = e.diff-q*e.se, e.diff+q*e.se
	}
	t.Low, t.High = t.relative(low), t.relative(high)
}

// relative is a difference on the scale as a fraction of the baseline; NaN where that is 0.
func (t *test) relative(d float64) float64 {
	if t.scale.logs {
		return math.Expm1(d)
	}
	if t.from == 0 {
		return math.NaN()
	}
	return d / t.from
}

// onScale is the size of a worsening by a fraction of the baseline.
func (t *test) onScale(fraction float64) float64 {
	switch {
	case !t.scale.logs:
		return fraction * t.from
	case t.worse > 0:
		return math.Log1p(fraction)
	case fraction >= 1:
		return math.Inf(1) // nothing can be lower than 0
	}
	return -math.Log1p(-fraction)
}

// detectable is the smallest worsening that is found, of a family of so many tests.
func (t *test) detectable(family int) float64 {
	least := math.Inf(1)
	for _, e := range t.by {
		least = min(least, e.detectable(t.Rule.Alpha/float64(family*len(t.by)), t.onScale(t.Rule.Floor)))
	}
	return math.Abs(t.relative(t.worse * least))
}

// ruledOut says whether a worsening by Rule.Detect can be ruled out, with times as many samples that differ
// by so much: at Rule.Alpha, one-sided. With a baseline of 0 no fraction of it means anything.
func (t *test) ruledOut(times float64, diff func(estimate) float64, power float64) bool {
	limit := t.onScale(t.Rule.Detect)
	if limit == 0 {
		return true
	}
	for _, e := range t.by {
		if !e.ok() {
			return t.worse*diff(e) < limit
		}
		se, df := e.se/math.Sqrt(times), e.df*times
		if limit-t.worse*diff(e) > (quantile(t.Rule.Alpha/float64(len(t.by)), df)+quantile(1-power, df))*se {
			return true
		}
	}
	return false
}

// tooMany samples are more than anyone takes.
const tooMany = 1000

// needed is about how many samples of each side would rule out a worsening by Rule.Detect where nothing
// differs; 0 is tooMany.
func (t *test) needed() int {
	n := min(t.Old.N(), t.New.N())
	enough := func(k int) bool {
		return t.ruledOut(float64(k)/float64(n), func(estimate) float64 { return 0 }, power)
	}
	if !enough(tooMany) {
		return 0
	}
	low, high := n, tooMany
	for high-low > 1 {
		if mid := (low + high) / 2; enough(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// beyond says whether a change in a direction is larger than the floor. A change from 0 is beyond any.
func (t *test) beyond(direction float64) bool {
	const tiny = 1e-12 // 3 % in float64 is not 3 %
	if math.IsNaN(t.Change) {
		return direction*(t.New.Center-t.Old.Center) > 0
	}
	return direction*t.Change > t.Rule.Floor+tiny
}
