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
	*study
	a *Analysis
	v *Verdict
	r *ranking // nil where there is no loss

	noun, smaller, smallest string // what an arm is called
}

func (s *study) words(v *Verdict, r *ranking, a *Analysis) []string {
	w := &writer{study: s, a: a, v: v, r: r, noun: "setting", smaller: "setting of a smaller rank", smallest: "setting of the smallest rank"}
	if onlyRanks(s.names) || r != nil && len(r.arms) == len(r.groups) {
		w.noun, w.smaller, w.smallest = "rank", "smaller rank", "smallest rank"
	}
	text := []string{w.first()}
	if r != nil {
		text = append(append(text, r.conditions(s)), r.notes...)
		text = append(text, r.limits(s)...)
		text = append(text, w.margin()...)
		text = append(text, w.standings()...)
		if v.Unit != evalLoss {
			text = append(text, fmt.Sprintf("There is no held-out loss (eval-loss) to judge by: this rests on %s, the %s, which says nothing about text that was not trained on.",
				v.Unit, plain(v.Unit)))
		}
	}
	text = append(text, w.costs()...)
	text = append(text, w.target()...)
	if a.Steady.Text != "" {
		text = append(text, a.Steady.Text)
	}
	return text
}

// seeds is the fewest of any comparison with the best arm.
func (w *writer) seeds() int {
	n := math.MaxInt
	for i := range w.r.arms {
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
	v := w.v
	switch {
	case len(w.arms) == 1:
		return fmt.Sprintf("There is only %s: nothing to compare it with.", w.names[0])
	case w.r == nil:
		return fmt.Sprintf("Cannot tell which %s is enough: the runs have no loss (%s).", w.noun, strings.Join(results.Losses, ", "))
	}
	loss, lowest := plain(v.Unit), format.Value(v.Unit, w.lowest())
	switch {
	case w.r.limit == 0:
		return fmt.Sprintf("No verdict: training gained nothing. The %s was %s before training, and the lowest after it is %s's, %s.",
			loss, format.Value(v.Unit, w.r.before), v.Best, lowest)
	case len(w.r.arms) == 1:
		return fmt.Sprintf("Cannot tell which %s is enough: only %s has a %s.", w.noun, v.Best, loss)
	case w.seeds() == 0:
		return fmt.Sprintf("Cannot tell which %s is enough: not every %s shares a seed with %s, which has the lowest %s.", w.noun, w.noun, v.Best, loss)
	case w.seeds() == 1:
		return fmt.Sprintf("One run of each %s cannot tell which is enough: %s has the lowest %s, %s, and nothing shows how far apart two runs of one %s lie.",
			w.noun, v.Best, loss, lowest, w.noun)
	}
	return w.enough(loss, lowest+" on average", format.Count(w.seeds(), "seed"))
}

// enough is the verdict where there are several seeds of several arms.
func (w *writer) enough(loss, lowest, seeds string) string {
	v := w.v
	var smaller, open []string
	for i, arm := range w.r.arms[:max(0, slices.Index(w.r.arms, v.Smallest))] {
		if rankOf(arm) != rankOf(v.Smallest) {
			if smaller = append(smaller, arm); w.r.call(i) != Worse {
				open = append(open, arm)
			}
		}
	}
	switch {
	case v.Smallest == "":
		return fmt.Sprintf("%s cannot tell which %s is enough: %s has the lowest %s, %s, and %s neither shown to be worse than the margin allows nor to be within it.",
			seeds, w.noun, v.Best, loss, lowest, be(w.called(Undecided)))
	case !v.Sure:
		return fmt.Sprintf("%s is enough; whether %s would be too, %s cannot tell. The lowest %s is that of %s, %s.",
			v.Smallest, format.List(open), seeds, loss, v.Best, lowest)
	case v.Smallest == v.Best && len(smaller) == 0:
		return fmt.Sprintf("%s is enough: it has the lowest %s, %s, and no other %s is better by as much as the margin (%s).",
			v.Smallest, loss, lowest, w.noun, seeds)
	case v.Smallest == v.Best:
		return fmt.Sprintf("%s is needed: it has the lowest %s, %s, and every %s is worse (%s).", v.Smallest, loss, lowest, w.smaller, seeds)
	case len(smaller) == 0:
		return fmt.Sprintf("%s is enough: its %s is as good as the lowest (%s, %s) within the margin (%s).", v.Smallest, loss, v.Best, lowest, seeds)
	}
	return fmt.Sprintf("%s is the %s that is enough: its %s is as good as the lowest (%s, %s) within the margin, and every %s is worse (%s).",
		v.Smallest, w.smallest, loss, v.Best, lowest, w.smaller, seeds)
}

// lowest is the best arm's mean loss.
func (w *writer) lowest() float64 { return w.r.loss(w.r.best) }

// margin says what counts as worse.
func (w *writer) margin() []string {
	r := w.r
	if r.limit == 0 || len(r.arms) == 1 {
		return nil
	}
	s := fmt.Sprintf("As good means at most %s above the best, %s", format.Number(r.limit*w.lowest(), 3), r.margin.words())
	switch {
	case r.margin != w.a.Margin:
		s += ": the loss before training is not known, so " + w.a.Margin.words() + " is not either"
	case !r.margin.OfLoss:
		s += fmt.Sprintf(" (%s before, %s after)", format.Value(r.unit, r.before), format.Value(r.unit, w.lowest()))
	}
	return []string{s + "."}
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
		e := w.r.among[slices.Index(w.r.arms, st.Arm)][w.r.best]
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
		in := ""
		if format.Finite(st.Low) && !e.exact {
			in = fmt.Sprintf(" (%s interval %s)", format.Level(1-w.a.Alpha), format.Interval(st.Low, st.High))
		}
		text = append(text, fmt.Sprintf("%s's %s is %s %s's%s%s", st.Arm, plain(w.v.Unit), where, w.v.Best, in, w.judged(st, e)))
	}
	return text
}

// judged is the end of an arm's sentence.
func (w *writer) judged(st Standing, e estimate) string {
	switch {
	case e.n == 1 && st.Diff == 0:
		return " in one run of each, which is no evidence that they are equal."
	case e.n == 1:
		return fmt.Sprintf(" in one run of each. That is evidence only if the run-to-run noise (standard deviation) is below %s: "+
			"the difference divided by 1.96 times the square root of 2.", format.Percent(alone(st.Diff)))
	case st.Call == AsGood && (e.exact && st.Diff != 0 || st.Corrected <= w.a.Alpha && st.Diff > 0):
		return ": real, and within the margin: as good."
	case st.Call == AsGood:
		return ": as good."
	case st.Call == Worse && e.exact:
		return ": worse, and the same in every run."
	case st.Call == Worse:
		return ": worse."
	case e.n == 2:
		return ": cannot tell, and two seeds are too few to say how many would."
	case st.Seeds >= stats.TooMany:
		return fmt.Sprintf(": cannot tell, and it would take more than %s.", format.Count(stats.TooMany, "seed"))
	case st.Seeds > 0:
		return fmt.Sprintf(": cannot tell; with differences and noise as they are here, it would take about %s.", format.Count(st.Seeds, "seed"))
	}
	return ": cannot tell."
}
