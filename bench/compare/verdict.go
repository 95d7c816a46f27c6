package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// rank compares every arm with every other. The family is the comparisons with the arm that is truly best, whichever that is: multiple
// comparisons with the best (J. C. Hsu, Annals of Statistics 12, 1984), by Bonferroni. Its intervals hold together although the best is
// found by looking. An arm is worse where its intervals against every arm that may be the best lie beyond the margin, and as good where
// all of them lie below it (against the best that is two one-sided tests, since there the interval is around a difference of at least 0).
func (c *contest) rank(o Options) {
	n := len(c.arms)
	var all []int
	for i := range n {
		all = append(all, i)
	}
	best, mean := c.lowest(all...)
	c.alpha, c.Unit, c.Best, c.loss = o.Alpha, c.unit, c.arms[best], mean
	c.Limit, c.margin = o.Margin.of(c.before, mean)
	may := make([]bool, n) // be the best
	for i := range n {
		c.among, may[i] = append(c.among, make([]estimate, n)), true
		for j := range n {
			if i != j {
				c.among[i][j] = c.diff(i, j).in(max(1, n-1), c.alpha)
				may[i] = may[i] && (i == best || !(c.among[i][j].Low > 0))
			}
		}
	}
	for i := range n {
		worse, good, call := !may[i], true, CannotTell
		for j, e := range c.among[i] {
			if i != j {
				worse, good = worse && (e.Low > c.Limit || !may[j]), good && e.High < c.Limit
			}
		}
		if good {
			call = AsGood
		} else if worse {
			call = Worse
		}
		c.calls = append(c.calls, call)
	}
	if c.Limit > 0 && n > 1 {
		c.decide(best)
	}
}

// decide sets how arms stand against the best, and the smallest that is as good; of one rank's, the one with the lowest loss. The best
// itself counts if it is shown to be as good, or if all others are worse. Pair.Seeds is the number that would find a difference between
// arm and margin 80 % of the time, if differences and noise are what they seem.
func (c *contest) decide(best int) {
	others, at := true, -1
	for i := range c.arms {
		if i == best {
			continue
		}
		e := c.among[i][best]
		if e.Call = c.calls[i]; e.Call == CannotTell && !math.IsNaN(e.SE) {
			gap, level := math.Abs(e.scale.Shift(c.Limit, e.from)-e.Mean), c.alpha/2/float64(len(c.arms)-1)
			e.Seeds = min(stats.TooMany, stats.Needed(e.N, func(k int) bool { return e.Resampled(e.N, k).Detectable(level, 0) <= gap }))
		}
		c.Standing, others = append(c.Standing, e.Pair), others && e.Call == Worse
	}
	for i, name := range c.arms {
		if at >= 0 && rankOf(name) != rankOf(c.Smallest) {
			break
		}
		good := c.calls[i] == AsGood || i == best && others
		if good && (at < 0 || i == best || at != best && c.among[i][at].Mean < 0) {
			at, c.Smallest = i, name
		}
	}
	_, open := c.smaller()
	c.Sure = at >= 0 && len(open) == 0
}

// smaller returns the arms of smaller ranks than the smallest that is enough, and those of them that are not shown to be worse.
func (c *contest) smaller() (all, open []string) {
	for i, name := range c.arms[:max(0, c.index(c.Smallest))] {
		if rankOf(name) != rankOf(c.Smallest) {
			if all = append(all, name); c.calls[i] != Worse {
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
		c.rank(a.Options)
		v = c.Verdict
		v.Text = []string{c.first()}
		if n := len(arms); full(v.Smallest) && n > 2 {
			// Which adapter, if there must be one, is a question of its own.
			t := *c.table
			t.arms, t.by = t.arms[:n-1], t.by[:n-1]
			without := &contest{table: &t, before: c.before}
			without.rank(a.Options)
			v.Text = append(v.Text, "Without training every weight: "+without.first())
		}
		v.Text = append(v.Text, c.text()...)
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
