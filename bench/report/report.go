// Package report writes what a person looks at after a benchmark: one self-contained page with the verdict, tables, figures
// and what they say in words, the same as Markdown, and each figure as SVG and PNG. The command is lorareport.
//
// Everything is computed from run records (package record) and their analysis (package compare). What was not measured is a
// dash with a footnote, never 0; a figure without any is left out.
package report

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"lorabench/bench/compare"
	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/results"
	"lorabench/bench/table"
	"lorabench/internal/file"
)

// study holds the runs and what was concluded from them.
type study struct {
	Title, Subtitle string // what was run
	Sections        []section

	arms     []*table.Arm
	a        *compare.Analysis
	settings []*results.Settings
}

// analyze makes the study of records. It refuses those that are not of one.
func analyze(rs []*record.Record, o compare.Options) (s *study, err error) {
	s = &study{}
	if s.arms, _, err = table.Arms(rs); err != nil {
		return nil, err
	}
	if s.settings, err = results.OneStudy(rs, o.Differ...); err != nil {
		return nil, err
	}
	if s.a, err = compare.Analyze(results.FromRecords(rs, o.Differ...), o); err != nil {
		return nil, err
	}
	r := s.arms[0].Runs[0]
	s.Title = "LoRA rank report: " + r.Model.Name
	s.Subtitle = fmt.Sprintf("%s on %s, recipe %s, %s steps; %s of %s; %s, %s, libtorch %s",
		r.Model.Name, r.Data.Name, r.Settings.Recipe, format.Whole(r.GlobalStep), format.Count(len(s.settings), "run"),
		format.Count(len(s.arms), "arm"), cmp.Or(r.Machine.GPU, r.Machine.CPU), r.Settings.DType, r.Machine.Torch)
	s.Sections = s.sections()
	return s, nil
}

// Write writes report.html, summary.md and figures/*.svg and *.png into dir, each whole or not at all, and returns their analysis.
func Write(dir string, rs []*record.Record, o compare.Options) (*compare.Analysis, error) {
	s, err := analyze(rs, o)
	if err != nil {
		return nil, err
	}
	for _, section := range s.Sections {
		for _, f := range section.Figures {
			if err := f.save(filepath.Join(dir, "figures")); err != nil {
				return nil, err
			}
		}
	}
	return s.a, errors.Join(
		file.Replace(filepath.Join(dir, "summary.md"), s.markdown), file.Replace(filepath.Join(dir, "report.html"), s.page))
}

// section is a part of the report, for the page and for Markdown.
type section struct {
	ID, Title string
	Text      []string
	Figures   []*figure
	Tables    []*format.Table
}

// sections returns the report's sections, without empty ones. The verdict is the first.
func (s *study) sections() []section {
	all := []section{
		{ID: "verdict", Title: "Verdict", Text: s.a.Verdict.Text, Figures: fronts(s.arms)},
		{ID: "run-summary", Title: "Run summary", Tables: []*format.Table{table.ByArm(s.arms)}},
		{ID: "training", Title: "Training", Figures: trainingFigures(s.arms)},
		{ID: "memory", Title: "Memory", Tables: memoryTable(s.arms)},
		{ID: "comparison", Title: "Comparison", Text: s.a.Notes, Tables: s.metricTables()},
		{ID: "runs", Title: "Every run", Tables: s.runTables()},
		{ID: "repeat", Title: "To repeat it", Tables: []*format.Table{s.settingsTable()}},
	}
	return slices.DeleteFunc(all, func(p section) bool { return len(p.Text)+len(p.Figures)+len(p.Tables) == 0 })
}

// WriteVerdict writes the sentences and the notes of Write's analysis, and the path of the page, for a terminal of width columns.
func WriteVerdict(w io.Writer, a *compare.Analysis, page string, width int) error {
	var b strings.Builder
	for _, s := range slices.Concat(a.Verdict.Text, a.Notes) {
		b.WriteString("\n" + wrap(format.Clean(s), width))
	}
	_, err := fmt.Fprintf(w, "%s\n\nThe report is %s.\n", b.String(), page)
	return err
}

// wrap breaks a sentence at spaces into lines of at most width columns, if its words are short enough.
func wrap(s string, width int) string {
	var lines []string
	for _, word := range strings.Fields(s) {
		if n := len(lines) - 1; n >= 0 && utf8.RuneCountInString(lines[n]+" "+word) <= width {
			lines[n] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return strings.Join(lines, "\n")
}

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"inc": func(i int) int { return i + 1 },
	"brk": breakable,
}).Parse(pageHTML))

// breakable lets a name as long as rank=8/alpha=16/lr=2e-4 break at its slashes.
func breakable(s string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(s), "/", "/<wbr>"))
}

// page writes report.html.
func (s *study) page(w io.Writer) error {
	var b strings.Builder
	err := pageTemplate.Execute(&b, s)
	_, wrong := io.WriteString(w, format.Clean(b.String()))
	return cmp.Or(err, wrong)
}

// markdown writes summary.md: all sections but their figures.
func (s *study) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", format.Escape(s.Title), format.Escape(s.Subtitle))
	for _, p := range s.Sections {
		if len(p.Text)+len(p.Tables) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n", p.Title)
		for _, text := range p.Text {
			fmt.Fprintf(&b, "\n%s\n", format.Escape(text))
		}
		for _, t := range p.Tables {
			b.WriteByte('\n')
			if err := t.Markdown(&b); err != nil {
				return err
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
