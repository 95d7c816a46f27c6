package compare

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/stats"
)

// first returns the verdict as a sentence.
func (c *contest) first() string {
	loss, lowest := plain(c.Unit), format.Value(c.Unit, c.loss)
	switch {
	case len(c.arms) == 1:
		return fmt.Sprintf("There is only %s: nothing to compare it with.", group(c.Best))
	case c.Limit == 0:
		return fmt.Sprintf("No verdict: training gained nothing. The %s was %s before training, and the lowest after it is %s's, %s.",
			loss, format.Value(c.Unit, c.before), c.Best, lowest)
	}
	seeds := format.Count(slices.MinFunc(c.Standing, func(a, b Pair) int { return a.N - b.N }).N, "seed")
	lowest += " on average"
	why := fmt.Sprintf("it has the lowest %s, %s", loss, lowest)
	if c.Smallest != c.Best {
		why = fmt.Sprintf("its %s is as good as the lowest (%s, %s) within the margin", loss, c.Best, lowest)
	}
	switch smaller, open := c.smaller(); {
	case c.Smallest == "":
		for _, p := range c.Standing {
			if p.Call == CannotTell {
				open = append(open, p.Arm)
			}
		}
		return fmt.Sprintf("%s cannot tell which rank is enough: %s has the lowest %s, %s, and %s may or may not be as good.",
			seeds, c.Best, loss, lowest, format.List(open))
	case !c.Sure:
		return fmt.Sprintf("%s is enough; whether %s would be too, %s cannot tell. The lowest %s is that of %s, %s.",
			c.Smallest, format.List(open), seeds, loss, c.Best, lowest)
	case len(smaller) > 0:
		return fmt.Sprintf("%s is the smallest rank that is enough: %s, and every smaller rank is worse (%s).", c.Smallest, why, seeds)
	}
	return fmt.Sprintf("%s is enough: %s (%s).", c.Smallest, why, seeds)
}

// text returns what the verdict holds for, and a sentence for each arm but the best. A sentence whose figure does not exist is left out.
func (c *contest) text() []string {
	text := []string{c.conditions()}
	if c.how != "" {
		text = append(text, c.how)
	}
	text = append(text, c.limits()...)
	if len(c.Standing) > 0 {
		text = append(text, fmt.Sprintf("As good means at most %s above the best, %s.", format.Number(c.Limit*c.loss, 3), c.margin))
	}
	for _, p := range c.Standing {
		if math.IsNaN(p.Diff) {
			continue
		}
		side, in, call := "above", "", string(p.Call)
		if p.Diff < 0 {
			side = "below"
		}
		if s := format.Interval(p.Low, p.High); s != "" && !p.Exact {
			in = fmt.Sprintf(" (%s interval %s)", format.Level(1-c.alpha), s)
		}
		switch {
		case p.Call != CannotTell || p.Exact || p.N == 1:
		case p.N == 2 || p.Seeds == 0:
			call += ", and two seeds are too few to say how many would"
		case p.Seeds >= stats.TooMany:
			call += ", and it would take more than " + format.Count(stats.TooMany, "seed")
		default:
			call += "; with differences and noise as they are here, it would take about " + format.Count(p.Seeds, "seed")
		}
		text = append(text, fmt.Sprintf("%s's %s is %s, or %s, %s %s's%s: %s.", p.Arm, plain(p.Unit),
			format.Number(math.Abs(p.Diff)*c.loss, 2), format.Percent(p.Diff), side, p.To, in, call))
	}
	if c.Unit != evalLoss {
		text = append(text, fmt.Sprintf("There is no held-out loss (eval-loss) to judge by: this rests on %s, the %s, "+
			"which says nothing about text that was not trained on.", c.Unit, plain(c.Unit)))
	}
	return text
}

