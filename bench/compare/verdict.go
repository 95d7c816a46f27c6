package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// ranking is the arms of a contest against each other, and what follows. Its family is the comparisons with the arm that is truly
// best, whichever that is: multiple comparisons with the best (J. C. Hsu, Annals of Statistics 12, 1984), by Bonferroni. Its intervals
// hold together although the best is found by looking.
type ranking struct {
	*contest
	Verdict
	alpha  float64
	family int
	loss   float64      // the best's mean
	margin string       // in words
	among  [][]estimate // [i][j] is arm i against arm j
	all    []int        // places of arms
	calls  []Call       // of each arm
}

// rank compares every arm with every other. An arm is worse where its intervals against every arm that may be the best lie beyond
// the margin, and as good where all of its intervals lie below it (against the best that is two one-sided tests, since there the
// interval is around a difference of at least 0).
func (c *contest) rank(o Options) *ranking {
	n := len(c.arms)
	r := &ranking{contest: c, alpha: o.Alpha, family: max(1, n-1), among: make([][]estimate, n), calls: make([]Call, n)}
	for i := range n {
		r.all = append(r.all, i)
	}
	best, mean := c.lowest(r.all...)
	r.Unit, r.Best, r.loss = c.unit, c.arms[best], mean
	r.Limit, r.margin = o.Margin.of(c.before, mean)
	low, high, may := make([][]float64, n), make([][]float64, n), make([]bool, n) // may be the best
	for i := range n {
		r.among[i], low[i], high[i] = make([]estimate, n), missing(n), missing(n)
		for _, j := range r.all {
			if j != i {
				r.among[i][j] = c.diff(i, j)
				low[i][j], high[i][j] = r.among[i][j].bounds(r.alpha, r.family)
			}
		}
		may[i] = i == best || !slices.ContainsFunc(low[i], func(x float64) bool { return x > 0 })
	}
	for i := range n {
		worse, good := !may[i], true
		for _, j := range r.all {
			if j != i {
				worse, good = worse && (low[i][j] > r.Limit || !may[j]), good && high[i][j] < r.Limit
			}
		}
		if r.calls[i] = CannotTell; good {
			r.calls[i] = AsGood
		} else if worse {
			r.calls[i] = Worse
		}
	}
	if r.Limit > 0 && n > 1 {
		r.decide(best)
	}
	return r
}

// decide fills in how arms stand against the best, and the smallest that is as good, of one rank's the one with the lowest loss. The
// best itself is so if it is shown to be, or if all others are worse. The number of seeds that would decide what cannot be told is of
// those for as good and for worse the lower, if differences and noise are what they seem.
func (r *ranking) decide(best int) {
	others, at := true, -1
	for i := range r.arms {
		if i == best {
			continue
		}
		e := r.among[i][best]
		p := e.pair(r.alpha, r.family)
		if p.Call = r.calls[i]; p.Call == CannotTell && !math.IsNaN(e.SE) {
			limit, level := e.scale.Shift(r.Limit, e.from), r.alpha/2/float64(r.family)
			p.Seeds = min(stats.TooMany, e.needed(limit-e.Mean, level), e.needed(e.Mean-limit, level))
		}
		r.Standing, others = append(r.Standing, p), others && p.Call == Worse
	}
	for i, name := range r.arms {
		if at >= 0 && rankOf(name) != rankOf(r.Smallest) {
			break
		}
		good := r.calls[i] == AsGood || i == best && others
		if good && (at < 0 || i == best || at != best && r.among[i][at].Mean < 0) {
			at, r.Smallest = i, name
		}
	}
	_, open := r.smaller()
	r.Sure = at >= 0 && len(open) == 0
}

// smaller returns the arms of smaller ranks than the smallest that is enough, and those of them that are not shown to be worse.
func (r *ranking) smaller() (all, open []string) {
	for i, name := range r.arms[:max(0, r.index(r.Smallest))] {
		if rankOf(name) != rankOf(r.Smallest) {
			if all = append(all, name); r.calls[i] != Worse {
				open = append(open, name)
			}
		}
	}
	return all, open
}

// verdict judges the arms by their loss and says what each costs: larger arms in speed, memory and size against the smallest that is
// enough, or against the first where that is unknown or the largest.
func (s *study) verdict(a *Analysis) (v Verdict) {
	arms, c := s.names, s.contest()
	if c == nil {
		v.Text = []string{fmt.Sprintf("Cannot tell which rank is enough: the runs have no loss (%s).", strings.Join(results.Losses, ", "))}
	} else {
		arms = c.arms
		r := c.rank(a.Options)
		v = r.Verdict
		v.Text = []string{r.first()}
		if n := len(arms); full(v.Smallest) && n > 2 {
			// Which adapter, if there must be one, is a question of its own.
			without := &contest{table: c.only(r.all[:n-1]), before: c.before}
			v.Text = append(v.Text, "Without training every weight: "+without.rank(a.Options).first())
		}
		v.Text = append(v.Text, r.text()...)
	}
	base := slices.Index(arms, v.Smallest)
	if base < 0 || base == len(arms)-1 {
		base = 0
	}
	for _, unit := range []string{samples, peakGPU, peakRSS, adapterBytes} {
		v.Costs = append(v.Costs, s.table(unit).pairs(arms[base], arms[base:], a.Alpha)...)
	}
	for _, arm := range arms[base:] {
		v.Text = append(v.Text, s.cost(arm, v.Costs)...)
	}
	if a.Unsteady != "" {
		v.Text = append(v.Text, a.Unsteady)
	}
	return v
}
