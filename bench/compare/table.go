package compare

import (
	"cmp"
	"math"
	"slices"

	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// Units that this package treats specially.
const (
	adapterBytes = results.AdapterBytes
	parameters   = results.Parameters
	peakGPU      = "peak-GPU-GB"
	peakRSS      = "peak-RSS-GB"
	evalLoss     = "eval-loss"
	samples      = "samples/sec"
	secToLoss    = "sec-to-loss"
)

// words names units in sentences.
var words = map[string]string{
	evalLoss: "held-out loss", "forget-loss": "loss on other text", "train-loss": "training loss", "loss": "last logged loss",
	peakGPU: "peak GPU memory", peakRSS: "peak memory",
}

func plain(unit string) string { return cmp.Or(words[unit], unit) }

// timed reports whether a unit is a time or speed: drift is then in the difference of runs that were not in one block.
func timed(unit string) bool { return unit == secToLoss || slices.Contains(results.Speeds, unit) }

// few is the number of blocks below which not finding a difference means nothing: 3 find only one of several times the noise.
const few = 4

// tiny is the size up to which differences on the scale are rounding errors.
const tiny = 1e-12

// table is one metric of the arms that have it, by block.
type table struct {
	*study
	unit  string
	arms  []string
	by    []column
	scale stats.Scale
	exact bool // a unit without chance, and no arm's values differ
}

// column holds an arm's values; NaN where the block has none.
type column struct {
	at     int // of the study's arms
	value  []float64
	scaled []float64 // on the scale on which differences are taken
}

// missing returns n values that do not exist.
func missing(n int) []float64 { return slices.Repeat([]float64{math.NaN()}, n) }

// newTable makes the table of a unit from the values of the study's arms; those without any are left out.
func newTable(s *study, unit string, values [][]float64) *table {
	t := &table{study: s, unit: unit, scale: stats.NewScale(values...)}
	for i, name := range s.names {
		if slices.ContainsFunc(values[i], func(v float64) bool { return !math.IsNaN(v) }) {
			t.arms, t.by = append(t.arms, name), append(t.by, column{i, values[i], t.scale.Of(values[i])})
		}
	}
	return t
}

// table returns the table of a unit over all arms.
func (s *study) table(unit string) *table {
	base, factor := results.Tidy(unit)
	var values [][]float64
	for i := range s.arms {
		values = append(values, s.values(i, base, factor))
	}
	t := newTable(s, unit, values)
	t.exact = (s.set.Units[base].Exact || unit == adapterBytes || unit == parameters) && !slices.ContainsFunc(t.by, func(c column) bool {
		v := stats.NewSpread(c.value)
		return v.Min != v.Max
	})
	return t
}

func (t *table) index(arm string) int { return slices.Index(t.arms, arm) }

// Unreached counts, for sec-to-loss, the runs that missed the target: those that were timed and lack it. A resumed run was not timed.
func Unreached(b *results.Benchmark, unit string) int {
	n, reached := len(b.Runs), b.Metric(unit)
	if unit != secToLoss || reached == nil {
		return 0
	} else if timed := b.Metric("sec/op"); timed != nil {
		n = len(timed.Values)
	}
	return max(0, n-len(reached.Values))
}

// shared returns the indexes of the blocks in which all of the arms have a value.
func (t *table) shared(arms ...int) (blocks []int) {
	for k := range t.seeds {
		if !slices.ContainsFunc(arms, func(a int) bool { return math.IsNaN(t.by[a].value[k]) }) {
			blocks = append(blocks, k)
		}
	}
	return blocks
}

// lowest returns the arm with the lowest mean over the blocks that all of them have, or over its own if there are none, and that mean,
// geometric where differences are of logarithms. Of equals it is the first.
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

// estimate is a mean difference on the table's scale. If every block shows the same one, it is what it is, and SE is NaN.
type estimate struct {
	stats.Difference
	Pair        // without the figures that depend on the family
	drifts bool // a time, and not all pairs of runs were in one block
	scale  stats.Scale
	from   float64 // the reference's mean
}

// diff compares arm i with arm j, paired by block.
func (t *table) diff(i, j int) estimate {
	blocks, nan := t.shared(i, j), math.NaN()
	e := estimate{Pair: Pair{Unit: t.unit, Arm: t.arms[i], To: t.arms[j], N: len(blocks)}, scale: t.scale,
		Difference: stats.Difference{Mean: nan, SE: nan, DF: nan}}
	// Runs that reached a target are not compared with each other: they would be the fast ones.
	a, b := t.by[i], t.by[j]
	if e.N == 0 || Unreached(t.study.arms[a.at], t.unit)+Unreached(t.study.arms[b.at], t.unit) > 0 {
		return e
	}
	d := make([]float64, e.N)
	for k, at := range blocks {
		d[k] = a.scaled[at] - b.scaled[at]
		e.from += b.value[at] / float64(e.N)
		block := t.runs[a.at][at].Block
		e.drifts = e.drifts || timed(t.unit) && (block == results.Unplaced || block != t.runs[b.at][at].Block)
	}
	if math.IsInf(e.from, 0) {
		return e // beyond what a float64 holds: no difference can be told
	}
	e.Difference = stats.Paired(d)
	same := !slices.ContainsFunc(d, func(x float64) bool { return math.Abs(x-d[0]) > tiny })
	// Where values are rounded two or three runs of an arm may agree by chance; four hardly do.
	e.Exact = t.exact || same && e.N >= few
	if same {
		e.Mean = d[0]
	}
	if same || e.Exact {
		e.SE = nan
	}
	return e
}

// in fills in the figures that depend on the family's size; the family's intervals hold together with 1 - alpha (Bonferroni).
func (e estimate) in(family int, alpha float64) estimate {
	relative := func(d float64) float64 { return e.scale.Relative(d, e.from) } // a fraction of the reference; NaN where that is 0
	low, high := e.Mean, e.Mean
	if !e.Exact {
		low, high = e.Interval(alpha / float64(family))
	}
	e.Diff, e.Low, e.High = relative(e.Mean), relative(low), relative(high)
	e.Pair.P, e.Pair.Detectable = e.Difference.P(), math.NaN()
	e.Corrected = min(1, e.Pair.P*float64(family))
	if !math.IsNaN(e.SE) {
		e.Pair.Detectable = relative(e.Difference.Detectable(alpha/2/float64(family), 0))
	}
	return e
}
