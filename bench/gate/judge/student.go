package judge

import (
	"math"

	"github.com/aclements/go-moremath/mathx"
)

// normalAbove is the degrees of freedom from which Student's t is taken as normal: p differs in the fourth
// digit, and mathx.BetaInc does not converge for much larger ones.
const normalAbove = 2000

// above is P(T > t) of Student's t distribution.
func above(t, df float64) float64 {
	if math.IsNaN(t) || math.IsNaN(df) {
		return math.NaN() // BetaInc would panic
	}
	var tail float64
	switch {
	case math.IsInf(t, 0):
	case df > normalAbove:
		tail = math.Erfc(math.Abs(t)/math.Sqrt2) / 2
	default:
		tail = mathx.BetaInc(df/(df+t*t), df/2, 0.5) / 2
	}
	if t < 0 {
		return 1 - tail
	}
	return tail
}

// quantile is the t of which P(T > t) = p, for p of at most 0.5, to six digits and more. A search by
// halves, as package compare has it, takes 60 evaluations of the distribution; here a first guess and
// Newton's method take one or two, and a file of many benchmarks asks for many different ones.
func quantile(p, df float64) float64 {
	normal := math.Sqrt2 * math.Erfcinv(2*p)
	if df > normalAbove || p >= 0.5 {
		return normal
	}
	t := guess(p, df, normal)
	a, _ := math.Lgamma((df + 1) / 2)
	b, _ := math.Lgamma(df / 2)
	scale := math.Exp(a-b) / math.Sqrt(df*math.Pi)
	for range 50 {
		density := scale * math.Pow(1+t*t/df, -(df+1)/2)
		next := max(t+(above(t, df)-p)/density, t/2) // the tail is convex: from below no step overshoots
		moved := math.Abs(next - t)
		t = next
		if moved <= 1e-4*t { // each step squares the error
			break
		}
	}
	return t
}

// guess is G. W. Hill's approximation, Algorithm 396: Student's t-quantiles, Communications of the ACM 13,
// 1970: about six digits from five degrees of freedom on.
func guess(p, df, normal float64) float64 {
	a := 1 / (df - 0.5)
	b := 48 / (a * a)
	c := ((20700*a/b-98)*a-16)*a + 96.36
	d := ((94.5/(b+c)-3)/b + 1) * math.Sqrt(a*math.Pi/2) * df
	y := math.Pow(d*2*p, 2/df)
	if y <= 0.05+a {
		y = ((1/(((df+6)/(df*y)-0.089*d-0.822)*(df+2)*3)+0.5/(df+4))*y-1)*(df+1)/(df+2) + 1/y
		return math.Sqrt(df * y)
	}
	x := -normal
	y = x * x
	if df < 5 {
		c += 0.3 * (df - 4.5) * (x + 0.6)
	}
	c = (((0.05*d*x-5)*x-7)*x-2)*x + b + c
	y = (((((0.4*y+6.3)*y+36)*y+94.5)/c-y-3)/b + 1) * x
	return math.Sqrt(df * math.Expm1(a*y*y))
}
