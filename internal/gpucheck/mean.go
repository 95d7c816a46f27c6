package main

import (
	"math"

	"lorabench/bench/format"
	"lorabench/bench/stats"
)

// mean is an estimate with its standard error and degrees of freedom.
type mean struct{ stats.Difference }

func meanOf(v []float64) mean {
	if len(v) == 0 {
		return mean{stats.Difference{Mean: math.NaN(), SE: math.NaN()}}
	}
	return mean{stats.Paired(v)}
}

// figure returns the estimate times scale, with its interval if two values or more give one.
func (m mean) figure(column string, scale float64) figure {
	return m.of(column, func(x float64) float64 { return scale * x })
}

// ratio returns a over b, which are independent of each other, with an interval of its logarithm: by the delta method, with Welch's
// degrees of freedom.
func ratio(column string, a, b mean) figure {
	ra, rb := square(a.SE/a.Mean), square(b.SE/b.Mean)
	log := stats.Difference{Mean: math.Log(a.Mean / b.Mean), SE: math.Sqrt(ra + rb), DF: square(ra+rb) / (square(ra)/a.DF + square(rb)/b.DF)}
	return mean{log}.of(column, math.Exp)
}

// of returns a figure of the estimate and the ends of its 95 % interval, each put through f.
func (m mean) of(column string, f func(float64) float64) figure {
	v := f(m.Mean)
	if !format.Finite(v) {
		return figure{Column: column, Text: "-"}
	}
	low, high := m.Interval(0.05)
	out := figure{Column: column, Value: v}
	if low, high = f(low), f(high); format.Finite(low) && format.Finite(high) {
		out.Low, out.High = &low, &high
	}
	return out
}

func square(x float64) float64 { return x * x }
