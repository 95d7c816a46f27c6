package history

import (
	"math"
	"strconv"
)

// axis turns values into places between 0 and 1.
type axis struct {
	lo, hi float64
	logs   bool
}

// wide is the ratio of values from which an axis is logarithmic.
const wide = 20

// newAxis has room for all values.
func newAxis(vs []float64) axis {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range vs {
		lo, hi = min(lo, v), max(hi, v)
	}
	if lo > 0 && hi/lo > wide {
		return axis{max(lo/1.3, math.SmallestNonzeroFloat64), min(hi*1.3, math.MaxFloat64), true}
	}
	// Half the range first: that of the largest numbers overflows.
	half := hi/2 - lo/2
	pad := half * 0.12
	if least := 0.01 * max(math.Abs(lo), math.Abs(hi)); half < least {
		pad = least // noise of a tenth of a percent is not to look like mountains
	}
	if pad == 0 {
		pad = 1
	}
	a := axis{lo: max(lo-pad, -math.MaxFloat64), hi: min(hi+pad, math.MaxFloat64)}
	if lo >= 0 && a.lo < 0 {
		a.lo = 0
	}
	return a
}

func (a axis) at(v float64) float64 {
	if a.logs {
		return (math.Log(v) - math.Log(a.lo)) / (math.Log(a.hi) - math.Log(a.lo))
	}
	return (v/2 - a.lo/2) / (a.hi/2 - a.lo/2)
}

// tick is a place on an axis.
type tick struct {
	v     float64
	label string
}

func (a axis) ticks() []tick {
	if a.logs {
		return a.logTicks()
	}
	raw := (a.hi/2 - a.lo/2) / 2.5
	if !(raw > 0) || math.IsInf(raw, 0) {
		return nil
	}
	size := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if m*size >= raw {
			size *= m
			break
		}
	}
	most := max(math.Abs(a.lo), math.Abs(a.hi))
	if !(size > most*1e-12) {
		return nil
	}
	decimals := 0
	for s := size; decimals < 12 && math.Abs(s-math.Round(s)) > 1e-6*s; decimals++ {
		s *= 10
	}
	var ts []tick
	for k := math.Ceil(a.lo / size); k*size <= a.hi; k++ {
		v := k * size
		label := fixed(v, decimals)
		if most >= 1e9 || most < 1e-5 {
			label = minus(strconv.FormatFloat(v, 'g', 4, 64))
		}
		ts = append(ts, tick{v, label})
	}
	return ts
}

func (a axis) logTicks() []tick {
	ms := []float64{1, 2, 5}
	decades := math.Log10(a.hi) - math.Log10(a.lo)
	if decades > 3 {
		ms = ms[:1]
	}
	each := math.Ceil(decades / 6) // 6 labels at most where there are powers of ten alone
	var ts []tick
	for e := math.Floor(math.Log10(a.lo)); e <= math.Log10(a.hi); e++ {
		if decades > 6 && math.Mod(e, each) != 0 {
			continue
		}
		for _, m := range ms {
			if v := m * math.Pow(10, e); v >= a.lo && v <= a.hi {
				ts = append(ts, tick{v, significant(v, 1)})
			}
		}
	}
	return ts
}
