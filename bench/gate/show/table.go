package show

import (
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"lorabench/bench/gate/judge"
)

// manyRows is what still is a compact table. Beyond, only findings are in it: a project with thousands
// of benchmarks has its few that changed.
const manyRows = 60

// listed are the results for the table: all, or those that were judged; and how many that are the same
// were left out because there are too many.
func listed(v *judge.Verdict, all bool) (rs []*judge.Result, left int) {
	same := 0
	for i := range v.Results {
		r := &v.Results[i]
		if !all && r.Call == judge.CallShown {
			continue
		}
		if r.Call == judge.CallSame {
			same++
		}
		rs = append(rs, r)
	}
	if all || len(rs) <= manyRows || same == 0 {
		return rs, 0
	}
	var found []*judge.Result
	for _, r := range rs {
		if r.Call != judge.CallSame {
			found = append(found, r)
		}
	}
	return found, same
}

var columns = tw.Alignment{tw.AlignLeft, tw.AlignLeft, tw.AlignRight, tw.AlignRight, tw.AlignRight, tw.AlignRight, tw.AlignRight, tw.AlignLeft}

// cells are the results as a table. A benchmark's name stands in its first row alone where once is set.
func cells(v *judge.Verdict, rs []*judge.Result, once bool) (head []string, rows [][]string) {
	head = []string{"benchmark", "metric", label(&v.Baseline, "baseline"), label(&v.New, "new"), "change (95 %)", "p", "n", ""}
	last := ""
	for i, r := range rs {
		name := cell(r.Benchmark)
		if once && i > 0 && r.Benchmark == last {
			name = ""
		}
		last = r.Benchmark
		a, b := centers(r)
		rows = append(rows, []string{name, cell(r.Unit), a, b, change(r), pvalue(r), samples(r), mark(r)})
	}
	return head, rows
}

func drawText(w io.Writer, head []string, rows [][]string) error {
	return draw(w, head, rows, tablewriter.WithRendition(tw.Rendition{
		Symbols:  tw.NewSymbols(tw.StyleLight),
		Borders:  tw.Border{Left: tw.Off, Right: tw.Off, Top: tw.Off, Bottom: tw.Off},
		Settings: tw.Settings{Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off}},
	}))
}

func drawMarkdown(w io.Writer, head []string, rows [][]string) error {
	for _, row := range append([][]string{head}, rows...) {
		for i := range row {
			row[i] = escaped(row[i])
		}
	}
	return draw(w, head, rows, tablewriter.WithRenderer(renderer.NewMarkdown()))
}

// draw draws with tablewriter, which by itself would wrap lines, put headers into capitals and count a
// character as two columns where the locale is East Asian.
func draw(w io.Writer, head []string, rows [][]string, style tablewriter.Option) error {
	var drawn strings.Builder
	t := tablewriter.NewTable(&drawn, style,
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: columns}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: columns}),
		tablewriter.WithEastAsian(tw.Off),
	)
	t.Header(head)
	if err := t.Bulk(rows); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	if err := t.Render(); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	for line := range strings.Lines(drawn.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// escaped is text as Markdown shows it literally, one line and one cell.
func escaped(s string) string {
	return markdown.Replace(s)
}

var markdown = strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "\n", " ", "\r", " ",
	"*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "~", `\~`, `\`, `\\`,
	// No backslash keeps GitHub from finding a person or an issue here.
	"@", "@\u200b", "#", "#\u200b",
	// Nor from making a link.
	"://", ":\u200b//", "www.", "www\u200b.")
