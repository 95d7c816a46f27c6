package compare

import (
	"fmt"
	"math"
	"slices"

	"lorabench/bench/format"
)

// costs is a sentence for each larger arm: what it costs against the smallest that is enough, or against the smallest of all.
func (w *writer) costs() (text []string) {
	for _, arm := range w.names {
		var parts []string
		to := ""
		for _, c := range w.v.Costs {
			if c.Arm == arm && !math.IsNaN(c.Diff) {
				to, parts = c.To, append(parts, w.cost(c))
			}
		}
		if len(parts) == 0 {
			continue
		}
		subject := arm
		if full(arm) {
			subject = fmt.Sprintf("Training every weight (%s)", arm)
		}
		text = append(text, fmt.Sprintf("%s against %s: %s.", subject, to, format.List(parts)))
	}
	return text
}

func full(arm string) bool { return rankOf(arm) == "rank=full" }

// cost is one metric's part of a sentence.
func (w *writer) cost(c Cost) string {
	word := "more"
	if c.Diff < 0 && c.Unit == samples {
		word = "fewer"
	} else if c.Diff < 0 {
		word = "less"
	}
	by, in := fmt.Sprintf("%s %s %s", format.Percent(c.Diff), word, plain(c.Unit)), format.Interval(c.Low, c.High)
	switch {
	case c.Unit == adapterBytes:
		return w.size(c)
	case c.Exact && c.Diff == 0:
		return "the same " + plain(c.Unit)
	case c.Exact:
		return by + " in every run"
	case c.Call == Drifts:
		return fmt.Sprintf("%s (%s, with the machine's drift in it: no claim)", by, in)
	case c.Call == Higher || c.Call == Lower:
		return fmt.Sprintf("%s (%s)", by, in)
	case in == "":
		return fmt.Sprintf("%s (single runs: %s)", by, evidence(c.Diff))
	case c.Call == CannotTell:
		return fmt.Sprintf("%s (%s: cannot tell)", by, in)
	}
	return fmt.Sprintf("no difference found in %s (%s; one of %s would have been)", plain(c.Unit), in, format.Percent(c.Detectable))
}

// summary is an arm's of a metric; nil where it has none.
func (a *Analysis) summary(unit, arm string) *Summary {
	for _, m := range a.Metrics {
		if i := slices.IndexFunc(m.Arms, func(s Summary) bool { return s.Arm == arm }); m.Name == unit && i >= 0 {
			return &m.Arms[i]
		}
	}
	return nil
}

// size is what is on disk.
func (w *writer) size(c Cost) string {
	what, times := "an adapter", ""
	if full(c.Arm) {
		what = "a model"
	}
	if c.Diff >= 0.5 {
		times = fmt.Sprintf(", %s times the size", format.Number(1+c.Diff, 3))
	}
	value := func(arm string) string { return format.Value(c.Unit, w.a.summary(c.Unit, arm).Median) }
	return fmt.Sprintf("%s of %s on disk instead of %s%s", what, value(c.Arm), value(c.To), times)
}

// target is how long each arm took to the held-out loss that was asked for.
func (w *writer) target() []string {
	what := "The target held-out loss"
	if v := w.setting(0, "target-loss", "target_loss"); v != "" {
		what = "A held-out loss of " + v
	}
	var parts []string
	reached := false
	for k, name := range w.names {
		s := w.a.summary(secToLoss, name)
		if reached = reached || s != nil; s == nil {
			parts = append(parts, fmt.Sprintf("%s never (none of %s did)", name, format.Count(len(w.arms[k].Runs), "run")))
			continue
		}
		part := fmt.Sprintf("%s in %s", name, format.Value(secToLoss, s.Median))
		if s.Missing > 0 {
			part += fmt.Sprintf(" (only %d of %s did)", s.N, format.Count(s.N+s.Missing, "run"))
		}
		parts = append(parts, part)
	}
	if !reached {
		return nil
	}
	return []string{fmt.Sprintf("%s was reached by %s (median training time).", what, format.List(parts))}
}
