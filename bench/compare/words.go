package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/results"

	"lorabench/bench/stats"
)

// writer makes the verdict's sentences. A sentence whose figure does not exist is not made.
type writer struct {
	Options
	s *Set
	a *Analysis
	v *Verdict
	r *ranking // nil where there is no loss

	noun, smaller, smallest string // what an arm is called
}

func (s *Set) words(v *Verdict, r *ranking, a *Analysis, o Options) []string {
	w := &writer{Options: o, s: s, a: a, v: v, r: r, noun: "setting", smaller: "setting of a smaller rank", smallest: "setting of the smallest rank"}
	if s.onlyRanks() {
		w.noun, w.smaller, w.smallest = "rank", "smaller rank", "smallest rank"
	}
	text := []string{w.first()}
	if r != nil {
		text = append(text, w.standings()...)
		if v.Unit != evalLoss {
			text = append(text, fmt.Sprintf("There is no held-out loss (eval-loss) to judge by: this rests on %s, the %s, which says nothing about text that was not trained on.", v.Unit, plain(v.Unit)))
		}
	}
	text = append(text, w.costs()...)
	return append(text, w.target()...)
}

// runs is the fewest seeds of any comparison with the best arm.
func (w *writer) runs() int {
	n := math.MaxInt
	for i := range w.r.t.arms {
		if i != w.r.best {
			n = min(n, w.r.among[i][w.r.best].n)
		}
	}
	return n
}

// called are the arms of that standing.
func (w *writer) called(call string) []string {
	var arms []string
	for _, st := range w.v.Standing {
		if st.Call == call {
			arms = append(arms, st.Arm)
		}
	}
	return arms
}

// first is the verdict.
func (w *writer) first() string {
	v, margin := w.v, format.Level(w.Margin)
	switch {
	case len(w.s.Arms) == 1:
		return fmt.Sprintf("There is only %s: nothing to compare it with.", w.s.Arms[0].Name)
	case w.r == nil:
		return fmt.Sprintf("Cannot tell which %s is enough: the runs have no loss (%s).", w.noun, strings.Join(results.Losses, ", "))
	case len(w.r.t.arms) == 1:
		return fmt.Sprintf("Cannot tell which %s is enough: only %s has a %s.", w.noun, w.r.t.arms[0], plain(v.Unit))
	}
	loss, n := plain(v.Unit), w.runs()
	lowest := format.Value(v.Unit, w.lowest())
	if n > 1 {
		lowest += " on average"
	}
	var smaller []string
	for _, arm := range w.r.t.arms[:max(0, slices.Index(w.r.t.arms, v.Smallest))] {
		if rankOf(arm) != rankOf(v.Smallest) {
			smaller = append(smaller, arm)
		}
	}
	switch {
	case n == 0:
		return fmt.Sprintf("Cannot tell which %s is enough: not every %s shares a seed with %s, which has the lowest %s.", w.noun, w.noun, v.Best, loss)
	case n == 1:
		return fmt.Sprintf("One run of each %s cannot tell which is enough: %s has the lowest %s, %s, and nothing shows how far apart two runs of one %s lie.", w.noun, v.Best, loss, lowest, w.noun)
	case v.Smallest == "":
		return fmt.Sprintf("%s cannot tell which %s is enough: %s has the lowest %s, %s, and %s neither shown to be worse nor to be within %s of it.",
			format.Count(n, "seed"), w.noun, v.Best, loss, lowest, be(w.called(Undecided)), margin)
	case !v.Sure:
		smaller = slices.DeleteFunc(smaller, func(arm string) bool { return slices.Contains(w.called(Worse), arm) })
		return fmt.Sprintf("%s is enough; whether %s would be too, %s cannot tell. The lowest %s is that of %s, %s.",
			v.Smallest, format.List(smaller), format.Count(n, "seed"), loss, v.Best, lowest)
	case v.Smallest == v.Best && len(smaller) == 0:
		return fmt.Sprintf("%s is enough: it has the lowest %s, %s, and no other %s is better by as much as %s (%s).",
			v.Smallest, loss, lowest, w.noun, margin, format.Count(n, "seed"))
	case v.Smallest == v.Best:
		return fmt.Sprintf("%s is needed: it has the lowest %s, %s, and every %s is worse (%s).", v.Smallest, loss, lowest, w.smaller, format.Count(n, "seed"))
	case len(smaller) == 0:
		return fmt.Sprintf("%s is enough: its %s is as good as the lowest (%s, %s) within %s (%s).", v.Smallest, loss, v.Best, lowest, margin, format.Count(n, "seed"))
	}
	return fmt.Sprintf("%s is the %s that is enough: its %s is as good as the lowest (%s, %s) within %s, and every %s is worse (%s).",
		v.Smallest, w.smallest, loss, v.Best, lowest, margin, w.smaller, format.Count(n, "seed"))
}

