// Package stats tests differences between runs: Student's paired and Welch's unpaired t test, their intervals, the smallest detectable
// difference, the number of samples needed, and Holm's correction. The distributions are gonum's.
package stats

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Difference is an estimated difference of two means. SE is its standard error, NaN if unknown; all that is computed from it is NaN then.
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

// rounding is the size below which a difference or standard error on a Scale is rounding of float64.
const rounding = 1e-13

// Above returns the one-sided p of "at most limit": small where the difference is shown to lie above it.
func (d Difference) Above(limit float64) float64 {
	switch {
	case d.SE > rounding:
		return Tail((d.Mean-limit)/d.SE, d.DF)
	case math.IsNaN(d.SE) || math.IsNaN(d.Mean):
		return math.NaN()
	case d.Mean-limit > rounding:
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

// Interval returns the interval with 1 - level confidence. Of n intervals at level/n, all hold together with 1 - level (Bonferroni).
func (d Difference) Interval(level float64) (low, high float64) {
	half := 0.0
	if !(d.SE <= rounding) {
		half = quantile(level/2, d.DF) * d.SE
	}
	return d.Mean - half, d.Mean + half
}

// Detectable returns the smallest difference that a test at a one-sided level finds 80 % of the time, where it must also be seen to
// exceed floor: the noncentrality of Student's t, as N. L. Johnson and B. L. Welch approximate it (Biometrika 31, 1940).
func (d Difference) Detectable(level, floor float64) float64 {
	if d.SE <= rounding {
		return floor
	}
	q := quantile(level, d.DF)
	errors := q*(1-1/(4*d.DF)) + quantile(0.2, math.Inf(1))*math.Sqrt(1+q*q/(2*d.DF))
	return max(errors*d.SE, floor+quantile(0.2, d.DF)*d.SE)
}

// Resampled returns what k samples with the same noise would estimate instead of n.
func (d Difference) Resampled(n, k int) Difference {
	times := float64(k-1) / float64(n-1)
	return Difference{d.Mean, d.SE * math.Sqrt(float64(n)/float64(k)), d.DF * times}
}

// TooMany is more samples than anyone takes.
const TooMany = 1000

// Needed returns the fewest samples above n with which enough is true, at most TooMany. enough must stay true with more samples.
func Needed(n int, enough func(k int) bool) int {
	return n + 1 + sort.Search(max(0, TooMany-n-1), func(i int) bool { return enough(n + 1 + i) })
}

// Spread summarizes finite values; without any, all but N is NaN.
type Spread struct {
	N                int
	Median, Min, Max float64
}

// NewSpread returns the spread of the finite values.
func NewSpread(xs []float64) Spread {
	xs = slices.DeleteFunc(slices.Clone(xs), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
	n := len(xs)
	if n == 0 {
		return Spread{0, math.NaN(), math.NaN(), math.NaN()}
	}
	slices.Sort(xs)
	return Spread{n, (xs[(n-1)/2] + xs[n/2]) / 2, xs[0], xs[n-1]}
}

// Scale is the scale on which values are compared: their logarithms, so that a difference is a fraction, or, where a value is not
// positive, the values divided by the largest, so that no sum overflows.
type Scale struct {
	Logs bool
	Over float64 // what values are divided by where Logs is false
}

// NewScale returns the scale of all samples together. NaN is no value.
func NewScale(samples ...[]float64) Scale {
	s := Scale{Logs: true}
	for _, xs := range samples {
		for _, x := range xs {
			if !math.IsNaN(x) {
				s.Logs, s.Over = s.Logs && x > 0, max(s.Over, math.Abs(x))
			}
		}
	}
	s.Over = cmp.Or(s.Over, 1)
	return s
}

// Of returns the values on the scale.
func (s Scale) Of(xs []float64) []float64 {
	out := make([]float64, len(xs))
	for i, x := range xs {
		if out[i] = x / s.Over; s.Logs {
			out[i] = math.Log(x)
		}
	}
	return out
}

// Relative returns a difference on the scale as a fraction of from, the mean that values are compared with. It is NaN where
// that is 0, or so small that no float64 holds the fraction.
func (s Scale) Relative(d, from float64) float64 {
	switch relative := d / math.Abs(from) * s.Over; {
	case d == 0:
		return 0
	case s.Logs:
		return math.Expm1(d)
	case !math.IsInf(relative, 0):
		return relative
	}
	return math.NaN()
}

// Shift returns the difference on the scale that corresponds to a change by a fraction of from.
func (s Scale) Shift(fraction, from float64) float64 {
	if s.Logs {
		return math.Log1p(max(fraction, -1)) // nothing positive can fall by more than itself
	}
	return fraction * math.Abs(from) / s.Over
}

// normalAbove is the degrees of freedom above which Student's t counts as normal: p differs in the fourth digit. gonum's
// incomplete beta function loses digits there, and all of them from a million degrees of freedom on.
const normalAbove = 2000

// Tail returns P(T > t) of Student's t distribution.
func Tail(t, df float64) float64 {
	switch {
	case math.IsNaN(t) || !(df > 0):
		return math.NaN()
	case df > normalAbove:
		return distuv.UnitNormal.Survival(t)
	}
	return distuv.StudentsT{Sigma: 1, Nu: df}.Survival(t)
}

// quantile returns the t with P(T > t) = p, for p up to 0.5 and degrees of freedom from 1 on, as a mean's or Welch's are. gonum's own
// searches for 8 µs, too slow for a file of 100,000 results, and has only 3 digits at some levels.
func quantile(p, df float64) float64 {
	if math.IsNaN(p) || !(df >= 1) {
		return math.NaN()
	}
	p = min(max(p, 1e-12), 0.5) // no level divided by any number of comparisons is below that
	z := -distuv.UnitNormal.Quantile(p)
	if p == 0.5 || df > normalAbove {
		return z
	}
	// The first terms of Cornish and Fisher's expansion, then Newton's method on logarithms: a tail is nearly a power of t.
	dist := distuv.StudentsT{Sigma: 1, Nu: df}
	t := z + (z*z*z+z)/(4*df) + (5*math.Pow(z, 5)+16*z*z*z+3*z)/(96*df*df)
	for range 50 {
		tail := dist.Survival(t)
		step := math.Log(tail/p) * tail / (t * dist.Prob(t))
		t *= math.Exp(step)
		if math.Abs(step) < 1e-5 { // and each step squares the error
			break
		}
	}
	return t
}

// Holm corrects p values of one family, so that the chance of any false call among them is at most alpha where those of at most
// alpha are called: a step-down Bonferroni correction, valid however the comparisons depend on each other (S. Holm, A simple
// sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979). NaN is no comparison: it stays.
func Holm(ps []float64) []float64 {
	out := slices.Clone(ps)
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(ps[a], ps[b]) }) // NaN comes first
	least := 0.0
	for k, i := range order {
		if !math.IsNaN(ps[i]) {
			least = max(least, min(1, ps[i]*float64(len(order)-k)))
			out[i] = least
		}
	}
	return out
}
