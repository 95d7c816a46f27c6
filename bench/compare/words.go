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
}

func (w *writer) text() []string {
	text := []string{w.first()}
	if w.r != nil {
		text = append(text, w.r.conditions())
		if w.r.how != "" {
			text = append(text, w.r.how)
		}
		text = append(append(append(text, w.r.limits()...), w.margin()...), w.standings()...)
		if w.v.Unit != evalLoss {
			text = append(text, fmt.Sprintf("There is no held-out loss (eval-loss) to judge by: this rests on %s, the %s, "+
				"which says nothing about text that was not trained on.", w.v.Unit, plain(w.v.Unit)))
		}
	}
	text = append(append(text, w.costs()...), w.target()...)
	if w.a.Unsteady != "" {
		text = append(text, w.a.Unsteady)
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

// first is the verdict.
func (w *writer) first() string {
	v, noun := w.v, "setting"
	if !slices.ContainsFunc(w.names, func(name string) bool { return strings.Contains(group(name), "/") }) {
		noun = "rank"
	}
	switch {
	case len(w.names) == 1:
		return fmt.Sprintf("There is only %s: nothing to compare it with.", w.names[0])
	case w.r == nil:
		return fmt.Sprintf("Cannot tell which %s is enough: the runs have no loss (%s).", noun, strings.Join(results.Losses, ", "))
	}
	loss, lowest := plain(v.Unit), format.Value(v.Unit, w.r.loss)
	switch {
	case w.r.limit == 0:
		return fmt.Sprintf("No verdict: training gained nothing. The %s was %s before training, and the lowest after it is %s's, %s.",
			loss, format.Value(v.Unit, w.r.before), v.Best, lowest)
	case len(w.r.arms) == 1:
		return fmt.Sprintf("Cannot tell which %s is enough: only %s has a %s.", noun, v.Best, loss)
	case w.seeds() == 0:
		return fmt.Sprintf("Cannot tell which %s is enough: not every %s shares a seed with %s, which has the lowest %s.", noun, noun, v.Best, loss)
	case w.seeds() == 1:
		return fmt.Sprintf("One run of each %s cannot tell which is enough: %s has the lowest %s, %s, and nothing shows how far apart two runs of "+
			"one %s lie.", noun, v.Best, loss, lowest, noun)
	}
	return w.enough(noun, loss, lowest+" on average", format.Count(w.seeds(), "seed"))
}

// enough is the verdict where there are several seeds of several arms.
func (w *writer) enough(noun, loss, lowest, seeds string) string {
	v := w.v
	why := fmt.Sprintf("it has the lowest %s, %s", loss, lowest)
	if v.Smallest != v.Best {
		why = fmt.Sprintf("its %s is as good as the lowest (%s, %s) within the margin", loss, v.Best, lowest)
	}
	switch smaller := len(w.r.open(v.Smallest, true)); {
	case v.Smallest == "":
		var open []string
		for _, st := range v.Standing {
			if st.Call == CannotTell {
				open = append(open, st.Arm)
			}
		}
		return fmt.Sprintf("%s cannot tell which %s is enough: %s has the lowest %s, %s, and %s may or may not be as good.",
			seeds, noun, v.Best, loss, lowest, format.List(open))
	case !v.Sure:
		return fmt.Sprintf("%s is enough; whether %s would be too, %s cannot tell. The lowest %s is that of %s, %s.",
			v.Smallest, format.List(w.r.open(v.Smallest, false)), seeds, loss, v.Best, lowest)
	case smaller > 0:
		return fmt.Sprintf("%s is the smallest %s that is enough: %s, and every smaller rank is worse (%s).", v.Smallest, noun, why, seeds)
	}
	return fmt.Sprintf("%s is enough: %s (%s).", v.Smallest, why, seeds)
}

// margin says what counts as worse.
func (w *writer) margin() []string {
	r := w.r
	if len(w.v.Standing) == 0 {
		return nil
	}
	s := fmt.Sprintf("As good means at most %s above the best, %s", format.Number(r.limit*r.loss, 3), r.margin.words())
	switch {
	case r.margin != w.a.Margin:
		s += ", because the loss before training is not known"
	case !r.margin.OfLoss:
		s += fmt.Sprintf(" (%s before, %s after)", format.Value(r.unit, r.before), format.Value(r.unit, r.loss))
	}
	return []string{s + "."}
}

// standings are a sentence for each arm but the best.
func (w *writer) standings() (text []string) {
	for _, st := range w.v.Standing {
		if math.IsNaN(st.Diff) {
			continue
		}
		side := "above"
		if st.Diff < 0 {
			side = "below"
		}
		s := fmt.Sprintf("%s's %s is %s, or %s, %s %s's", st.Arm, plain(w.v.Unit),
			format.Number(math.Abs(st.Diff)*w.r.loss, 2), format.Percent(st.Diff), side, w.v.Best)
		if in := format.Interval(st.Low, st.High); in != "" && !st.Exact {
			s += fmt.Sprintf(" (%s interval %s)", format.Level(1-w.a.Alpha), in)
		}
		switch {
		case st.N == 1:
			s += " in one run of each: " + evidence(st.Diff)
		case st.Call != CannotTell || st.Exact:
			s += ": " + string(st.Call)
		case st.N == 2 || st.Seeds == 0:
			s += ": cannot tell, and two seeds are too few to say how many would"
		case st.Seeds >= stats.TooMany:
			s += fmt.Sprintf(": cannot tell, and it would take more than %s", format.Count(stats.TooMany, "seed"))
		default:
			s += fmt.Sprintf(": cannot tell; with differences and noise as they are here, it would take about %s", format.Count(st.Seeds, "seed"))
		}
		text = append(text, s+".")
	}
	return text
}

// evidence is what a difference of two single runs is worth: it has the square root of 2 times the noise (standard deviation) of one,
// and 95 % of such differences are below 1.96 times that.
func evidence(diff float64) string {
	if diff == 0 {
		return "no evidence that they are equal"
	}
	return "evidence only if the run-to-run noise is below " + format.Percent(diff/(1.96*math.Sqrt2))
}
