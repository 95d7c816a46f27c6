package history

import (
	"math"
	"slices"
)

// alpha is what a change's p, corrected for all places where one could have been, must be below.
const alpha = 0.001

// shortest is the number of commits of a level; of the last one, which may be one commit of enough
// runs, see track.lone.
const shortest = 2

// track is a series as the search sees it: one number per commit, on a scale on which changes add up.
type track struct {
	x     []float64 // logarithms of the medians where all are positive, else the medians themselves
	logs  bool
	floor float64 // a change of less, as a fraction of the old level, is none
	// lone is the variance of the last commit's centre as its own runs show it; NaN where they are too
	// few for a level of one commit.
	lone float64

	up, down    float64 // the floor in logarithms
	mid         float64
	sum, square []float64 // of x less mid, up to each commit
	noise, df   float64   // variance from commit to commit whatever the levels are; 0 df is none
}

func newTrack(x []float64, logs bool, floor, lone float64) *track {
	t := &track{x: x, logs: logs, floor: floor, lone: lone, sum: make([]float64, len(x)+1), square: make([]float64, len(x)+1)}
	t.up, t.down = math.Log1p(floor), -math.Log1p(-floor)
	if len(x) > 0 {
		t.mid = median(x) // small numbers cancel less
	}
	for i, v := range x {
		d := v - t.mid
		t.sum[i+1] = t.sum[i] + d
		t.square[i+1] = t.square[i] + d*d
	}
	// Half the mean square of successive differences (J. von Neumann et al., The mean square successive
	// difference, Annals of Mathematical Statistics 12, 1941): a level's change is in one difference of
	// many. As an estimate of the variance it is worth two thirds of as many degrees of freedom.
	for i := 1; i < len(x); i++ {
		d := x[i] - x[i-1]
		t.noise += d * d / 2 / float64(len(x)-1)
	}
	if t.noise > 0 {
		t.df = float64(len(x)-1) * 2 / 3
	}
	return t
}

// part is a sum over commits.
type part struct{ n, sum, square float64 }

func (t *track) part(from, to int) part {
	return part{float64(to - from), t.sum[to] - t.sum[from], t.square[to] - t.square[from]}
}

func (p part) mean() float64 { return p.sum / p.n }

// rss is the sum of squares around the mean.
func (p part) rss() float64 { return max(0, p.square-p.sum*p.sum/p.n) }

// moves says whether a level differs from another by more than the floor.
func (t *track) moves(old, new float64) bool {
	if t.logs {
		return new-old > t.up || old-new > t.down
	}
	return math.Abs(new-old) > t.floor*math.Abs(old)
}

// against is Welch's t of two groups of commits, of which neither has less variance than least: a group
// of a few may agree by chance, and its own variance would make much of nothing. alone says that b is
// the last commit on its own.
func (t *track) against(a, b part, least float64, alone bool) float64 {
	va := least
	if a.n > 1 {
		va = max(va, a.rss()/(a.n-1))
	}
	vb := least
	if b.n > 1 {
		vb = max(vb, b.rss()/(b.n-1))
	} else if alone {
		vb = max(vb, t.lone)
	}
	diff := math.Abs(a.mean() - b.mean())
	if diff == 0 {
		return 0
	}
	return diff / math.Sqrt(va/a.n+vb/b.n)
}

// arc is a stretch of commits at another level than those around it, and how sure that is.
type arc struct {
	from, to int
	t, p     float64
}

// search finds the change points within commits from to to. Of all stretches of the segment, the one with
// the largest t against the rest of it is taken (A. Olshen et al., Circular binary segmentation,
// Biostatistics 5, 2004), then the same within each of the two or three pieces. A cut in two alone, the
// plain binary segmentation, does not see a level that is left again: the means of both sides are alike.
func (t *track) search(from, to int, found []int) []int {
	best := t.ending(from, to)
	if in := t.inside(from, to); in.p < best.p {
		best = in
	}
	if best.p >= alpha {
		return found
	}
	found = append(t.search(from, best.from, found), best.from)
	found = t.search(best.from, best.to, found)
	if best.to < to {
		found = append(found, best.to)
	}
	return t.search(best.to, to, found)
}

// ending is the best stretch that the segment ends with: one change. Those it begins with are their rests.
func (t *track) ending(from, to int) arc {
	s := t.scan(from, to)
	for i := from + 1; i < to; i++ {
		s.try(i, to)
	}
	return s.best()
}

// inside is the best stretch with commits before and after it: two changes.
func (t *track) inside(from, to int) arc {
	s := t.scan(from, to)
	for i := from + shortest; i+shortest < to; i++ {
		for j := i + shortest; j < to; j++ {
			s.try(i, j)
		}
	}
	return s.best()
}

