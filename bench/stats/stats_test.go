package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	moremath "github.com/aclements/go-moremath/stats"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Student's own table (The probable error of a mean, Biometrika 6, 1908): hours of sleep that two drugs gave ten patients,
// which R has as the data set sleep. The figures are those of R's t.test, with and without paired = TRUE.
var sleep = [2][]float64{
	{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2.0},
	{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4},
}

func TestStudentsSleep(t *testing.T) {
	var d []float64
	for i := range sleep[0] {
		d = append(d, sleep[1][i]-sleep[0][i])
	}
	p := Paired(d)
	assert.InDelta(t, 1.58, p.Mean, 1e-12)
	assert.Equal(t, 9.0, p.DF)
	assert.InDelta(t, 4.0621, p.Mean/p.SE, 1e-4)
	assert.InDelta(t, 0.002833, p.P(), 1e-6)
	low, high := p.Interval(0.05)
	assert.InDelta(t, 0.7001142, low, 1e-7)
	assert.InDelta(t, 2.4598858, high, 1e-7)

	w := Welch(sleep[0], sleep[1])
	assert.InDelta(t, 1.58, w.Mean, 1e-12)
	assert.InDelta(t, 17.776, w.DF, 1e-3)
	assert.InDelta(t, 0.07939, w.P(), 1e-5)
	low, high = w.Interval(0.05)
	assert.InDelta(t, -0.2054832, low, 1e-7)
	assert.InDelta(t, 3.3654832, high, 1e-7)
}

// Against the t tests of another library.
func TestAgainstMoremath(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	draw := func(n int, mean, noise float64) (xs []float64) {
		for range n {
			xs = append(xs, mean+noise*r.NormFloat64())
		}
		return xs
	}
	for range 50 {
		a, b := draw(2+r.IntN(9), 1, 0.1), draw(2+r.IntN(9), 1.05, 0.3)
		want, err := moremath.TwoSampleWelchTTest(moremath.Sample{Xs: b}, moremath.Sample{Xs: a}, moremath.LocationDiffers)
		require.NoError(t, err)
		assert.InDelta(t, want.P, Welch(a, b).P(), 1e-9)
		want, err = moremath.OneSampleTTest(moremath.Sample{Xs: a}, 1, moremath.LocationGreater)
		require.NoError(t, err)
		assert.InDelta(t, want.P, Paired(a).Above(1), 1e-9)
	}
}

// A test and its interval must say the same.
func TestIntervalsAgreeWithTests(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 200 {
		d := Difference{r.NormFloat64(), r.Float64(), 1 + 20*r.Float64()}
		low, high := d.Interval(0.05)
		assert.Equal(t, d.P() < 0.05, low > 0 || high < 0)
		low, high = d.Interval(0.1)
		assert.Equal(t, max(d.Above(-1), d.Below(1)) < 0.05, low > -1 && high < 1, "two one-sided tests at 5 % are the 90 % interval")
		assert.InDelta(t, 1, d.Above(0.3)+d.Below(0.3), 1e-12)
		narrow, wide := d.Detectable(0.05, 0), d.Detectable(0.05/3, 0)
		assert.Less(t, narrow, wide, "three comparisons find less")
	}
}

func TestWithoutNoise(t *testing.T) {
	same := Paired([]float64{0.25, 0.25, 0.25})
	assert.LessOrEqual(t, same.SE, rounding)
	assert.Zero(t, same.Above(0))
	assert.Equal(t, 1.0, same.Below(0))
	assert.Equal(t, 1.0, Paired([]float64{1e-15, -1e-15, 1e-15}).P(), "rounding is no difference")
	low, high := same.Interval(0.05)
	assert.Equal(t, [2]float64{0.25, 0.25}, [2]float64{low, high})
	assert.Equal(t, 0.03, same.Detectable(0.05, 0.03))
	one := Paired([]float64{0.25})
	for name, v := range map[string]float64{"p": one.P(), "above": one.Above(0), "equivalent": max(one.Above(-1), one.Below(1)), "detectable": one.Detectable(0.05, 0)} {
		assert.True(t, math.IsNaN(v), "%s of one value", name)
	}
	low, high = one.Interval(0.05)
	assert.True(t, math.IsNaN(low) && math.IsNaN(high))
}

