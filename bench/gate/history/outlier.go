package history

import (
	"math"
	"slices"
)

// outliers says which commits stand alone, far beyond both neighbours on the same side, while these
// agree: a machine that was busy once, not a level. At the ends the two nearest are the neighbours; the
// last commit is none where it may be a level of its own.
func outliers(x []float64, last bool) []bool {
	out := make([]bool, len(x))
	if len(x) < 5 {
		return out
	}
	var ds []float64
	for i := 1; i < len(x); i++ {
		ds = append(ds, math.Abs(x[i]-x[i-1]))
	}
	// The median, since the outlier itself is in two differences. 1.4826 makes it the standard deviation
	// of normal noise, the root that of one commit.
	scale := 1.4826 * median(ds) / math.Sqrt2
	n := 0
	for i, v := range x {
		a, b := i-1, i+1
		if i == 0 {
			a = 2
		}
		if i == len(x)-1 {
			if !last {
				continue
			}
			b = i - 2
		}
		lo, hi := min(x[a], x[b]), max(x[a], x[b])
		if gap := max(lo-v, v-hi); gap > outlying*scale && gap > hi-lo {
			out[i] = true
			n++
		}
	}
	// More are no accidents but what the noise is like.
	if n > 1+len(x)/25 {
		return make([]bool, len(x))
	}
	return out
}

// outlying is how many standard deviations beyond its neighbours a commit must be to be set aside.
// Normal noise puts one commit in 100,000 there.
const outlying = 5

// without is xs less those that out says; at gives each that is left its place.
func without(xs []float64, out []bool) (left []float64, at []int) {
	for i, x := range xs {
		if !out[i] {
			left = append(left, x)
			at = append(at, i)
		}
	}
	return left, slices.Clip(at)
}
