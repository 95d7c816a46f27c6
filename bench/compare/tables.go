package compare

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"

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
	better := ""
	if m.Better != "" {
		better = m.Better + " is better"
	}
	name := plain(m.Name)
	switch {
	case name == m.Name && better == "":
		return m.Name
	case name == m.Name:
		return fmt.Sprintf("%s (%s)", m.Name, better)
	case better == "":
		return fmt.Sprintf("%s (%s)", m.Name, name)
	}
	return fmt.Sprintf("%s (%s, %s)", m.Name, name, better)
}

// Table is a metric's. A column without any figure is left out.
func (m *Metric) Table(alpha float64) *format.Table {
	against := "difference"
	if len(m.Pairs) > 0 {
		against = "against " + m.Pairs[0].To
	}
	t := &format.Table{Words: []string{"call"}}
	head := []string{"arm", "runs", "median", "95 % interval", "range", against, format.Level(1-alpha) + " interval", "p", "found from", "call"}
	var rows [][]string
	for _, s := range m.Arms {
		row := append([]string{s.Arm, fmt.Sprint(s.N), format.Value(m.Name, s.Median)}, make([]string, 7)...)
		if s.Low < s.High {
			row[3] = format.Value(m.Name, s.Low) + " to " + format.Value(m.Name, s.High)
		} else if s.Min < s.Max {
			row[4] = format.Value(m.Name, s.Min) + " to " + format.Value(m.Name, s.Max)
		}
		if i := slices.IndexFunc(m.Pairs, func(p Pair) bool { return p.Arm == s.Arm }); i >= 0 {
			m.cells(&m.Pairs[i], row[5:])
		}
		rows = append(rows, row)
	}
	t.Rows = make([][]string, len(rows))
	for c := range head {
		if !slices.ContainsFunc(rows, func(r []string) bool { return r[c] != "" }) {
			continue
		}
		t.Head = append(t.Head, head[c])
		for i, row := range rows {
			t.Rows[i] = append(t.Rows[i], row[c])
		}
	}
	return t
}

// cells fills in difference, interval, p, what would have been found, and the call.
func (m *Metric) cells(p *Pair, row []string) {
	shown := func(i int, v float64, f func(float64) string) {
		if !math.IsNaN(v) {
			row[i] = f(v)
		}
	}
	shown(0, p.Diff, format.Change)
	if !p.Exact {
		row[1] = format.Interval(p.Low, p.High)
	}
	shown(2, p.Corrected, format.P)
	shown(3, p.Detectable, format.Percent)
	row[4] = string(p.Call)
	if p.Exact && p.Diff == 0 {
		row[4] = "equal"
	}
	if p.Exact {
		row[4] += " (exact)"
	}
	if m.Unsteady {
		row[4] += ", unsteady"
	}
}
