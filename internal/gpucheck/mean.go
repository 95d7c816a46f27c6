package main

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
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

// ratio is a over b, independent of each other, by the delta method; Welch's degrees of freedom.
func ratio(a, b mean) mean {
	ra, rb := square(a.err/a.value), square(b.err/b.value)
	r := a.value / b.value
	return mean{value: r, err: r * math.Sqrt(ra+rb), df: square(ra+rb) / (square(ra)/a.df + square(rb)/b.df)}
}

func square(x float64) float64 { return x * x }

// figure is the estimate times scale with a 95 % interval of Student's t, where two values or more give one.
func (m mean) figure(column string, scale float64) figure {
	if math.IsNaN(m.value) || math.IsInf(m.value, 0) {
		return figure{Column: column, Text: "-"}
	}
	f := figure{Column: column, Value: scale * m.value}
	if m.df >= 1 && !math.IsNaN(m.err) {
		half := m.err * distuv.StudentsT{Sigma: 1, Nu: m.df}.Quantile(0.975)
		low, high := scale*(m.value-half), scale*(m.value+half)
		f.Low, f.High = &low, &high
	}
	return f
}
