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
	fmt.Fprintln(&b)
	for i := range a.Metrics {
		m := &a.Metrics[i]
		fmt.Fprintln(&b, m.Title())
		if err := m.Table(a.Alpha).Text(&b); err != nil {
			return fmt.Errorf("compare: %s: %w", m.Name, err)
		}
		for _, n := range m.Notes {
			fmt.Fprintf(&b, "- %s\n", n)
		}
		fmt.Fprintln(&b)
	}
	for _, n := range a.Notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Title is the unit, with what it is in words and its direction.
func (m *Metric) Title() string {
	var more []string
	if p := plain(m.Name); p != m.Name {
		more = append(more, p)
	}
	if m.Better != "" {
		more = append(more, m.Better+" is better")
	}
	if len(more) == 0 {
		return m.Name
	}
	return fmt.Sprintf("%s (%s)", m.Name, strings.Join(more, ", "))
}

// Table is a metric's. A column without any figure is left out.
func (m *Metric) Table(alpha float64) *format.Table {
	against := "difference"
	if len(m.Pairs) > 0 {
		against = "against " + m.Pairs[0].To
	}
	rows := [][]string{{"arm", "runs", "median", "95 % interval", "range", against, format.Level(1-alpha) + " interval", "p", "found from", "call"}}
	for _, s := range m.Arms {
		row := []string{s.Arm, fmt.Sprint(s.N), format.Value(m.Name, s.Median), "", "", "", "", "", "", ""}
		switch {
		case s.Min == s.Max:
		case !math.IsNaN(s.Low):
			row[3] = format.Value(m.Name, s.Low) + " to " + format.Value(m.Name, s.High)
		default:
			row[4] = format.Value(m.Name, s.Min) + " to " + format.Value(m.Name, s.Max)
		}
		if i := slices.IndexFunc(m.Pairs, func(p Pair) bool { return p.Arm == s.Arm }); i >= 0 {
			m.Pairs[i].cells(row[5:])
		}
		rows = append(rows, row)
	}
	var keep []int
	for c := range rows[0] {
		if slices.ContainsFunc(rows[1:], func(r []string) bool { return r[c] != "" }) {
			keep = append(keep, c)
		}
	}
	for i, row := range rows {
		kept := make([]string, len(keep))
		for j, c := range keep {
			kept[j] = row[c]
		}
		rows[i] = kept
	}
	return &format.Table{Head: rows[0], Rows: rows[1:], Words: []string{"call"}}
}

// cells fills in difference, interval, p, what would have been found, and the call.
func (p *Pair) cells(row []string) {
	if !math.IsNaN(p.Diff) {
		row[0] = format.Change(p.Diff)
	}
	if !math.IsNaN(p.Low) && !p.Exact {
		row[1] = format.Interval(p.Low, p.High)
	}
	if !math.IsNaN(p.Corrected) {
		row[2] = format.P(p.Corrected)
	}
	if !math.IsNaN(p.Detectable) {
		row[3] = format.Percent(p.Detectable)
	}
	row[4] = string(p.Call)
	if p.Exact && p.Diff == 0 {
		row[4] = "equal (exact)"
	} else if p.Exact {
		row[4] += " (exact)"
	}
}
