package compare

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The 97.5 % points as every table of Student's t prints them.
func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		df, p, want float64
		why         string
	}{
		{1, 0.025, 12.706, "Cauchy: the heaviest tail"},
		{2, 0.025, 4.303, "two paired seeds of three arms"},
		{5, 0.025, 2.571, "six seeds"},
		{9, 0.025, 2.262, "ten seeds"},
		{9, 0.0125, 2.685, "ten seeds, two comparisons"},
		{18, 0.0125, 2.445, "ten seeds of three arms together"},
		{9, 0.2, 0.883, "80 % power"},
		{1e6, 0.025, 1.960, "as good as normal"},
	} {
		assert.InDelta(t, c.want, quantile(c.p, c.df), 5e-4, c.why)
		assert.InDelta(t, c.p, above(c.want, c.df), 2e-4, c.why)
		assert.InDelta(t, 1-c.p, above(-c.want, c.df), 2e-4, c.why)
	}
}

func TestTailIsContinuousWhereItBecomesNormal(t *testing.T) {
	for _, x := range []float64{0, 0.5, 1.96, 3} {
		below, beyond := tail(x, normalAbove), tail(x, normalAbove+1)
		assert.InDelta(t, below, beyond, 2e-4, "t = %v", x)
	}
	assert.Zero(t, tail(math.Inf(1), 3))
	assert.Zero(t, tail(math.Inf(-1), 1e6))
	assert.True(t, math.IsNaN(tail(math.NaN(), 3)))
	assert.Equal(t, 1.0, tail(0, 3))
}

// A difference of so many standard errors is found so often: drawn, since no table of the noncentral t is at hand.
func TestFindable(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for _, df := range []int{1, 3, 5, 9, 30} {
		const draws, p = 40000, 0.0125
		at, q, hits := findable(p, float64(df)), quantile(p, float64(df)), 0
		for range draws {
			chi := 0.0
			for range df {
				z := r.NormFloat64()
				chi += z * z
			}
			if (r.NormFloat64()+at)/math.Sqrt(chi/float64(df)) > q {
				hits++
			}
		}
		assert.InDelta(t, power, float64(hits)/draws, 0.02, "%d degrees of freedom", df)
	}
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
