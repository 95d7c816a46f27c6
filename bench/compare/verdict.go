package compare

import (
	"math"
	"slices"
	"strings"

	"lorabench/bench/stats"
)

// ranking is the arms of a contest against each other. Its family is the comparisons with the arm that is truly best, whichever that
// is: multiple comparisons with the best (J. C. Hsu, Annals of Statistics 12, 1984), by Bonferroni. Its intervals hold together
// although the best is found by looking.
type ranking struct {
	*contest
	arms   []string
	alpha  float64
	family int
	best   int
	loss   float64      // the best's mean
	among  [][]estimate // [i][j] is arm i against arm j
	margin Margin       // that was used
	limit  float64      // as a fraction of loss; 0 where training gained nothing
	may    []bool       // arms that may be the best
}

// rank compares every arm with every other.
func (c *contest) rank(o Options) *ranking {
	n := len(c.at)
	r := &ranking{contest: c, arms: c.table.arms, alpha: o.Alpha, family: max(1, n-1)}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	r.best, r.loss = c.lowest(all...)
	r.margin, r.limit = o.Margin.of(c.before, r.loss)
	for i := range n {
		r.among = append(r.among, make([]estimate, n))
		may := true
		for j := range n {
			if i != j {
				r.among[i][j] = c.diff(i, j)
				low, _ := r.against(i, j)
				may = may && !(low > 0)
			}
		}
		r.may = append(r.may, may || i == r.best)
	}
	return r
}

// against is the interval of arm i against arm j.
func (r *ranking) against(i, j int) (low, high float64) {
	return r.among[i][j].bounds(r.alpha, r.family)
}

// call is arm i's standing, and the arm that being as good hangs on: that against which the interval reaches highest. An arm is worse
// where its intervals against every arm that may be the best lie beyond the margin, and as good where all of its intervals lie
// below it (against the best that is two one-sided tests, since there the interval is around a difference of at least 0).
func (r *ranking) call(i int) (call Call, nearest int) {
	worse, good, highest := !r.may[i], true, math.Inf(-1)
	for j := range r.arms {
		if j == i {
			continue
		}
		low, high := r.against(i, j)
		worse = worse && (low > r.limit || !r.may[j])
		good = good && high < r.limit
		if high > highest {
			nearest, highest = j, high
		}
	}
	switch {
	case good:
		return AsGood, nearest
	case worse:
		return Worse, nearest
	}
	return CannotTell, nearest
}

// standing is arm i's against the best. The number of seeds that would decide it is of those for as good and for worse the lower, if
// differences and noise are what they seem.
func (r *ranking) standing(i int) Standing {
	worse := r.among[i][r.best]
	st := Standing{Pair: worse.pair(r.arms[i], r.arms[r.best], r.alpha, r.family)}
	call, nearest := r.call(i)
	st.Call = call
	if good := r.among[i][nearest]; call == CannotTell && !math.IsNaN(good.SE) && !math.IsNaN(worse.SE) {
		level := r.alpha / 2 / float64(r.family)
		st.Seeds = min(stats.TooMany, good.needed(good.scale.Shift(r.limit, good.from)-good.Mean, level),
			worse.needed(worse.Mean-worse.scale.Shift(r.limit, worse.from), level))
	}
	return st
}

// verdict judges the arms by their loss and says what each costs.
func (s *study) verdict(tables map[string]*table, a *Analysis) Verdict {
	var v Verdict
	c := s.contest(tables)
	if c == nil {
		v.Costs = s.costs(tables, s.names, a.Alpha)
		v.Text = (&writer{study: s, a: a, v: &v}).text()
		return v
	}
	r := c.rank(a.Options)
	v.Unit, v.Best, v.Limit = c.unit, r.arms[r.best], r.limit
	if r.limit > 0 && len(r.arms) > 1 {
		for i := range r.arms {
			if i != r.best {
				v.Standing = append(v.Standing, r.standing(i))
			}
		}
		v.Smallest, v.Sure = r.smallest(!slices.ContainsFunc(v.Standing, func(st Standing) bool { return st.Call != Worse }))
	}
	v.Costs = s.costs(tables, r.arms[max(0, slices.Index(r.arms, v.Smallest)):], a.Alpha)
	v.Text = (&writer{study: s, a: a, v: &v, r: r}).text()
	return v
}

// smallest is the smallest arm that is as good as the best, of one rank's the one with the lowest loss, and whether all of smaller
// ranks are worse. The best itself is so if it is shown to be, or if all others are worse.
func (r *ranking) smallest(others bool) (arm string, sure bool) {
	at := -1
	for i, name := range r.arms {
		if at >= 0 && rankOf(name) != rankOf(r.arms[at]) {
			break
		}
		call, _ := r.call(i)
		good := call == AsGood || i == r.best && others
		if good && (at < 0 || i == r.best || at != r.best && r.among[i][at].Mean < 0) {
			at = i
		}
	}
	if at < 0 {
		return "", false
	}
	return r.arms[at], len(r.open(r.arms[at], false)) == 0
}

// open are the arms of smaller ranks that are not shown to be worse, or with all the worse ones too.
func (r *ranking) open(arm string, all bool) (open []string) {
	for i, name := range r.arms[:max(0, slices.Index(r.arms, arm))] {
		if call, _ := r.call(i); rankOf(name) != rankOf(arm) && (all || call != Worse) {
			open = append(open, name)
		}
	}
	return open
}

// rankOf is the part of an arm's name that is its rank.
func rankOf(arm string) string {
	rank, _, _ := strings.Cut(arm, "/")
	return rank
}

// costs compares every other of arms with the first in speed, memory and size.
func (s *study) costs(tables map[string]*table, arms []string, alpha float64) (costs []Cost) {
	for _, unit := range []string{samples, peakGPU, peakRSS, adapterBytes} {
		t := tables[unit]
		if t == nil || t.untold || !slices.Contains(t.arms, arms[0]) {
			continue
		}
		var es []estimate
		var names []string
		for _, arm := range arms[1:] {
			if i := slices.Index(t.arms, arm); i >= 0 {
				es, names = append(es, t.diff(i, slices.Index(t.arms, arms[0]))), append(names, arm)
			}
		}
		for _, p := range pairs(names, arms[0], es, alpha) {
			costs = append(costs, Cost{p, unit})
		}
	}
	return costs
}
