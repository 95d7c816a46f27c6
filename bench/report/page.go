package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"lorabench/bench/format"
)

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
func (s *study) page(w io.Writer) error { return pageTemplate.Execute(w, s) }

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
			if err := t.WriteMarkdown(&b); err != nil {
				return err
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
