package stats

import (
	"cmp"
	"math"
	"slices"
)

// Holm corrects p values of one family, so that the chance of any false call among them is at most
// alpha where those of at most alpha are called: a step-down Bonferroni correction, valid however the
// comparisons depend on each other (S. Holm, A simple sequentially rejective multiple test procedure,
// Scandinavian Journal of Statistics 6, 1979). NaN is no comparison: it stays NaN and does not count.
func Holm(ps []float64) []float64 {
	out := slices.Clone(ps)
	var order []int
	for i, p := range ps {
		if !math.IsNaN(p) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ps[a], ps[b]) })
	least := 0.0
	for k, i := range order {
		least = max(least, min(1, ps[i]*float64(len(order)-k)))
		out[i] = least
	}
	return out
}
