package judge

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// Sample is one side's values of a metric.
type Sample struct {
	Values    []float64 // in order of Seeds
	Seeds     []int64   // of each value; the k-th run of a file without seeds has k
	Center    float64   // geometric mean where all values are positive, else the mean: what is compared
	Variation float64   // standard deviation relative to the mean; NaN below two values and where the mean is 0
	rounded   bool      // some values have the digits that go test prints
}

// N is the number of values.
func (s Sample) N() int { return len(s.Values) }

// newSample is a metric's values by seed, times factor.
func newSample(m *results.Metric, factor float64, rounded bool) Sample {
	s := Sample{Values: m.Values, Seeds: m.Seeds, rounded: rounded}
	if factor == 1 && slices.IsSorted(m.Seeds) {
		return s
	}
	at := make([]int, len(m.Values))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(i, j int) int { return cmp.Compare(m.Seeds[i], m.Seeds[j]) })
	s.Values, s.Seeds = make([]float64, len(at)), make([]int64, len(at))
	for k, i := range at {
		s.Values[k], s.Seeds[k] = m.Values[i]*factor, m.Seeds[i]
	}
	return s
}

// measure fills in what is shown; logs is that the geometric mean is compared.
func (s *Sample) measure(logs bool) {
	s.Center, s.Variation = s.Values[0], math.NaN()
	switch {
	case s.N() < 2:
		return
	case s.constant(): // and not what sums and logarithms make of it
		s.Variation = 0
		return
	}
	scale := stats.NewScale(s.Values)
	mean, deviation := stat.MeanStdDev(stats.Scale{Over: scale.Over}.Of(s.Values), nil) // divided by the largest: no sum overflows
	s.Center = mean * scale.Over
	if logs {
		s.Center = math.Exp(stat.Mean(scale.Of(s.Values), nil))
	}
	if mean != 0 {
		s.Variation = deviation / math.Abs(mean)
	}
}

// constant reports whether there is no spread at all.
func (s *Sample) constant() bool {
	return !slices.ContainsFunc(s.Values, func(x float64) bool { return x != s.Values[0] })
}

// pairs are the places of each seed that both sides have; a seed that is there several times is paired in the order of the runs.
// Blocks need no pairing of their own: a block has one seed, and where the same block has another seed on the other side the two
// were not run together.
func pairs(a, b *Sample) (at [][2]int) {
	for i, j := 0, 0; i < a.N() && j < b.N(); {
		switch cmp.Compare(a.Seeds[i], b.Seeds[j]) {
		case 0:
			at = append(at, [2]int{i, j})
			i, j = i+1, j+1
		case -1:
			i++
		default:
			j++
		}
	}
	return at
}
