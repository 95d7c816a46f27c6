package judge

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// values are one side's of a metric, by seed.
type values struct {
	x       []float64
	seeds   []int64
	rounded bool // some have the digits that go test prints
}

// valuesOf are a metric's values by seed, times factor.
func valuesOf(m *results.Metric, factor float64, rounded bool) values {
	v := values{m.Values, m.Seeds, rounded}
	if factor != 1 {
		v.x = make([]float64, len(m.Values))
		for i, x := range m.Values {
			v.x[i] = x * factor
		}
	}
	if slices.IsSorted(v.seeds) {
		return v
	}
	at := make([]int, len(v.x))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(i, j int) int { return cmp.Compare(v.seeds[i], v.seeds[j]) })
	out := values{make([]float64, len(at)), make([]int64, len(at)), v.rounded}
	for k, i := range at {
		out.x[k], out.seeds[k] = v.x[i], v.seeds[i]
	}
	return out
}

// constant reports whether there is no spread at all.
func (v values) constant() bool {
	return !slices.ContainsFunc(v.x, func(x float64) bool { return x != v.x[0] })
}

// pairs calls f with the places of each seed that both sides have; a seed that is there several times is paired in the order of
// the runs. Blocks need no pairing of their own: a block has one seed, and where the same block has another seed on the other
// side the two were not run together.
func pairs(a, b values, f func(i, j int)) (n int) {
	for i, j := 0, 0; i < len(a.seeds) && j < len(b.seeds); {
		switch c := cmp.Compare(a.seeds[i], b.seeds[j]); c {
		case 0:
			f(i, j)
			n, i, j = n+1, i+1, j+1
		case -1:
			i++
		default:
			j++
		}
	}
	return n
}

// sample is what is shown of a side; logs is that the geometric mean is compared.
func (v values) sample(logs bool) Sample {
	s := Sample{Values: v.x, Seeds: v.seeds, Center: v.x[0], Variation: math.NaN()}
	switch {
	case len(v.x) < 2:
		return s
	case v.constant(): // and not what sums and logarithms make of it
		s.Variation = 0
		return s
	}
	scale := stats.NewScale(v.x)
	mean, deviation := stat.MeanStdDev(stats.Scale{Over: scale.Over}.Of(v.x), nil) // divided by the largest: no sum overflows
	s.Center = mean * scale.Over
	if logs {
		s.Center = math.Exp(stat.Mean(scale.Of(v.x), nil))
	}
	if mean != 0 {
		s.Variation = deviation / math.Abs(mean)
	}
	return s
}
