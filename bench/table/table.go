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

// Table is figures in rows and runs or arms in columns. A row of one cell is a heading above those that follow.
type Table struct {
	format.Table
	ID, Caption string
	Notes       []string // footnotes, counted from 1
	Remarks     []string // below the footnotes
}

// Note returns the mark of a footnote, which a cell ends in; the same text has one number.
func (t *Table) Note(text string) string {
	i := slices.Index(t.Notes, text)
	if i < 0 {
		i, t.Notes = len(t.Notes), append(t.Notes, text)
	}
	return fmt.Sprintf(" [%d]", i+1)
}

// columns is the table with the columns from..to besides the labels'. Headings are in capitals.
func (t *Table) columns(from, to int) *format.Table {
	out := &format.Table{Words: t.Words, Head: slices.Concat(t.Head[:1], t.Head[from:to])}
	for _, row := range t.Rows {
		if len(row) == 1 {
			row = append([]string{strings.ToUpper(row[0])}, make([]string, len(t.Head)-1)...)
		}
		out.Rows = append(out.Rows, slices.Concat(row[:1], row[from:to]))
	}
	return out
}

// writeText draws the table for a terminal of so many columns: what does not fit follows below, with
// the labels again, because a line that wraps is no table.
func (t *Table) writeText(w io.Writer, width int) error {
	wide := make([]int, len(t.Head))
	for _, row := range append(t.columns(1, len(wide)).Rows, t.Head) {
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
		if err := t.columns(from, to).Text(&b); err != nil {
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
	if err := t.columns(1, len(t.Head)).Markdown(&b); err != nil {
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
