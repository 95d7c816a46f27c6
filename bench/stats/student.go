// Package stats tests differences between runs: Student's paired and Welch's unpaired t test, their intervals, equivalence,
// the difference that a test would have found, the number of samples that it would take, and Holm's correction. The
// distributions are gonum's.
package stats

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// normalAbove is the degrees of freedom above which Student's t counts as normal: p differs in the fourth digit. gonum's
// incomplete beta function loses digits there, and all of them from a million degrees of freedom on.
const normalAbove = 2000

// Tail returns P(T > t) of Student's t distribution.
func Tail(t, df float64) float64 {
	switch {
	case math.IsNaN(t) || !(df > 0):
		return math.NaN()
	case math.IsInf(t, 0):
		return (1 - math.Copysign(1, t)) / 2
	case df > normalAbove:
		return distuv.UnitNormal.Survival(t)
	}
	return distuv.StudentsT{Sigma: 1, Nu: df}.Survival(t)
}

// smallest is the least tail that quantile is exact for. No level divided by any number of comparisons is below it.
const smallest = 1e-12

// quantile returns the t with P(T > t) = p, for p up to 0.5 and degrees of freedom from 1 on, as a mean's or Welch's are.
// gonum's own searches for 8 µs, which a file of 100,000 results has no time for, and has 3 digits for some levels.
func quantile(p, df float64) float64 {
	if math.IsNaN(p) || !(df >= 1) {
		return math.NaN()
	}
	p = min(max(p, smallest), 0.5)
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