// lowest is the best arm's mean loss.
func (w *writer) lowest() float64 {
	return w.r.t.summary(w.r.best, 0).Mean
}

// be is a subject with its verb.
func be(arms []string) string {
	if len(arms) == 1 {
		return arms[0] + " is"
	}
	return format.List(arms) + " are"
}

// standings are a sentence for each arm but the best.
func (w *writer) standings() []string {
	var text []string
	for _, st := range w.v.Standing {
		e := w.r.among[slices.Index(w.r.t.arms, st.Arm)][w.r.best]
		if math.IsNaN(st.Diff) {
			continue
		}
		where := "equal to"
		if st.Diff != 0 {
			side := "above"
			if st.Diff < 0 {
				side = "below"
			}
			where = fmt.Sprintf("%s, or %s, %s", format.Number(math.Abs(st.Diff)*w.lowest(), 2), format.Percent(st.Diff), side)
		}
		where = fmt.Sprintf("%s %s's%s", where, w.v.Best, w.interval(st.Low, st.High, e))
		s := fmt.Sprintf("%s's %s is %s", st.Arm, plain(w.v.Unit), where)
		switch {
		case e.n == 1:
			s += w.single(st.Diff)
		case st.Call == AsGood && (e.exact && st.Diff != 0 || st.Corrected <= w.Alpha && st.Diff > 0):
			s += fmt.Sprintf(": real, and within %s: as good.", format.Level(w.Margin))
		case st.Call == AsGood:
			s += fmt.Sprintf(": as good (within %s).", format.Level(w.Margin))
		case st.Call == Worse && e.exact:
			s += ": worse, and the same in every run."
		case st.Call == Worse:
			s += fmt.Sprintf(": worse (p %s after correction).", format.P(st.Corrected))
		case e.n == 2:
			s += ": undecided, and two seeds are too few to say how many would decide it."
		case st.Seeds >= stats.TooMany:
			s += fmt.Sprintf(": undecided, and more than %s would be needed to decide it.", format.Count(stats.TooMany, "seed"))
		case st.Seeds > 0:
			s += fmt.Sprintf(": undecided; with differences and noise as they are here, about %s would decide it.", format.Count(st.Seeds, "seed"))
		default:
			s += ": undecided."
		}
		text = append(text, s)
	}
	return text
}

// single is what a difference between single runs is worth.
func (w *writer) single(diff float64) string {
	if diff == 0 {
		return " in one run of each, which is no evidence that they are equal."
	}
	return fmt.Sprintf(" in one run of each. That is evidence only if the run-to-run noise (standard deviation) is below %s: the difference divided by 1.96 times the square root of 2.", format.Percent(alone(diff)))
}

// interval is a difference's interval in brackets, "" where there is none.
func (w *writer) interval(low, high float64, e estimate) string {
	if math.IsNaN(low) || math.IsNaN(high) || e.exact {
		return ""
	}
	return fmt.Sprintf(" (%s interval %s)", format.Level(1-w.Alpha), format.Interval(low, high))
}
