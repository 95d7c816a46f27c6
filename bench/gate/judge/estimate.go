package judge

import "math"

// estimate is a difference of means, New's less the baseline's, on the scale of the test.
type estimate struct {
	diff, se, df float64
}

// scale is what values are compared on: their logarithms, so that a difference is a fraction of the
// baseline; where one of them is not positive, the values themselves.
type scale struct {
	logs bool
	over float64 // without logs, values are divided by the largest: no sum overflows
}

func newScale(sides ...[]float64) scale {
	s := scale{logs: true}
	for _, xs := range sides {
		for _, x := range xs {
			s.logs = s.logs && x > 0
			s.over = max(s.over, math.Abs(x))
		}
	}
	if s.over == 0 {
		s.over = 1
	}
	return s
}

// on are values on the scale.
func (s scale) on(xs []float64) []float64 {
	out := make([]float64, len(xs))
	for i, x := range xs {
		if s.logs {
			out[i] = math.Log(x)
		} else {
			out[i] = x / s.over
		}
	}
	return out
}

// moments are mean and variance; the variance is NaN below two values.
func moments(xs []float64) (mean, variance float64) {
	for _, x := range xs {
		mean += x
	}
	mean /= float64(len(xs))
	// One large and a few that differ by rounding must not become a variance.
	for _, x := range xs {
		variance += (x - mean) * (x - mean)
	}
	return mean, variance / float64(len(xs)-1)
}

// welch compares sides that need not have the same noise (B. L. Welch, The generalization of "Student's"
// problem when several different population variances are involved, Biometrika 34, 1947).
func welch(old, new []float64) estimate {
	mo, vo := moments(old)
	mn, vn := moments(new)
	a, b := vo/float64(len(old)), vn/float64(len(new))
	e := estimate{diff: mn - mo, se: math.Sqrt(a + b)}
	e.df = (a + b) * (a + b) / (a*a/float64(len(old)-1) + b*b/float64(len(new)-1))
	return e
}

// paired compares values of the same seed.
func paired(d []float64) estimate {
	mean, v := moments(d)
	return estimate{diff: mean, se: math.Sqrt(v / float64(len(d))), df: float64(len(d) - 1)}
}

// rounding is the standard error below which only float64's rounding is seen: values are logarithms or at
// most 1.
const rounding = 1e-13

// ok says whether there is noise to test against.
func (e estimate) ok() bool { return e.se > rounding }

// p is of "not worse", where worse is the direction in which a worsening points: 1 is up, -1 is down.
func (e estimate) p(worse float64) float64 {
	switch {
	case e.ok():
		return above(worse*e.diff/e.se, e.df)
	case math.IsNaN(e.se) || math.IsNaN(e.diff):
		return math.NaN()
	case worse*e.diff > rounding:
		return 0
	}
	return 1
}

// power is how often a worsening of the size of Result.Detectable is found.
const power = 0.8

// detectable is the worsening on the scale that is found so often, at a one-sided level and beyond a floor.
func (e estimate) detectable(level, floor float64) float64 {
	if !e.ok() {
		return floor
	}
	q := quantile(1-power, e.df)
	return max((quantile(level, e.df)+q)*e.se, floor+q*e.se)
}
