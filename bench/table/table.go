// Package table prints the figures of run records as tables, for a terminal and as Markdown: the run summary, and
// the formats of numbers that all tables share. What was not measured is a dash with a footnote, never 0.
// It draws nothing, so that the benchmark, which prints the summary too, links no plotting.
package table

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"lorabench/bench/format"
)

// Table is figures in rows and runs or arms in columns, before it is text, Markdown or HTML.
type Table struct {
	ID, Caption string
	Head        []Column // the first is the row labels'
	Rows        []Row
	Notes       []string // footnotes; cell.Note counts from 1
	Remarks     []string // below the footnotes
}

// Column has a name, and a group that neighbouring columns share.
type Column struct{ Group, Name string }

// Row with only a Group is a heading above the rows that follow.
type Row struct {
	Group, Label string
	Cells        []Cell
}

// Cell is a figure, its range over seeds and its footnote. Words are set left, figures right.
type Cell struct {
	Text, Range string
	Note        int
	Words       bool
}

// Note returns the footnote's number; the same text has one number.
func (t *Table) Note(text string) int {
	for i, n := range t.Notes {
		if n == text {
			return i + 1
		}
	}
	t.Notes = append(t.Notes, text)
	return len(t.Notes)
}

// Add appends a row of cells of words or figures without ranges.
func (t *Table) Add(label string, cells ...Cell) {
	t.Rows = append(t.Rows, Row{Label: label, Cells: cells})
}

// Spans are the groups of the column heads with how many columns each has.
func (t *Table) Spans() []span {
	var ss []span
	any := false
	for _, c := range t.Head {
		any = any || c.Group != ""
		if n := len(ss); n > 0 && ss[n-1].Name == c.Group {
			ss[n-1].Columns++
		} else {
			ss = append(ss, span{c.Group, 1})
		}
	}
	if !any {
		return nil
	}
	return ss
}

type span struct {
	Name    string
	Columns int
}

func (c Cell) text() string {
	s := c.Text
	if c.Range != "" {
		s += " (" + c.Range + ")"
	}
	if c.Note > 0 {
		s += fmt.Sprintf(" [%d]", c.Note)
	}
	return s
}

// text is the table over the columns from..to besides the labels'. Headings are in capitals.
func (t *Table) text(from, to int) *format.Table {
	out := &format.Table{}
	for i, c := range append(t.Head[:1:1], t.Head[from:to]...) {
		name := c.Name
		if i > 0 {
			name = strings.TrimSpace(c.Group + " " + c.Name)
		}
		if out.Head = append(out.Head, name); i > 0 && t.Words(from+i-1) {
			out.Words = append(out.Words, name)
		}
	}
	for _, r := range t.Rows {
		line := make([]string, len(out.Head))
		if line[0] = r.Label; r.Group != "" {
			line[0] = strings.ToUpper(r.Group)
		}
		for i := from; i < to && i-1 < len(r.Cells); i++ {
			line[i-from+1] = r.Cells[i-1].text()
		}
		out.Rows = append(out.Rows, line)
	}
	return out
}

// Words says whether column i holds words.
func (t *Table) Words(i int) bool {
	return slices.ContainsFunc(t.Rows, func(r Row) bool { return i >= 1 && i-1 < len(r.Cells) && r.Cells[i-1].Words })
}

// writeText draws the table for a terminal of so many columns: what does not fit follows below, with
// the labels again, because a line that wraps is no table.
func (t *Table) writeText(w io.Writer, width int) error {
	for from := 1; from < len(t.Head); {
		to := t.fitting(from, width)
		if err := t.text(from, to).Text(w); err != nil {
			return err
		}
		if from = to; from < len(t.Head) {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
	}
	return t.writeNotes(w, "[%d] %s\n")
}

// fitting is the end of the columns from `from` on that fit beside the labels; at least one.
func (t *Table) fitting(from, width int) int {
	const padding = 2
	wide := func(i int) int {
		column := t.text(i, i+1)
		n := utf8.RuneCountInString(column.Head[1])
		for _, r := range column.Rows {
			n = max(n, utf8.RuneCountInString(r[1]))
		}
		return n + padding
	}
	used := utf8.RuneCountInString(t.Head[0].Name) + padding
	for _, r := range t.Rows {
		used = max(used, utf8.RuneCountInString(r.Label)+padding, utf8.RuneCountInString(r.Group)+padding)
	}
	to := from
	for ; to < len(t.Head); to++ {
		if used += wide(to); used > width && to > from {
			break
		}
	}
	return to
}

// WriteMarkdown writes the table with its caption before it and its footnotes after it.
func (t *Table) WriteMarkdown(w io.Writer) error {
	if t.Caption != "" {
		if _, err := fmt.Fprintf(w, "%s\n\n", format.Escape(t.Caption)); err != nil {
			return err
		}
	}
	if err := t.text(1, len(t.Head)).Markdown(w); err != nil {
		return err
	}
	if len(t.Notes) > 0 {
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return t.writeNotes(w, "- [%d] %s\n")
}

func (t *Table) writeNotes(w io.Writer, line string) error {
	for i, n := range t.Notes {
		if _, err := fmt.Fprintf(w, line, i+1, n); err != nil {
			return err
		}
	}
	for _, r := range t.Remarks {
		if _, err := fmt.Fprintf(w, "\n%s\n", r); err != nil {
			return err
		}
	}
	return nil
}
