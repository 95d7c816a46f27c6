package format

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// Table is text in rows and columns. The first column and those named in Words are set left, figures right.
type Table struct {
	Head  []string
	Rows  [][]string
	Words []string
}

// IsWords reports whether a column holds words.
func (t *Table) IsWords(head string) bool { return slices.Contains(t.Words, head) }

// Text draws the table for a terminal.
func (t *Table) Text(w io.Writer) error {
	return t.draw(w, t.Head, t.Rows, tablewriter.WithRendition(tw.Rendition{
		Symbols:  tw.NewSymbols(tw.StyleLight),
		Borders:  tw.Border{Left: tw.Off, Right: tw.Off, Top: tw.Off, Bottom: tw.Off},
		Settings: tw.Settings{Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off}},
	}))
}

// Markdown draws the table for GitHub. Nothing in a cell becomes markup.
func (t *Table) Markdown(w io.Writer) error {
	rows := append([][]string{t.Head}, t.Rows...)
	for i, row := range rows {
		rows[i] = slices.Clone(row)
		for j, cell := range row {
			rows[i][j] = Escape(cell)
		}
	}
	return t.draw(w, rows[0], rows[1:], tablewriter.WithRenderer(renderer.NewMarkdown()))
}

// draw draws with tablewriter, which by itself would wrap lines, put headers into capitals and count a character as two
// columns where the locale is East Asian.
func (t *Table) draw(w io.Writer, head []string, rows [][]string, style tablewriter.Option) error {
	align := make(tw.Alignment, len(t.Head))
	for i, name := range t.Head {
		if align[i] = tw.AlignRight; i == 0 || t.IsWords(name) {
			align[i] = tw.AlignLeft
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
	table.Header(head)
	if err := cmp.Or(table.Bulk(rows), table.Render()); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	for line := range strings.Lines(drawn.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// Escape is text as Markdown shows it literally, one line and one cell.
func Escape(s string) string { return markdown.Replace(s) }

var markdown = strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "\n", " ", "\r", " ",
	"*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "~", `\~`, `\`, `\\`,
	// No backslash keeps GitHub from finding a person or an issue here.
	"@", "@\u200b", "#", "#\u200b",
	// Nor from making a link.
	"://", ":\u200b//", "www.", "www\u200b.")