// scan compares stretches with the rest of a segment.
type scan struct {
	*track
	from, to        int
	whole           part
	tried           int
	byRest, byNoise arc
}

func (t *track) scan(from, to int) scan {
	return scan{track: t, from: from, to: to, whole: t.part(from, to)}
}

func (s *scan) try(i, j int) {
	if !s.allowed(s.from, s.to, i, j) {
		return
	}
	s.tried++
	in := s.part(i, j)
	out := part{s.whole.n - in.n, s.whole.sum - in.sum, s.whole.square - in.square}
	if !s.moves(out.mean()+s.mid, in.mean()+s.mid) {
		return
	}
	alone := j-i == 1
	if v := s.against(out, in, (in.rss()+out.rss())/(s.whole.n-2), alone); v > s.byRest.t {
		s.byRest = arc{from: i, to: j, t: v}
	}
	if v := s.against(out, in, s.noise, alone); v > s.byNoise.t {
		s.byNoise = arc{from: i, to: j, t: v}
	}
}

// best is the surer of the two arcs with its p corrected (Bonferroni) for all that were tried, by two
// noises, in scans of two kinds.
func (s *scan) best() arc {
	best := arc{p: 1}
	for _, c := range []struct {
		arc
		df float64
	}{{s.byRest, s.whole.n - 2}, {s.byNoise, s.df}} {
		if c.t > 0 {
			if c.p = 4 * float64(s.tried) * tail(c.t, c.df); c.p < best.p {
				best = c.arc
			}
		}
	}
	return best
}

// allowed says whether commits i to j may be a level of their own within a segment: no piece is
// shorter than a level may be. A stretch at the segment's beginning is the rest of one at its end.
func (t *track) allowed(from, to, i, j int) bool {
	long := func(i, j int) bool {
		return j-i >= shortest || j-i == 1 && j == len(t.x) && !math.IsNaN(t.lone)
	}
	return i > from && long(from, i) && long(i, j) && (j == to || long(j, to))
}

// change is a place where the level changes: at is the first commit of the new one.
type change struct {
	at int
	p  float64 // corrected for the places where a change could have been
}

// changes are all change points, in order.
func (t *track) changes() []change {
	cuts := t.search(0, len(t.x), nil)
	for {
		t.settle(cuts)
		// The search compared a stretch with all around it. What is said of a change is about the levels
		// before and after it, so that is what must hold: the weakest that does not is taken back.
		ps := t.judge(cuts)
		worst := -1
		for i, p := range ps {
			if p >= alpha && (worst < 0 || p > ps[worst]) {
				worst = i
			}
		}
		if worst < 0 {
			var cs []change
			for i, at := range cuts {
				cs = append(cs, change{at, ps[i]})
			}
			return cs
		}
		cuts = slices.Delete(cuts, worst, worst+1)
	}
}

// bounds are the first commits of the levels, and the end.
func (t *track) bounds(cuts []int) []int {
	return slices.Concat([]int{0}, cuts, []int{len(t.x)})
}

// settle moves each change to where the squares around the levels before and after it are least, now
// that the other changes are known.
func (t *track) settle(cuts []int) {
	for range 3 {
		b := t.bounds(cuts)
		moved := false
		for i := range cuts {
			best, least := b[i+1], math.Inf(1)
			for k := b[i] + 1; k < b[i+2]; k++ {
				if k != b[i+1] && !t.allowed(b[i], b[i+2], k, b[i+2]) {
					continue
				}
				if r := t.part(b[i], k).rss() + t.part(k, b[i+2]).rss(); r < least {
					best, least = k, r
				}
			}
			moved = moved || best != b[i+1]
			b[i+1], cuts[i] = best, best
		}
		if !moved {
			return
		}
	}
}

// judge gives each change the p of its two levels, measured by what is left around all levels; 1 where
// the level changes by no more than the floor.
func (t *track) judge(cuts []int) []float64 {
	b := t.bounds(cuts)
	rss := 0.0
	for i := range b[1:] {
		rss += t.part(b[i], b[i+1]).rss()
	}
	df := float64(len(t.x) - len(cuts) - 1)
	var ps []float64
	for i, at := range cuts {
		before, after := t.part(b[i], at), t.part(at, b[i+2])
		p := tail(t.against(before, after, rss/df, at == len(t.x)-1), df) * float64(len(t.x)-1)
		if !t.moves(t.level(b[i], at), t.level(at, b[i+2])) {
			p = 1
		}
		ps = append(ps, min(1, p))
	}
	return ps
}

// level is the median of commits.
func (t *track) level(from, to int) float64 { return median(t.x[from:to]) }

func median(xs []float64) float64 {
	s := slices.Sorted(slices.Values(xs))
	n := len(s)
	if n == 0 {
		return math.NaN()
	}
	return (s[(n-1)/2] + s[n/2]) / 2
}
