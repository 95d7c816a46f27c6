package compare

import (
	"math"
	"slices"

	"lorabench/bench/stats"
)

// comparison is of arm i with arm j.
type comparison struct{ i, j int }

// most is the number of arms up to which all their groups are tested: there are 2 to the power of it.
const most = 8

// correct corrects the p values of comparisons for each other by closed testing (R. Marcus, E. Peritz,
// K. R. Gabriel, Biometrika 63, 1976): two arms are called different if every group of arms that they
// are both in is shown not to be all the same. The corrected p is the largest of those groups'. NaN is
// no comparison and stays NaN. Above most arms it is Holm's correction, which asks more.
//
// Where every arm is compared with one reference, each group is tested at alpha. Where all are compared
// with all, of two groups without a common arm both may be all the same, and smaller groups are tested
// at the levels of Ryan, Einot, Gabriel and Welsch (R. E. Welsch, JASA 72, 1977).
func (t *table) correct(cs []comparison, ps []float64) []float64 {
	var arms, refs []int
	tested := 0
	for k, c := range cs {
		if math.IsNaN(ps[k]) {
			continue
		}
		tested++
		arms, refs = append(arms, c.i, c.j), append(refs, c.j)
	}
	slices.Sort(arms)
	arms = slices.Compact(arms)
	star := len(slices.Compact(refs)) == 1
	out := slices.Clone(ps)
	switch {
	case tested < 2:
		return out
	case len(arms) > most:
		return stats.Holm(ps)
	}
	for set := range 1 << len(arms) {
		in := map[int]bool{}
		var group []int
		for b, a := range arms {
			if set>>b&1 == 1 {
				in[a] = true
				group = append(group, a)
			}
		}
		var among []float64
		for k, c := range cs {
			if in[c.i] && in[c.j] && !math.IsNaN(ps[k]) {
				among = append(among, ps[k])
			}
		}
		if len(among) == 0 {
			continue
		}
		p := t.group(group, among)
		if !star && len(group) < len(arms)-1 {
			p = 1 - math.Pow(1-p, float64(len(arms))/float64(len(group)))
		}
		for k, c := range cs {
			if in[c.i] && in[c.j] {
				out[k] = max(out[k], p) // NaN stays
			}
		}
	}
	return out
}

// group is the p of "these arms are all the same"; ps are those of its comparisons. Two tests are joined
// by Simes' inequality: the analysis of variance, which sees a difference best where the noise of all
// arms is alike, and the smallest p (Bonferroni), which a single noisy arm does not blind. With the
// analysis of variance alone, an arm with ten times the noise of the others hid 9 of 10 real
// differences between these.
func (t *table) group(arms []int, ps []float64) float64 {
	least := min(1, slices.Min(ps)*float64(len(ps)))
	if len(arms) == 2 {
		return least
	}
	f := t.anova(arms)
	if math.IsNaN(f) {
		return least
	}
	return min(1, 2*min(f, least), max(f, least))
}

// anova is the p of equal means in a randomized-block layout, seeds by arms: F = arms' mean square over
// the residual one, with the degrees of freedom of S. W. Greenhouse and S. Geisser (Psychometrika 24,
// 1959), which allow each arm its own noise. It is NaN where not every arm has every seed, or there is
// no noise.
func (t *table) anova(arms []int) float64 {
	seeds := t.seeds(arms...)
	for _, a := range arms {
		if t.by[a].n != len(seeds) {
			return math.NaN()
		}
	}
	a, n := float64(len(arms)), float64(len(seeds))
	rows, cols, mean := make([]float64, len(arms)), make([]float64, len(seeds)), 0.0
	e := make([][]float64, len(arms)) // values, then residuals
	for i, arm := range arms {
		e[i] = make([]float64, len(seeds))
		for k, seed := range seeds {
			e[i][k] = t.by[arm].scaled[seed]
			rows[i] += e[i][k] / n
			cols[k] += e[i][k] / a
			mean += e[i][k] / (a * n)
		}
	}
	between := 0.0
	for i := range e {
		between += n * (rows[i] - mean) * (rows[i] - mean)
		for k := range e[i] {
			if e[i][k] += mean - rows[i] - cols[k]; math.Abs(e[i][k]) <= tiny {
				e[i][k] = 0
			}
		}
	}
	// The covariances of the residuals: their trace is the residual sum of squares, and the more
	// unequal their eigenvalues, the fewer degrees of freedom it has.
	trace, squares := 0.0, 0.0
	for i := range e {
		for j := range e {
			c := 0.0
			for k := range e[i] {
				c += e[i][k] * e[j][k]
			}
			if squares += c * c; i == j {
				trace += c
			}
		}
	}
	if !(trace > 0 && squares > 0) || n < 2 {
		return math.NaN()
	}
	epsilon := trace * trace / ((a - 1) * squares)
	return fTail(between/trace*(n-1), epsilon*(a-1), epsilon*(a-1)*(n-1))
}
