package compare

import (
	"math"
	"slices"

	"lorabench/bench/stats"
)

// few is the number of paired seeds below which a difference that was not found is not worth a word:
// with 3 seeds only one of several times the noise is found.
const few = 4

// estimate is a mean difference on the table's scale.
type estimate struct {
	stats.Difference
	n     int
	exact bool // the same difference in every seed: it is what it is, and SE is NaN
	scale stats.Scale
	from  float64 // the reference's mean
}

// diff compares arm i with arm j, paired by seed.
func (t *table) diff(i, j int) estimate {
	seeds, nan := t.seeds(i, j), math.NaN()
	e := estimate{n: len(seeds), Difference: stats.Difference{Mean: nan, SE: nan, DF: nan}, scale: t.scale}
	if e.n == 0 {
		return e
	}
	d := make([]float64, e.n)
	for k, seed := range seeds {
		d[k] = t.by[i].scaled[seed] - t.by[j].scaled[seed]
		e.from += t.by[j].value[seed] / float64(e.n)
	}
	e.Difference = stats.Paired(d)
	if math.IsInf(e.from, 0) {
		e.Mean, e.SE = nan, nan // beyond what a float64 holds: no difference can be told
		return e
	}
	same := !slices.ContainsFunc(d, func(x float64) bool { return math.Abs(x-d[0]) > tiny })
	if same {
		e.Mean, e.SE = d[0], nan
	}
	// Where values are rounded two or three runs of an arm may agree by chance; four hardly do.
	if e.exact = t.exact || same && e.n >= few; e.exact {
		e.SE = nan
	}
	return e
}

// beyond is the one-sided p of a difference of at least the fraction limit: it is small where the
// difference is shown to be below it.
func (e estimate) beyond(limit float64) float64 {
	at := e.scale.Shift(limit, e.from)
	switch {
	case e.exact && e.Mean < at || e.exact && e.Mean == 0:
		return 0
	case e.exact:
		return 1
	}
	return e.Below(at)
}

// relative is a difference on the scale as a fraction of the reference; NaN where that is 0.
func (e estimate) relative(d float64) float64 { return e.scale.Relative(d, e.from) }
