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

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
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

// lines are the header and the rows as text, over the columns from..to besides the labels'.
func (t *Table) lines(from, to int, group func(string) string) (head []string, rows [][]string) {
	for i, c := range append(t.Head[:1:1], t.Head[from:to]...) {
		name := c.Name
		if c.Group != "" && i > 0 {
			name = strings.TrimSpace(c.Group + " " + c.Name)
		}
		head = append(head, name)
	}
	for _, r := range t.Rows {
		line := make([]string, 1, len(head))
		if line[0] = r.Label; r.Group != "" {
			line[0] = group(r.Group)
		}
		for i := from; i < to; i++ {
			if i-1 < len(r.Cells) {
				line = append(line, r.Cells[i-1].text())
			} else {
				line = append(line, "")
			}
		}
		rows = append(rows, line)
	}
	return head, rows
}

// Words says whether column i holds words.
func (t *Table) Words(i int) bool {
	return slices.ContainsFunc(t.Rows, func(r Row) bool { return i >= 1 && i-1 < len(r.Cells) && r.Cells[i-1].Words })
}

// alignments are right for figures, left for words.
func (t *Table) alignments(from, to int) tw.Alignment {
	as := tw.Alignment{tw.AlignLeft}
	for i := from; i < to; i++ {
		a := tw.AlignRight
		if t.Words(i) {
			a = tw.AlignLeft
		}
		as = append(as, a)
	}
	return as
}

// writeText draws the table for a terminal of so many columns: what does not fit follows below, with
// the labels again, because a line that wraps is no table.
func (t *Table) writeText(w io.Writer, width int) error {
	for from := 1; from < len(t.Head); {
		to := t.fitting(from, width)
		head, rows := t.lines(from, to, func(g string) string { return strings.ToUpper(g) })
		if err := render(w, head, rows, t.alignments(from, to), tablewriter.WithRendition(tw.Rendition{
			Symbols:  tw.NewSymbols(tw.StyleLight),
			Borders:  tw.Border{Left: tw.Off, Right: tw.Off, Top: tw.Off, Bottom: tw.Off},
			Settings: tw.Settings{Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off}},
		})); err != nil {
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
		head, rows := t.lines(i, i+1, func(g string) string { return g })
		n := utf8.RuneCountInString(head[1])
		for _, r := range rows {
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
		if _, err := fmt.Fprintf(w, "%s\n\n", Escaped(t.Caption)); err != nil {
			return err
		}
	}
	head, rows := t.lines(1, len(t.Head), func(g string) string { return "**" + g + "**" })
	for i := range head {
		head[i] = Escaped(head[i])
	}
	for _, r := range rows {
		for i := range r {
			r[i] = Escaped(r[i])
		}
	}
	if err := render(w, head, rows, t.alignments(1, len(t.Head)), tablewriter.WithRenderer(renderer.NewMarkdown())); err != nil {
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

// Escaped keeps a cell one cell: tablewriter's Markdown does not escape.
func Escaped(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(s)
}

// render draws with tablewriter, which by itself would wrap lines, put headers into capitals and
// count a character as two columns where the locale is East Asian.
func render(w io.Writer, head []string, rows [][]string, align tw.Alignment, style tablewriter.Option) error {
	t := tablewriter.NewTable(w, style,
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithEastAsian(tw.Off),
	)
	t.Header(head)
	if err := t.Bulk(rows); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	if err := t.Render(); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	return nil
}
