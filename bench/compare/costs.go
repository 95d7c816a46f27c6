package compare

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/format"
)

// costs is a sentence for each larger arm: what it costs against the smallest that is enough, or
// against the smallest of all.
func (w *writer) costs() []string {
	var text, arms []string
	for _, c := range w.v.Costs {
		if !slices.Contains(arms, c.Arm) {
			arms = append(arms, c.Arm)
		}
	}
	for _, arm := range arms {
		var parts []string
		to := ""
		for _, c := range w.v.Costs {
			if c.Arm == arm && !math.IsNaN(c.Diff) {
				to = c.To
				parts = append(parts, w.cost(c))
			}
		}
		if len(parts) == 0 {
			continue
		}
		subject := arm
		if strings.HasPrefix(arm, "rank=full") {
			subject = fmt.Sprintf("Training every weight (%s)", arm)
		}
		text = append(text, fmt.Sprintf("%s against %s: %s.", subject, to, format.List(parts)))
	}
	return text
}

// cost is one metric's part of a sentence.
func (w *writer) cost(c Cost) string {
	if c.Unit == adapterBytes {
		return w.size(c)
	}
	more, less := "more", "less"
	if c.Unit == samples {
		less = "fewer"
	}
	word := more
	if c.Diff < 0 {
		word = less
	}
	by := fmt.Sprintf("%s %s %s", format.Percent(c.Diff), word, plain(c.Unit))
	switch {
	case c.Exact && c.Diff == 0:
		return "the same " + plain(c.Unit)
	case c.Call == Drifts:
		return fmt.Sprintf("%s (%s, with the machine's drift in it: no claim)", by, format.Interval(c.Low, c.High))
	case c.Exact:
		return by + " in every run"
	case c.Call == Higher || c.Call == Lower:
		return fmt.Sprintf("%s (%s)", by, format.Interval(c.Low, c.High))
	case math.IsNaN(c.Low):
		return fmt.Sprintf("%s (single runs: evidence only if the noise is below %s)", by, format.Percent(alone(c.Diff)))
	case c.Call == CannotTell:
		return fmt.Sprintf("%s (%s: cannot tell)", by, format.Interval(c.Low, c.High))
	}
	return fmt.Sprintf("no difference found in %s (%s; one of %s would have been)", plain(c.Unit), format.Interval(c.Low, c.High), format.Percent(c.Detectable))
}

// median is an arm's of a metric; NaN where there is none.
func (w *writer) median(unit, arm string) float64 {
	for _, m := range w.a.Metrics {
		for _, s := range m.Arms {
			if m.Name == unit && s.Arm == arm {
				return s.Median
			}
		}
	}
	return math.NaN()
}

// size is what is on disk.
func (w *writer) size(c Cost) string {
	what, times := "an adapter", ""
	if strings.HasPrefix(c.Arm, "rank=full") {
		what = "a model"
	}
	if c.Diff >= 0.5 {
		times = fmt.Sprintf(", %s times the size", format.Number(1+c.Diff, 3))
	}
	return fmt.Sprintf("%s of %s on disk instead of %s%s", what, format.Value(c.Unit, w.median(c.Unit, c.Arm)), format.Value(c.Unit, w.median(c.Unit, c.To)), times)
}

// target is how long each arm took to the held-out loss that was asked for.
func (w *writer) target() []string {
	i := slices.IndexFunc(w.a.Metrics, func(m Metric) bool { return m.Name == secToLoss })
	if i < 0 {
		return nil
	}
	m := w.a.Metrics[i]
	what := "The target held-out loss"
	if v := w.setting(0, "target-loss", "target_loss"); v != "" {
		what = "A held-out loss of " + v
	}
	var parts []string
	for k, name := range w.names {
		i := slices.IndexFunc(m.Arms, func(s Summary) bool { return s.Arm == name })
		if i < 0 {
			parts = append(parts, fmt.Sprintf("%s never (none of %s did)", name, format.Count(len(w.arms[k].Runs), "run")))
			continue
		}
		part := fmt.Sprintf("%s in %s", name, format.Value(secToLoss, m.Arms[i].Median))
		if n := m.Arms[i].N; m.Arms[i].Missing > 0 {
			part += fmt.Sprintf(" (only %d of %s did)", n, format.Count(n+m.Arms[i].Missing, "run"))
		}
		parts = append(parts, part)
	}
	return []string{fmt.Sprintf("%s was reached by %s (median training time).", what, format.List(parts))}
}
