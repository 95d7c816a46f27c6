package compare

import (
	"math"
	"sync"

	"github.com/aclements/go-moremath/mathx"
)

// normalAbove is the degrees of freedom from which Student's t is taken as normal: p differs in the fourth
// digit, and mathx.BetaInc does not converge for much larger ones.
const normalAbove = 2000

// tail is P(|T| > |t|) of Student's t distribution.
func tail(t, df float64) float64 {
	switch {
	case math.IsNaN(t):
		return math.NaN() // BetaInc would panic
	case df > normalAbove:
		return math.Erfc(math.Abs(t) / math.Sqrt2)
	}
	return mathx.BetaInc(df/(df+t*t), df/2, 0.5)
}

// above is P(T > t).
func above(t, df float64) float64 {
	if t < 0 {
		return 1 - tail(t, df)/2
	}
	return tail(t, df) / 2
}

// quantiles remembers quantile's results: it searches, and a file asks for few different ones.
var quantiles sync.Map

// quantile is the t of which P(T > t) = p, for p of at most 0.5.
func quantile(p, df float64) float64 {
	key := [2]float64{p, df}
	if q, ok := quantiles.Load(key); ok {
		return q.(float64)
	}
	low, high := 0.0, 1.0
	for above(high, df) > p {
		low, high = high, 2*high
	}
	for high-low > 1e-12*high {
		mid := (low + high) / 2
		if above(mid, df) > p {
			low = mid
		} else {
			high = mid
		}
	}
	quantiles.Store(key, high)
	return high
}

// findable is how many standard errors a true difference has that a one-sided test at level p finds with
// probability power: the noncentrality of Student's t, as N. L. Johnson and B. L. Welch approximate it
// (Biometrika 31, 1940).
func findable(p, df float64) float64 {
	q := quantile(p, df)
	return q*(1-1/(4*df)) + quantile(1-power, math.Inf(1))*math.Sqrt(1+q*q/(2*df))
}
