package stats

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Points of R's qt(p, df, lower.tail = FALSE), and those that every printed table of Student's t has, with its three decimals.
func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		df, p, want, tolerance float64
		why                    string
	}{
		{1, 0.025, 12.7062047362, 1e-9, "R; Cauchy: the heaviest tail"},
		{5, 0.025, 2.5705818356, 1e-9, "R; six seeds"},
		{30, 0.025, 2.0422724563, 1e-9, "R"},
		{10, 0.005, 3.1692726726, 1e-9, "R"},
		{10, 0.0005, 4.5868938587, 1e-9, "R"},
		{3, 0.2, 0.9784723124, 1e-9, "R; the power of 80 %"},
		{2, 0.025, 4.303, 5e-4, "printed"},
		{9, 0.025, 2.262, 5e-4, "printed; ten seeds"},
		{9, 0.0125, 2.685, 5e-4, "printed; ten seeds, two comparisons"},
		{18, 0.0125, 2.445, 5e-4, "printed"},
		{1, 1e-8, 31830988.6184, 1e-3, "tan(pi/2 - pi p), the Cauchy distribution's"},
		{1e6, 0.025, 1.960, 5e-4, "printed; as good as normal"},
		{math.Inf(1), 0.025, 1.959963984540, 1e-9, "R's qnorm"},
		{7, 0.5, 0, 0, "a power of one half asks for no more"},
	} {
		got := quantile(c.p, c.df)
		assert.InDelta(t, c.want, got, c.tolerance, "%s: df %v, p %v", c.why, c.df, c.p)
	}
	assert.Equal(t, quantile(1e-12, 7), quantile(0, 7), "a level of 0 is taken as the least that a family of tests asks for")
	assert.True(t, math.IsNaN(quantile(0.025, 0)), "one sample")
	assert.True(t, math.IsNaN(quantile(0.025, math.NaN())))
}

func TestQuantileInvertsTail(t *testing.T) {
	for _, df := range []float64{1, 1.3, 2, 2.7, 3, 4.4, 7, 11.3, 40, 300, 1999, 2001, 1e5, 1e9, 1e15, 1e300} {
		for _, p := range []float64{0.49, 0.2, 0.025, 1e-3, 1e-5, 1e-8, 1e-11} {
			q := quantile(p, df)
			assert.InEpsilon(t, p, Tail(q, df), 1e-6, "p %v, df %v", p, df)
			assert.InEpsilon(t, 1-p, Tail(-q, df), 1e-9, "p %v, df %v", p, df)
		}
	}
}

func TestTailWhereItEnds(t *testing.T) {
	for _, x := range []float64{0, 0.5, 1.96, 3} {
		assert.InDelta(t, Tail(x, normalAbove), Tail(x, normalAbove+1), 1e-4, "it becomes normal without a step, t = %v", x)
	}
	for _, df := range []float64{1, 3, 1e6, math.Inf(1)} {
		assert.Equal(t, 0.5, Tail(0, df))
		assert.Zero(t, Tail(math.Inf(1), df))
		assert.Equal(t, 1.0, Tail(math.Inf(-1), df))
		assert.True(t, math.IsNaN(Tail(math.NaN(), df)))
	}
	assert.True(t, math.IsNaN(Tail(1, math.NaN())))
	assert.True(t, math.IsNaN(Tail(1, 0)), "the noise of a single value is not known")
}

func TestHolm(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		ps, want []float64
		why      string
	}{
		{nil, nil, "no comparison"},
		{[]float64{0.03}, []float64{0.03}, "one needs no correction"},
		{[]float64{0.01, 0.04, 0.03}, []float64{0.03, 0.06, 0.06}, "R: p.adjust(c(.01,.04,.03), \"holm\")"},
		{[]float64{0.04, 0.01, 0.03, 0.005}, []float64{0.06, 0.03, 0.06, 0.02}, "R: p.adjust, in any order"},
		{[]float64{0.9, 0.8}, []float64{1, 1}, "never above 1"},
		{[]float64{nan, 0.02, nan}, []float64{nan, 0.02, nan}, "what was not tested is not corrected for"},
		{[]float64{0.02, 0.02}, []float64{0.04, 0.04}, "equals stay equal"},
	} {
		got := Holm(c.ps)
		assert.Len(t, got, len(c.want), c.why)
		for i := range c.want {
			if math.IsNaN(c.want[i]) {
				assert.True(t, math.IsNaN(got[i]), c.why)
				continue
			}
			assert.InDelta(t, c.want[i], got[i], 1e-12, c.why)
		}
	}
}
