package compare

import (
	"math"
	"slices"
	"strings"

	"lorabench/bench/stats"
)

// ranking is the arms of a contest against each other.
type ranking struct {
	*contest
	alpha  float64
	best   int
	among  [][]estimate // [i][j] is arm i against arm j
	margin Margin       // that was used
	limit  float64      // as a fraction of the best's loss
	may    []bool       // arms that may be the best
}

// family is the number of comparisons with the arm that is truly best, whichever that is: the simultaneous intervals of multiple
// comparisons with the best (J. C. Hsu, Annals of Statistics 12, 1984) by Bonferroni. They hold although the best is found by looking.
func (r *ranking) family() int { return max(1, len(r.arms)-1) }

// rank compares every arm with every other.
func (c *contest) rank(o Options) *ranking {
	n := len(c.arms)
	r := &ranking{contest: c, alpha: o.Alpha, best: c.lowest()}
	r.margin, r.limit = o.Margin.of(c.before, c.loss(r.best))
	for i := range n {
		r.among = append(r.among, make([]estimate, n))
		may := true
		for j := range n {
			if i != j {
				r.among[i][j] = c.diff(i, j)
				low, _ := r.among[i][j].bounds(o.Alpha, r.family())
				may = may && !(low > 0)
			}
		}
		r.may = append(r.may, may || i == r.best)
	}
	return r
}

// lowest is the arm with the lowest mean over the blocks that all have, or over its own where there are none; of equals the first.
func (t *table) lowest() int {
	best := 0
	for i := range t.arms {
		if t.loss(i) < t.loss(best) {
			best = i
		}
	}
	return best
}

// loss is an arm's mean.
func (t *table) loss(i int) float64 {
	var all []int
	for k := range t.arms {
		all = append(all, k)
	}
	blocks := t.shared(all...)
	if len(blocks) == 0 {
		blocks = t.shared(i)
	}
	return t.mean(i, blocks)
}

// against is the interval of arm i against arm j.
func (r *ranking) against(i, j int) (low, high float64) {
	return r.among[i][j].bounds(r.alpha, r.family())
}

// call is arm i's standing. It is worse where its intervals against every arm that may be the best lie beyond the margin, and as good
// where those against all arms lie below it (against the best that is two one-sided tests, since the interval is around a difference
// of at least 0).
func (r *ranking) call(i int) string {
	worse, good := true, true
	for j := range r.arms {
		if j == i {
			continue
		}
		low, high := r.against(i, j)
		worse = worse && (low > r.limit || !r.may[j])
		good = good && high < r.limit
	}
	switch {
	case good:
		return AsGood
	case worse && !r.may[i]:
		return Worse
	}
	return Undecided
}

// verdict judges the arms by their loss and says what each costs.
func (s *study) verdict(tables map[string]*table, a *Analysis) Verdict {
	c := s.contest(tables)
	if c == nil {
		v := Verdict{Costs: s.costs(tables, s.names, a.Alpha)}
		v.Text = s.words(&v, nil, a)
		return v
	}
	r := c.rank(a.Options)
	v := Verdict{Unit: c.unit, Best: c.arms[r.best], Limit: r.limit}
	base := 0
	if r.limit > 0 {
		others := true // are worse
		for i := range c.arms {
			if i != r.best {
				st := r.standing(i)
				others = others && st.Call == Worse
				v.Standing = append(v.Standing, st)
			}
		}
		if len(c.arms) > 1 {
			v.Smallest, v.Sure = r.smallest(others)
		}
		base = max(0, slices.Index(c.arms, v.Smallest))
	}
	v.Costs = s.costs(tables, c.arms[base:], a.Alpha)
	v.Text = s.words(&v, r, a)
	return v
}

// standing is arm i's against the best.
func (r *ranking) standing(i int) Standing {
	e := r.among[i][r.best]
	st := Standing{Arm: r.arms[i], Call: r.call(i), Diff: e.relative(e.Mean), Corrected: e.corrected(r.family())}
	st.Low, st.High = r.against(i, r.best)
	if st.Call == Undecided {
		st.Seeds = r.seeds(i)
	}
	return st
}

// smallest is the smallest arm that is as good as the best, of one rank's the one with the lowest loss,
// and whether all of smaller ranks are worse. The best itself is so if it is shown to be, or if all others are worse.
func (r *ranking) smallest(others bool) (arm string, sure bool) {
	at := -1
	for i, name := range r.arms {
		if at >= 0 && rankOf(name) != rankOf(r.arms[at]) {
			break
		}
		good := r.call(i) == AsGood || i == r.best && others
		if good && (at < 0 || i == r.best || at != r.best && r.among[i][r.best].Mean < r.among[at][r.best].Mean) {
			at = i
		}
	}
	if at < 0 {
		return "", false
	}
	for i, name := range r.arms[:at] {
		if rankOf(name) != rankOf(r.arms[at]) && r.call(i) != Worse {
			return r.arms[at], false
		}
	}
	return r.arms[at], true
}

// rankOf is the part of an arm's name that is its rank.
func rankOf(arm string) string {
	rank, _, _ := strings.Cut(arm, "/")
	return rank
}

// seeds is about how many would decide arm i 80 % of the time if the differences are what they seem: as good or worse, whichever takes
// fewer. 0 is for no estimate of the noise, stats.TooMany for no end in sight.
func (r *ranking) seeds(i int) int {
	nearest := r.best // the arm that as good hangs on
	for j := range r.arms {
		if _, high := r.against(i, nearest); j != i {
			if _, other := r.against(i, j); other > high {
				nearest = j
			}
		}
	}
	good, worse := r.among[i][nearest], r.among[i][r.best]
	if math.IsNaN(good.SE) || math.IsNaN(worse.SE) {
		return 0
	}
	level := r.alpha / 2 / float64(r.family())
	return min(good.needed(good.scale.Shift(r.limit, good.from)-good.Mean, level),
		worse.needed(worse.Mean-worse.scale.Shift(r.limit, worse.from), level), stats.TooMany)
}

// costs compares every other of arms with the first in speed, memory and size.
func (s *study) costs(tables map[string]*table, arms []string, alpha float64) []Cost {
	var out []Cost
	for _, unit := range []string{samples, peakGPU, peakRSS, adapterBytes} {
		t := tables[unit]
		if t == nil || t.untold {
			continue
		}
		from := slices.Index(t.arms, arms[0])
		if from < 0 {
			continue
		}
		var es []estimate
		var names []string
		for _, arm := range arms[1:] {
			if i := slices.Index(t.arms, arm); i >= 0 {
				es, names = append(es, t.diff(i, from)), append(names, arm)
			}
		}
		for _, p := range pairs(names, arms[0], es, alpha) {
			out = append(out, Cost{Arm: p.Arm, To: p.To, Unit: unit, Diff: p.Diff, Low: p.Low, High: p.High, Detectable: p.Detectable, Call: p.Call, Exact: p.Exact})
		}
	}
	return out
}
