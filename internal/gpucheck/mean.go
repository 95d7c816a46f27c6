package main

import (
	"math"

	"gonum.org/v1/gonum/stat"

	"lorabench/bench/stats"
)

// mean is an estimate with its standard error and degrees of freedom.
type mean struct{ value, err, df float64 }

func meanOf(v []float64) mean {
	if len(v) == 0 {
		return mean{value: math.NaN(), err: math.NaN()}
	}
	m, sd := stat.MeanStdDev(v, nil)
	return mean{value: m, err: sd / math.Sqrt(float64(len(v))), df: float64(len(v) - 1)}
}

// half is half the width of the 95 % interval of Student's t.
func (m mean) half() float64 { return m.err * stats.Quantile(0.025, m.df) }

// figure is the estimate times scale, with its interval where two values or more give one.
func (m mean) figure(column string, scale float64) figure {
	if math.IsNaN(m.value) || math.IsInf(m.value, 0) {
		return figure{Column: column, Text: "-"}
	}
	f := figure{Column: column, Value: scale * m.value}
	if m.df >= 1 && !math.IsNaN(m.err) {
		f.between(scale*(m.value-m.half()), scale*(m.value+m.half()))
	}
	return f
}

// ratio is a over b, independent of each other, with an interval of its logarithm: by the delta method, with Welch's degrees of
// freedom.
func ratio(column string, a, b mean) figure {
	ra, rb := square(a.err/a.value), square(b.err/b.value)
	log := mean{value: math.Log(a.value / b.value), err: math.Sqrt(ra + rb), df: square(ra+rb) / (square(ra)/a.df + square(rb)/b.df)}
	f := figure{Column: column, Value: a.value / b.value}
	if math.IsNaN(f.Value) || math.IsInf(f.Value, 0) {
		return figure{Column: column, Text: "-"}
	}
	if log.df >= 1 {
		f.between(math.Exp(log.value-log.half()), math.Exp(log.value+log.half()))
	}
	return f
}

func (f *figure) between(low, high float64) { f.Low, f.High = &low, &high }

func square(x float64) float64 { return x * x }