// R's power.t.test(delta = 0.5, power = 0.8, type = "one.sample") says 33.37: the noncentral t distribution.
func TestNeeded(t *testing.T) {
	pilot := Difference{0, 1 / math.Sqrt(6), 5}
	enough := func(k int) bool { return pilot.Resampled(6, k).Detectable(0.025, 0) <= 0.5 }
	n := Needed(6, enough)
	assert.Equal(t, 34, n)
	assert.True(t, enough(n))
	assert.False(t, enough(n-1))
	assert.Equal(t, TooMany, Needed(6, func(int) bool { return false }))
	assert.Equal(t, 7, Needed(6, func(int) bool { return true }), "so many as there are did not decide")
	assert.Equal(t, pilot, pilot.Resampled(6, 6))
}

// What is detectable is found so often; with two samples the approximation names 2 % more than it need.
func TestDetectableIsFound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, n := range []int{2, 4, 6, 10, 31} {
		const draws, level = 100_000, 0.0125
		size := Difference{0, 1 / math.Sqrt(float64(n)), float64(n - 1)}.Detectable(level, 0)
		found, q := 0, quantile(level, float64(n-1))
		d := make([]float64, n)
		for range draws {
			for i := range d {
				d[i] = size + r.NormFloat64()
			}
			x := Paired(d)
			if x.Mean > q*x.SE {
				found++
			}
		}
		assert.GreaterOrEqual(t, float64(found)/draws, 0.8-0.005, "%d samples", n)
		assert.LessOrEqual(t, float64(found)/draws, 0.8+0.025, "%d samples", n)
	}
}

func TestScale(t *testing.T) {
	logs := NewScale([]float64{1, 2}, []float64{math.NaN(), 3})
	assert.True(t, logs.Logs, "NaN is no value")
	assert.InDelta(t, 0.1, logs.Relative(logs.Shift(0.1, 7), 7), 1e-15)
	assert.True(t, math.IsInf(logs.Shift(-2, 7), -1), "nothing falls below 0")
	plain := NewScale([]float64{-4, 2})
	assert.False(t, plain.Logs)
	assert.Equal(t, []float64{-1, 0.5}, plain.Of([]float64{-4, 2}))
	assert.InDelta(t, 0.1, plain.Relative(plain.Shift(0.1, -3), -3), 1e-15)
	assert.True(t, math.IsNaN(plain.Relative(0.5, 0)), "no fraction of 0")
	assert.Zero(t, plain.Relative(0, 0))
	assert.Equal(t, []float64{0}, NewScale([]float64{0}).Of([]float64{0}))
	huge := NewScale([]float64{-math.MaxFloat64, math.MaxFloat64})
	assert.False(t, math.IsInf(Welch(huge.Of([]float64{-math.MaxFloat64, 0}), huge.Of([]float64{math.MaxFloat64, 0})).SE, 0))
}

func BenchmarkQuantile(b *testing.B) {
	df := 5.0
	for b.Loop() {
		quantile(0.001, df)
		df += 0.001
	}
}

func TestSpread(t *testing.T) {
	assert.Equal(t, Spread{5, 3, 1, 5}, NewSpread([]float64{5, 3, 1, math.NaN(), 4, 2}), "what is missing does not count")
	assert.Equal(t, Spread{4, 2.5, 1, 6}, NewSpread([]float64{6, 2, 1, math.Inf(1), 3}))
	none := NewSpread([]float64{math.NaN()})
	assert.Zero(t, none.N)
	assert.True(t, math.IsNaN(none.Median) && math.IsNaN(none.Min) && math.IsNaN(none.Max))
}
