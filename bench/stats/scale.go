package stats

import "math"

// Scale is what values are compared on: their logarithms, so that a difference is a fraction, or, where a value is not
// positive, the values divided by the largest, so that no sum overflows.
type Scale struct {
	Logs bool
	Over float64 // what values are divided by where Logs is false
}

// NewScale returns the scale of all samples together. NaN is no value.
func NewScale(samples ...[]float64) Scale {
	s := Scale{Logs: true}
	for _, xs := range samples {
		for _, x := range xs {
			if !math.IsNaN(x) {
				s.Logs = s.Logs && x > 0
				s.Over = max(s.Over, math.Abs(x))
			}
		}
	}
	if s.Over == 0 {
		s.Over = 1
	}
	return s
}

// Of returns the values on the scale.
func (s Scale) Of(xs []float64) []float64 {
	out := make([]float64, len(xs))
	for i, x := range xs {
		if s.Logs {
			out[i] = math.Log(x)
		} else {
			out[i] = x / s.Over
		}
	}
	return out
}

// Relative returns a difference on the scale as a fraction of from, the mean that values are compared with. It is NaN where
// that is 0.
func (s Scale) Relative(d, from float64) float64 {
	switch {
	case d == 0:
		return 0
	case s.Logs:
		return math.Expm1(d)
	case from == 0:
		return math.NaN()
	}
	return d / math.Abs(from) * s.Over
}

// Shift returns the difference on the scale that a change by a fraction of from is.
func (s Scale) Shift(fraction, from float64) float64 {
	if s.Logs {
		return math.Log1p(max(fraction, -1)) // nothing positive can fall by more than itself
	}
	return fraction * math.Abs(from) / s.Over
}
