package compare

import "math"

// power is how often a difference of the size of Pair.Detectable is found.
const power = 0.8

// few is the number of paired seeds below which a difference that was not found is not worth a word:
// with 3 seeds only one of several times the noise is found.
const few = 4

// estimate is a mean difference on the table's scale.
type estimate struct {
	n     int
	mean  float64
	se    float64 // of the mean; NaN where n < 2, where exact, and where there is no spread
	df    float64
	exact bool    // the same difference in every seed
	logs  bool    // the scale is logarithmic
	from  float64 // the reference's mean
}

// diff compares arm i with arm j, paired by seed.
func (t *table) diff(i, j int) estimate {
	seeds := t.seeds(i, j)
	e := estimate{n: len(seeds), mean: math.NaN(), se: math.NaN(), df: math.NaN(), logs: t.logs}
	if e.n == 0 {
		return e
	}
	d, n := make([]float64, e.n), float64(e.n)
	e.mean = 0
	for k, seed := range seeds {
		d[k] = t.by[i].scaled[seed] - t.by[j].scaled[seed]
		e.mean += d[k] / n
		e.from += t.by[j].value[seed] / n
	}
	ss, same := 0.0, true
	for k := range d {
		ss += (d[k] - e.mean) * (d[k] - e.mean)
		same = same && math.Abs(d[k]-d[0]) <= t.tiny
	}
	if same {
		ss, e.mean = 0, d[0]
	}
	if math.IsInf(e.from, 0) || math.IsInf(ss, 0) || math.IsNaN(ss) {
		e.mean = math.NaN() // beyond what a float64 holds: no difference can be told
		return e
	}
	// Where values are rounded two or three runs of an arm may agree by chance; four hardly do.
	if t.exact || same && e.n >= few {
		e.exact = true
		return e
	}
	if e.n < 2 {
		return e
	}
	if ss > 0 {
		e.se, e.df = math.Sqrt(ss/(n-1)/n), n-1
	}
	return e
}

// p is two-sided, of no difference: Student's paired t test.
func (e estimate) p() float64 {
	if math.IsNaN(e.se) {
		return math.NaN()
	}
	return tail(e.mean/e.se, e.df)
}

// onScale is a fraction of the reference on the scale.
func (e estimate) onScale(fraction float64) float64 {
	if e.logs {
		return math.Log1p(fraction)
	}
	return fraction * math.Abs(e.from)
}

// beyond is the one-sided p of a difference of at least the fraction limit: it is small where the
// difference is shown to be below it.
func (e estimate) beyond(limit float64) float64 {
	at := e.onScale(limit)
	switch {
	case e.exact && e.mean < at || e.exact && e.mean == 0:
		return 0
	case e.exact:
		return 1
	case math.IsNaN(e.se):
		return math.NaN()
	}
	return above((at-e.mean)/e.se, e.df)
}

// relative is a difference on the scale as a fraction of the reference; NaN where that is 0.
func (e estimate) relative(d float64) float64 {
	switch {
	case d == 0:
		return 0
	case e.logs:
		return math.Expm1(d)
	case e.from == 0:
		return math.NaN()
	}
	return d / math.Abs(e.from)
}
