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

// Column has a name, and what neighbouring columns share of theirs.
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
	if i := slices.Index(t.Notes, text); i >= 0 {
		return i + 1
	}
	t.Notes = append(t.Notes, text)
	return len(t.Notes)
}

// Add appends a row of cells of words or figures without ranges.
func (t *Table) Add(label string, cells ...Cell) {
	t.Rows = append(t.Rows, Row{Label: label, Cells: cells})
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

// text is the table with the columns from..to besides the labels'. Headings are in capitals.
func (t *Table) text(from, to int) *format.Table {
	out := &format.Table{Head: []string{t.Head[0].Name}}
	for i, c := range t.Head[from:to] {
		name := strings.TrimSpace(c.Group + " " + c.Name)
		if out.Head = append(out.Head, name); t.Words(from + i) {
			out.Words = append(out.Words, name)
		}
	}
	for _, r := range t.Rows {
		row := make([]string, 1, len(out.Head))
		row[0] = r.Label + strings.ToUpper(r.Group)
		for i := from; i < to && len(r.Cells) > 0; i++ {
			row = append(row, r.Cells[i-1].text())
		}
		out.Rows = append(out.Rows, row[:len(out.Head)])
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
	all := t.text(1, len(t.Head))
	wide := make([]int, len(all.Head))
	for _, row := range append(all.Rows, all.Head) {
		for i, cell := range row {
			wide[i] = max(wide[i], utf8.RuneCountInString(cell)+2)
		}
	}
	var b strings.Builder
	b.WriteString(t.Caption)
	for from := 1; from < len(wide); {
		to := from + 1
		for used := wide[0] + wide[from]; to < len(wide) && used+wide[to] <= width; to++ {
			used += wide[to]
		}
		b.WriteByte('\n')
		if err := t.text(from, to).Text(&b); err != nil {
			return err
		}
		from = to
	}
	return t.finish(w, &b, "[%d] %s\n")
}

// WriteMarkdown writes the table with its caption before it and its footnotes after it.
func (t *Table) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	if t.Caption != "" {
		fmt.Fprintf(&b, "%s\n\n", format.Escape(t.Caption))
	}
	if err := t.text(1, len(t.Head)).Markdown(&b); err != nil {
		return err
	}
	if len(t.Notes) > 0 {
		b.WriteByte('\n')
	}
	return t.finish(w, &b, "- [%d] %s\n")
}

// finish writes a drawn table and what stands below it.
func (t *Table) finish(w io.Writer, b *strings.Builder, note string) error {
	for i, n := range t.Notes {
		fmt.Fprintf(b, note, i+1, n)
	}
	for _, r := range t.Remarks {
		fmt.Fprintf(b, "\n%s\n", r)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
