package compare

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"
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
		fmt.Fprintln(&b, m.title())
		if err := render(&b, m.rows(a.Alpha)); err != nil {
			return fmt.Errorf("compare: table of %s: %w", m.Name, err)
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

// title is the unit, with what it is in words and its direction.
func (m *Metric) title() string {
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

// rows are the table of a metric, the header first. A column without any figure is left out.
func (m *Metric) rows(alpha float64) [][]string {
	against := "difference"
	if len(m.Pairs) > 0 {
		against = "against " + m.Pairs[0].To
	}
	rows := [][]string{{"arm", "runs", "median", "95 % interval", "range", against, level(1-alpha) + " interval", "p", "found from", "call"}}
	for _, s := range m.Arms {
		row := []string{s.Arm, fmt.Sprint(s.N), figure(m.Name, s.Median), "", "", "", "", "", "", ""}
		switch {
		case s.Min == s.Max:
		case !math.IsNaN(s.Low):
			row[3] = figure(m.Name, s.Low) + " to " + figure(m.Name, s.High)
		default:
			row[4] = figure(m.Name, s.Min) + " to " + figure(m.Name, s.Max)
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
	return rows
}

// cells fills in difference, interval, p, what would have been found, and the call.
func (p *Pair) cells(row []string) {
	if !math.IsNaN(p.Diff) {
		row[0] = change(p.Diff)
	}
	if !math.IsNaN(p.Low) && !p.Exact {
		row[1] = fmt.Sprintf("%s to %s %%", signed(p.Low), signed(p.High))
	}
	if !math.IsNaN(p.Corrected) {
		row[2] = strings.TrimPrefix(pvalue(p.Corrected), "p = ")
		row[2] = strings.TrimPrefix(row[2], "p ")
	}
	if !math.IsNaN(p.Detectable) {
		row[3] = percent(p.Detectable)
	}
	row[4] = string(p.Call)
	if p.Exact && p.Diff == 0 {
		row[4] = "equal (exact)"
	} else if p.Exact {
		row[4] += " (exact)"
	}
}

// render draws a table: the first column and calls to the left, figures to the right.
func render(w io.Writer, rows [][]string) error {
	align := make([]tw.Align, len(rows[0]))
	for c, name := range rows[0] {
		if align[c] = tw.AlignRight; name == "arm" || name == "call" {
			align[c] = tw.AlignLeft
		}
	}
	t := tablewriter.NewTable(w,
		tablewriter.WithHeaderAutoFormat(tw.Off), tablewriter.WithHeaderAutoWrap(tw.WrapNone), tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}), tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}))
	for i, row := range rows {
		cells := make([]any, len(row))
		for c, v := range row {
			cells[c] = v
		}
		if i == 0 {
			t.Header(cells...)
		} else if err := t.Append(cells...); err != nil {
			return err
		}
	}
	return t.Render()
}
