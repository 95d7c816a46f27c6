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
	v := scale * m.Mean
	if !format.Finite(v) {
		return figure{Column: column, Text: "-"}
	}
	out := figure{Column: column, Value: v}
	if low, high := m.Interval(0.05); format.Finite(low) && format.Finite(high) {
		low, high = scale*low, scale*high
		out.Low, out.High = &low, &high
	}
	return out
}
