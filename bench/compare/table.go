package compare

import (
	"math"
	"slices"

	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// few is the number of blocks below which a difference that was not found is not worth a word: with 3 only one of several
// times the noise is found.
const few = 4

// tiny is the size up to which differences on the scale are rounding errors.
const tiny = 1e-12

// table is one metric of the arms that have it, by block.
type table struct {
	arms   []string
	by     []column
	scale  stats.Scale
	exact  bool // a unit without chance, and no arm's values differ
	timed  bool // a time or speed: drift is in the difference of runs that were not in one block
	untold bool // carried over from run to run: nothing can be compared
}

// column is an arm's values; NaN where the block has none.
type column struct {
	value  []float64
	scaled []float64 // on the scale on which differences are taken
	runs   []*results.Run
}

// missing are n values that are not there.
func missing(n int) []float64 { return slices.Repeat([]float64{math.NaN()}, n) }

// newTable takes values[k], those of the study's arm arms[k].
func newTable(s *study, arms []int, values [][]float64) *table {
	t := &table{}
	for k, i := range arms {
		if slices.ContainsFunc(values[k], func(v float64) bool { return !math.IsNaN(v) }) {
			t.arms = append(t.arms, s.names[i])
			t.by = append(t.by, column{value: values[k], runs: s.runs[i]})
		}
	}
	t.scale = stats.NewScale(values...)
	for i := range t.by {
		t.by[i].scaled = t.scale.Of(t.by[i].value)
	}
	return t
}

// table is that of a unit of all arms.
func (s *study) table(unit string) *table {
	base, factor := results.Tidy(unit)
	var arms []int
	var values [][]float64
	for i := range s.arms {
		arms, values = append(arms, i), append(values, s.values(i, base, factor))
	}
	t := newTable(s, arms, values)
	t.timed = timed(unit)
	t.exact = s.set.Units[base].Exact || unit == adapterBytes || unit == parameters
	for i := range t.by {
		vs := t.values(i)
		t.exact = t.exact && slices.Min(vs) == slices.Max(vs)
	}
	return t
}

// shared are the places of the blocks in which all of the arms have a value.
func (t *table) shared(arms ...int) (blocks []int) {
	for k := range t.by[arms[0]].value {
		if !slices.ContainsFunc(arms, func(a int) bool { return math.IsNaN(t.by[a].value[k]) }) {
			blocks = append(blocks, k)
		}
	}
	return blocks
}

// values are those that arm i has.
func (t *table) values(i int) (vs []float64) {
	for _, k := range t.shared(i) {
		vs = append(vs, t.by[i].value[k])
	}
	return vs
}

// lowest is which of the arms has the lowest mean over the blocks that all of them have, or over its own where there are none, and
// that mean, geometric where differences are of logarithms. Of equals it is the first.
func (t *table) lowest(arms ...int) (lowest int, mean float64) {
	least := math.Inf(1)
	blocks := t.shared(arms...)
	for _, a := range arms {
		own, sum := blocks, 0.0
		if len(own) == 0 {
			own = t.shared(a)
		}
		for _, k := range own {
			sum += t.by[a].scaled[k] / float64(len(own))
		}
		if sum < least {
			lowest, least = a, sum
		}
	}
	if t.scale.Logs {
		return lowest, math.Exp(least)
	}
	return lowest, least * t.scale.Over
}

// estimate is a mean difference on the table's scale.
type estimate struct {
	stats.Difference
	n      int
	exact  bool // the same difference in every block: it is what it is, and SE is NaN
	drifts bool // a time, and not all pairs of runs were in one block
	scale  stats.Scale
	from   float64 // the reference's mean
}

// diff compares arm i with arm j, paired by block.
func (t *table) diff(i, j int) estimate {
	blocks, nan := t.shared(i, j), math.NaN()
	e := estimate{n: len(blocks), Difference: stats.Difference{Mean: nan, SE: nan, DF: nan}, scale: t.scale}
	if e.n == 0 || t.untold {
		return e
	}
	a, b := t.by[i], t.by[j]
	d := make([]float64, e.n)
	for k, at := range blocks {
		d[k] = a.scaled[at] - b.scaled[at]
		e.from += b.value[at] / float64(e.n)
		block := a.runs[at].Block
		e.drifts = e.drifts || t.timed && (block == results.Unplaced || block != b.runs[at].Block)
	}
	e.Difference = stats.Paired(d)
	if math.IsInf(e.from, 0) {
		e.Mean, e.SE = nan, nan // beyond what a float64 holds: no difference can be told
		return e
	}
	same := !slices.ContainsFunc(d, func(x float64) bool { return math.Abs(x-d[0]) > tiny })
	// Where values are rounded two or three runs of an arm may agree by chance; four hardly do.
	e.exact = t.exact || same && e.n >= few
	if same {
		e.Mean = d[0]
	}
	if same || e.exact {
		e.SE = nan
	}
	return e
}

// relative is a difference on the scale as a fraction of the reference; NaN where that is 0.
func (e estimate) relative(d float64) float64 { return e.scale.Relative(d, e.from) }

// bounds is the interval of which a family of so many hold together with 1 - alpha (Bonferroni), as fractions.
func (e estimate) bounds(alpha float64, family int) (low, high float64) {
	switch {
	case e.exact:
		return e.relative(e.Mean), e.relative(e.Mean)
	case math.IsNaN(e.SE):
		return math.NaN(), math.NaN()
	}
	low, high = e.Interval(alpha / float64(family))
	return e.relative(low), e.relative(high)
}

// needed is the number of blocks in which a difference of gap is found at one-sided level p in 80 % of all cases.
func (e estimate) needed(gap, p float64) int {
	return stats.Needed(e.n, func(k int) bool { return e.Resampled(e.n, k).Detectable(p, 0) <= gap })
}
