package compare

import (
	"math"

	"github.com/aclements/go-moremath/mathx"
)

// normalAbove is the degrees of freedom from which Student's t is taken as normal, and F's denominator
// has no more: p differs in the fourth digit, and mathx.BetaInc does not converge for much larger ones.
const normalAbove = 2000

// fTail is P(F > f) of Fisher's F distribution.
func fTail(f, above, below float64) float64 {
	if math.IsNaN(f) || math.IsNaN(above) {
		return math.NaN()
	}
	below = min(below, normalAbove) // asks a little more of f than it need
	return mathx.BetaInc(below/(below+above*f), below/2, above/2)
}
