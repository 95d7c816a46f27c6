package format

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// Table is text in rows and columns, and what stands around it. The first column and those named in Words are left-aligned, figures
// right-aligned. A row of one cell is a heading above those that follow.
type Table struct {
	ID, Caption string
	Head        []string
	Rows        [][]string
	Words       []string
	Notes       []string // footnotes, counted from 1
	Remarks     []string // below the footnotes
}

// Note adds a footnote and returns its mark, which a cell ends in; the same text has one number.
func (t *Table) Note(text string) string {
	i := slices.Index(t.Notes, text)
	if i < 0 {
		i, t.Notes = len(t.Notes), append(t.Notes, text)
	}
	return fmt.Sprintf(" [%d]", i+1)
}

// IsWords reports whether a column other than the first is left-aligned.
func (t *Table) IsWords(head string) bool { return slices.Contains(t.Words, head) }

// Text draws the table for a terminal.
func (t *Table) Text(w io.Writer) error { return t.Fold(w, math.MaxInt) }

// Fold draws the table for a terminal of width columns. What does not fit follows below, with the labels again: wrapped lines are no
// table.
func (t *Table) Fold(w io.Writer, width int) error {
	wide := make([]int, len(t.Head))
	for _, row := range append(t.Rows, t.Head) {
		for i, cell := range row {
			wide[i] = max(wide[i], utf8.RuneCountInString(cell)+2)
		}
	}
	var b strings.Builder
	if t.Caption != "" {
		fmt.Fprintln(&b, Clean(t.Caption))
	}
	for from, to := 1, 1; from < len(wide); from = to {
		for used := wide[0]; to == from || to < len(wide) && used+wide[to] <= width; to++ {
			used += wide[to]
		}
		if from > 1 {
			b.WriteByte('\n')
		}
		if err := t.draw(&b, from, to, strings.NewReplacer(), tablewriter.WithRendition(tw.Rendition{
			Symbols:  tw.NewSymbols(tw.StyleLight),
			Borders:  tw.Border{Left: tw.Off, Right: tw.Off, Top: tw.Off, Bottom: tw.Off},
			Settings: tw.Settings{Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off}},
		})); err != nil {
			return err
		}
	}
	return t.finish(w, &b, "[%d] %s\n")
}

// Markdown draws the table for GitHub. Nothing in a cell becomes markup.
func (t *Table) Markdown(w io.Writer) error {
	var b strings.Builder
	if t.Caption != "" {
		fmt.Fprintf(&b, "%s\n\n", Escape(t.Caption))
	}
	if err := t.draw(&b, 1, len(t.Head), markdown, tablewriter.WithRenderer(renderer.NewMarkdown())); err != nil {
		return err
	}
	if len(t.Notes) > 0 {
		b.WriteByte('\n')
	}
	return t.finish(w, &b, "- [%d] %s\n")
}

// finish writes a drawn table with its footnotes and remarks.
func (t *Table) finish(w io.Writer, b *strings.Builder, note string) error {
	for i, n := range t.Notes {
		fmt.Fprintf(b, note, i+1, Clean(n))
	}
	for _, r := range t.Remarks {
		fmt.Fprintf(b, "\n%s\n", Clean(r))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// draw draws the first column and from..to with tablewriter, which by default would wrap lines, put headers into capitals and count a
// character as two columns where the locale is East Asian. Headings are in capitals.
func (t *Table) draw(b *strings.Builder, from, to int, escape *strings.Replacer, style tablewriter.Option) error {
	align := make(tw.Alignment, 1+to-from)
	rows := make([][]string, 1+len(t.Rows))
	for i, row := range append([][]string{t.Head}, t.Rows...) {
		if len(row) == 1 {
			row = append([]string{strings.ToUpper(row[0])}, make([]string, len(t.Head)-1)...)
		}
		for k, cell := range slices.Concat(row[:1], row[from:to]) {
			if align[k] = tw.AlignRight; k == 0 || t.IsWords(t.Head[from+k-1]) {
				align[k] = tw.AlignLeft
			}
			rows[i] = append(rows[i], escape.Replace(Clean(cell)))
		}
	}
	var drawn strings.Builder
	table := tablewriter.NewTable(&drawn, style,
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithEastAsian(tw.Off),
	)
	table.Header(rows[0])
	if err := cmp.Or(table.Bulk(rows[1:]), table.Render()); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	for line := range strings.Lines(drawn.String()) {
		fmt.Fprintln(b, strings.TrimRight(line, " \n"))
	}
	return nil
}

// Clean makes foreign text printable: a control character would be an escape sequence on a terminal and is not valid XML.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// Escape returns text that Markdown shows literally, on one line and in one cell.
func Escape(s string) string { return markdown.Replace(Clean(s)) }

var markdown = strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "\n", " ", "\r", " ",
	"*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "~", `\~`, `\`, `\\`,
	// No backslash keeps GitHub from finding a person or an issue here.
	"@", "@\u200b", "#", "#\u200b",
	// Nor from making a link.
	"://", ":\u200b//", "www.", "www\u200b.")
