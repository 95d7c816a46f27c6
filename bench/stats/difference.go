package stats

import (
	"math"
	"sort"

	"gonum.org/v1/gonum/stat"
)

// Difference is an estimated difference of two means. SE is its standard error: NaN where nothing is known of the noise.
// Everything computed from it is NaN then.
type Difference struct {
	Mean, SE, DF float64
}

// Paired estimates the mean of differences, each between two runs of one seed.
func Paired(d []float64) Difference {
	mean, variance := stat.MeanVariance(d, nil)
	return Difference{mean, math.Sqrt(variance / float64(len(d))), float64(len(d) - 1)}
}

// Welch estimates how much higher the mean of b is than that of a, which need not have the same noise (B. L. Welch, The
// generalization of "Student's" problem when several different population variances are involved, Biometrika 34, 1947).
func Welch(a, b []float64) Difference {
	ma, va := stat.MeanVariance(a, nil)
	mb, vb := stat.MeanVariance(b, nil)
	va, vb = va/float64(len(a)), vb/float64(len(b))
	df := (va + vb) * (va + vb) / (va*va/float64(len(a)-1) + vb*vb/float64(len(b)-1))
	return Difference{mb - ma, math.Sqrt(va + vb), df}
}

// Rounding is the size below which a difference or standard error on a Scale is rounding of float64.
const Rounding = 1e-13

// Noisy reports whether there is noise to test against.
func (d Difference) Noisy() bool { return d.SE > Rounding }

// Above returns the one-sided p of "at most limit": small where the difference is shown to lie above it.
func (d Difference) Above(limit float64) float64 {
	switch {
	case d.Noisy():
		return Tail((d.Mean-limit)/d.SE, d.DF)
	case math.IsNaN(d.SE) || math.IsNaN(d.Mean):
		return math.NaN()
	case d.Mean-limit > Rounding:
		return 0
	}
	return 1
}

// Below returns the one-sided p of "at least limit": small where the difference is shown to lie below it.
func (d Difference) Below(limit float64) float64 {
	return Difference{-d.Mean, d.SE, d.DF}.Above(-limit)
}

// P returns the two-sided p of "no difference".
func (d Difference) P() float64 { return min(1, 2*min(d.Above(0), d.Below(0))) }

// Equivalent returns the p of "not between low and high", by two one-sided tests (D. J. Schuirmann, A comparison of the two
// one-sided tests procedure and the power approach, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987).
func (d Difference) Equivalent(low, high float64) float64 { return max(d.Above(low), d.Below(high)) }

// Interval returns the interval with 1 - level confidence. Of n intervals at level/n, all hold with 1 - level (Bonferroni).
func (d Difference) Interval(level float64) (low, high float64) {
	half := 0.0
	if !(d.SE <= Rounding) {
		half = Quantile(level/2, d.DF) * d.SE
	}
	return d.Mean - half, d.Mean + half
}

// Power is how often a difference of the size of Detectable is found.
const Power = 0.8

// findable returns how many standard errors a true difference has that a one-sided test at a level finds with Power: the
// noncentrality of Student's t, as N. L. Johnson and B. L. Welch approximate it (Biometrika 31, 1940).
func findable(level, df float64) float64 {
	q := Quantile(level, df)
	return q*(1-1/(4*df)) + Quantile(1-Power, math.Inf(1))*math.Sqrt(1+q*q/(2*df))
}

// Detectable returns the smallest difference that a test at a one-sided level finds with Power, where it must also be
// seen to exceed floor.
func (d Difference) Detectable(level, floor float64) float64 {
	if d.SE <= Rounding {
		return floor
	}
	return max(findable(level, d.DF)*d.SE, floor+Quantile(1-Power, d.DF)*d.SE)
}

// Resampled returns what k samples would estimate of the noise where n did.
func (d Difference) Resampled(n, k int) Difference {
	times := float64(k-1) / float64(n-1)
	return Difference{d.Mean, d.SE * math.Sqrt(float64(n)/float64(k)), d.DF * times}
}

// TooMany is a number of samples that nobody takes.
const TooMany = 1000

// Needed returns the fewest samples above n with which enough is true, TooMany where not even so many are. enough must
// stay true with more samples.
func Needed(n int, enough func(k int) bool) int {
	return n + 1 + sort.Search(max(0, TooMany-n-1), func(i int) bool { return enough(n + 1 + i) })
}
