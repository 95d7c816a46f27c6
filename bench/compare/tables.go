package compare

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"lorabench/bench/format"
)

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

// Title is the unit, with what it is in words and its direction.
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

// Table is a metric's. A column without any figure is left out.
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

// cells are difference, interval, p, what would have been found, and the call.
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
