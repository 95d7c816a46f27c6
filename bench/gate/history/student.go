package history

import (
	"math"

	"github.com/aclements/go-moremath/mathx"
)

// normalAbove is the degrees of freedom from which Student's t is taken as normal: p differs in the
// fourth digit, and mathx.BetaInc does not converge for much larger ones.
const normalAbove = 2000

// tail is P(|T| > |t|) of Student's t distribution.
func tail(t, df float64) float64 {
	switch {
	case math.IsNaN(t) || !(df > 0):
		return 1 // no spread to measure anything against
	case math.IsInf(t, 0):
		return 0
	case df > normalAbove:
		return math.Erfc(math.Abs(t) / math.Sqrt2)
	}
	return mathx.BetaInc(df/(df+t*t), df/2, 0.5)
}
