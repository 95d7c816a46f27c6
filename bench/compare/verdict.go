package compare

import (
	"math"
	"slices"
	"strings"

	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// ranking is the arms of one loss against each other.
type ranking struct {
	t       *table
	best    int
	among   [][]estimate // [i][j] is arm i against arm j
	p       [][]float64  // of no difference, corrected for all pairs
	within  []float64    // of "more than the margin above some other arm", corrected for all arms
	nearest []int        // the arm that within[i] hangs on
}

// rank compares every arm with every other. The best arm is found by looking at the data, so that
// comparing the others with it is comparing all with all (a best that is only luckily so would otherwise
// make the others worse than they are): all pairs are the family. That an arm is as good is a
// non-inferiority test against every other arm, at alpha/2 and one-sided, as the upper end of a 1 -
// alpha interval is; the largest p counts (an intersection-union test: R. L. Berger, Technometrics 24,
// 1982), and the arms are the family.
func (t *table) rank(o Options) *ranking {
	n := len(t.arms)
	r := &ranking{t: t, best: t.lowest(), within: make([]float64, n), nearest: make([]int, n)}
	var ps []float64
	var cs []comparison
	for i := range n {
		r.among, r.p = append(r.among, make([]estimate, n)), append(r.p, make([]float64, n))
		r.nearest[i] = -1
		for j := range n {
			if i == j {
				continue
			}
			e := t.diff(i, j)
			r.among[i][j] = e
			if i < j {
				cs, ps = append(cs, comparison{i, j}), append(ps, e.P())
			}
			w := e.beyond(o.Margin)
			if r.nearest[i] < 0 || !math.IsNaN(r.within[i]) && !(w <= r.within[i]) {
				r.within[i], r.nearest[i] = w, j
			}
		}
	}
	for k, p := range stats.Holm(ps) {
		c := cs[k]
		r.p[c.i][c.j], r.p[c.j][c.i] = p, p
	}
	r.within = stats.Holm(r.within)
	return r
}

// lowest is the arm with the lowest mean over the seeds that all have, or over its own where there are
// none; of equals the first.
func (t *table) lowest() int {
	common := t.seeds(t.all()...)
	best, least := 0, math.Inf(1)
	for i := range t.arms {
		seeds := common
		if len(seeds) == 0 {
			seeds = t.seeds(i)
		}
		sum := 0.0
		for _, s := range seeds {
			sum += t.by[i].scaled[s] / float64(len(seeds))
		}
		if sum < least {
			best, least = i, sum
		}
	}
	return best
}

// call is arm i's standing.
func (r *ranking) call(i int, alpha float64) string {
	e := r.among[i][r.best]
	switch {
	case r.within[i] <= alpha/2:
		return AsGood
	case e.Mean > 0 && (e.exact || r.p[i][r.best] <= alpha):
		return Worse
	}
	return Undecided
}

// verdict judges the arms by their loss and says what each costs.
func (s *Set) verdict(tables map[string]*table, a *Analysis, o Options) Verdict {
	var v Verdict
	for _, u := range results.Losses {
		if t := tables[u]; t != nil && (v.Unit == "" || len(tables[v.Unit].arms) < 2 && len(t.arms) >= 2) {
			v.Unit = u
		}
	}
	if v.Unit == "" {
		v.Costs = s.costs(tables, s.Arms[0].Name, o)
		v.Text = s.words(&v, nil, a, o)
		return v
	}
	t := tables[v.Unit]
	r := t.rank(o)
	v.Best = t.arms[r.best]
	shown := true // that the best is within the margin of the others' true results.Losses too
	for i, arm := range t.arms {
		if i == r.best {
			continue
		}
		e := r.among[i][r.best]
		st := Standing{Arm: arm, Call: r.call(i, o.Alpha), Corrected: r.p[i][r.best], Within: r.within[i]}
		p := t.pairs([]comparison{{i, r.best}}, []estimate{e}, o.Alpha)[0]
		st.Diff, st.Low, st.High = p.Diff, p.Low, p.High
		if st.Call == Undecided {
			st.Seeds = r.seeds(i, o)
		}
		shown = shown && st.Call == Worse
		v.Standing = append(v.Standing, st)
	}
	shown = (shown || r.within[r.best] <= o.Alpha/2) && len(t.arms) > 1
	v.Smallest, v.Sure = r.smallest(shown, o)
	base := v.Smallest
	if base == "" {
		base = s.Arms[0].Name
	}
	v.Costs = s.costs(tables, base, o)
	v.Text = s.words(&v, r, a, o)
	return v
}

// smallest is the smallest arm that is as good as the best, of one rank's the one with the lowest loss,
// and whether all of smaller ranks are worse. shown says whether the best may be taken for it.
func (r *ranking) smallest(shown bool, o Options) (arm string, sure bool) {
	at := -1
	for i, name := range r.t.arms {
		if at >= 0 && rankOf(name) != rankOf(r.t.arms[at]) {
			break
		}
		good := i == r.best && shown || i != r.best && r.call(i, o.Alpha) == AsGood
		if good && (at < 0 || i == r.best || at != r.best && r.among[i][r.best].Mean < r.among[at][r.best].Mean) {
			at = i
		}
	}
	if at < 0 {
		return "", false
	}
	for i, name := range r.t.arms[:at] {
		if rankOf(name) != rankOf(r.t.arms[at]) && (i == r.best || r.call(i, o.Alpha) != Worse) {
			return r.t.arms[at], false
		}
	}
	return r.t.arms[at], true
}

// rankOf is the part of an arm's name that is its rank, or all of it where it does not begin with one.
func rankOf(arm string) string {
	if rank, _, ok := strings.Cut(arm, "/"); ok && strings.HasPrefix(rank, "rank=") {
		return rank
	}
	return arm
}

// seeds is about how many would decide arm i 80 % of the time if the differences are what they seem:
// as good or worse, whichever takes fewer. 0 is for no estimate of the noise, stats.TooMany for no end in sight.
func (r *ranking) seeds(i int, o Options) int {
	good, worse := r.among[i][r.nearest[i]], r.among[i][r.best]
	if math.IsNaN(good.SE) || math.IsNaN(worse.SE) {
		return 0
	}
	arms := float64(len(r.t.arms))
	return min(good.needed(good.scale.Shift(o.Margin, good.from)-good.Mean, o.Alpha/2/arms), worse.needed(worse.Mean, o.Alpha/(arms*(arms-1))))
}

// needed is the number of seeds of which a difference of gap is found at one-sided level p in 80 % of
// all cases.
func (e estimate) needed(gap, p float64) int {
	return stats.Needed(e.n, func(k int) bool { return e.Resampled(e.n, k).Detectable(p, 0) <= gap })
}

// costs compares every arm that is larger than base with it, in speed, memory and size.
func (s *Set) costs(tables map[string]*table, base string, o Options) []Cost {
	var out []Cost
	for _, unit := range []string{samples, peakGPU, peakRSS, adapterBytes} {
		t := tables[unit]
		if t == nil || t.untold {
			continue
		}
		from := slices.Index(t.arms, base)
		if from < 0 {
			continue
		}
		var es []estimate
		var cs []comparison
		for i := from + 1; i < len(t.arms); i++ {
			es, cs = append(es, t.diff(i, from)), append(cs, comparison{i, from})
		}
		for _, p := range t.pairs(cs, es, o.Alpha) {
			out = append(out, Cost{Arm: p.Arm, To: p.To, Unit: unit, Diff: p.Diff, Low: p.Low, High: p.High, Call: p.Call, Exact: p.Exact})
		}
	}
	return out
}