// cost returns a sentence on what an arm costs, if anything is known of it.
func (s *study) cost(arm string, costs []Pair) []string {
	var parts []string
	to := ""
	for _, p := range costs {
		if p.Arm == arm && !math.IsNaN(p.Diff) {
			to, parts = p.To, append(parts, s.difference(p))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	if full(arm) {
		arm = fmt.Sprintf("Training every weight (%s)", arm)
	}
	return []string{fmt.Sprintf("%s against %s: %s.", arm, to, format.List(parts))}
}

// difference returns one metric's part of that sentence.
func (s *study) difference(p Pair) string {
	word, in := "more", cmp.Or(format.Interval(p.Low, p.High), "single runs")
	if p.Diff < 0 {
		word = map[bool]string{true: "fewer", false: "less"}[p.Unit == samples]
	}
	by := fmt.Sprintf("%s %s %s", format.Percent(p.Diff), word, plain(p.Unit))
	switch {
	case p.Unit == adapterBytes:
		return s.size(p)
	case p.Exact && p.Diff == 0:
		return "the same " + plain(p.Unit)
	case p.Exact:
		return by + " in every run"
	case p.Call == NoDifference:
		return fmt.Sprintf("no difference found in %s (%s; one of %s would have been)", plain(p.Unit), in, format.Percent(p.Detectable))
	}
	why := map[Call]string{Drifts: ", with the machine's drift in it: no claim", CannotTell: ": cannot tell"}
	return fmt.Sprintf("%s (%s%s)", by, in, why[p.Call])
}

// size compares two adapters on disk, or a model with an adapter.
func (s *study) size(p Pair) string {
	what, times := "an adapter", ""
	if full(p.Arm) {
		what = "a model"
	}
	if p.Diff >= 0.5 {
		times = fmt.Sprintf(", %s times the size", format.Number(1+p.Diff, 3))
	}
	value := func(arm string) string {
		t := s.table(p.Unit)
		return format.Value(p.Unit, stats.NewSpread(t.by[t.index(arm)].value).Median)
	}
	return fmt.Sprintf("%s of %s on disk instead of %s%s", what, value(p.Arm), value(p.To), times)
}

// WriteText writes the analysis for a terminal: the verdict's sentences, a table for each metric, notes.
func (a *Analysis) WriteText(w io.Writer) error {
	var b bytes.Buffer
	for _, s := range a.Verdict.Text {
		fmt.Fprintln(&b, s)
	}
	for i := range a.Metrics {
		m := &a.Metrics[i]
		fmt.Fprintf(&b, "\n%s\n", m.Title())
		if err := m.Table(a.Alpha).Text(&b); err != nil {
			return fmt.Errorf("compare: %s: %w", m.Name, err)
		}
		for _, n := range m.Notes {
			fmt.Fprintf(&b, "- %s\n", n)
		}
	}
	fmt.Fprintln(&b)
	for _, n := range a.Notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Title returns the unit, with its meaning in words and its direction.
func (m *Metric) Title() string {
	more := []string{words[m.Name], m.Better + " is better"}
	if m.Better == "" {
		more[1] = ""
	}
	if more = slices.DeleteFunc(more, func(s string) bool { return s == "" }); len(more) == 0 {
		return m.Name
	}
	return fmt.Sprintf("%s (%s)", m.Name, strings.Join(more, ", "))
}

// Table returns the metric's table. A column without any figure is left out.
func (m *Metric) Table(alpha float64) *format.Table {
	t := &format.Table{Words: []string{"call"}, Head: []string{"arm", "runs", "median", "range",
		"against " + m.Arms[0].Arm, format.Level(1-alpha) + " interval", "p", "found from", "call"}}
	for _, s := range m.Arms {
		row := append([]string{s.Arm, fmt.Sprint(s.N), format.Value(m.Name, s.Median)}, make([]string, len(t.Head)-3)...)
		if s.Min < s.Max {
			row[3] = format.Value(m.Name, s.Min) + " to " + format.Value(m.Name, s.Max)
		}
		for _, p := range m.Pairs {
			if p.Arm == s.Arm {
				copy(row[4:], m.cells(p))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	for c := len(t.Head) - 1; c > 0; c-- {
		if !slices.ContainsFunc(t.Rows, func(row []string) bool { return row[c] != "" }) {
			t.Head = slices.Delete(t.Head, c, c+1)
			for i, row := range t.Rows {
				t.Rows[i] = slices.Delete(row, c, c+1)
			}
		}
	}
	return t
}

// cells returns difference, interval, p, the smallest detectable difference, and the call.
func (m *Metric) cells(p Pair) []string {
	shown := func(v float64, f func(float64) string) string {
		if math.IsNaN(v) {
			return ""
		}
		return f(v)
	}
	interval, call := format.Interval(p.Low, p.High), string(p.Call)
	if p.Exact && p.Diff == 0 {
		call = "equal"
	}
	if p.Exact {
		interval, call = "", call+" (exact)"
	}
	if m.Unsteady {
		call += ", unsteady"
	}
	return []string{shown(p.Diff, format.Change), interval, shown(p.Corrected, format.P), shown(p.Detectable, format.Percent), call}
}
