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

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"css": func() template.CSS { return template.CSS(pageCSS) }, // ours, embedded: nothing foreign is in it
	"inc": func(i int) int { return i + 1 },
	"brk": breakable,
}).Parse(pageHTML))

// breakable lets a name as long as rank=8/alpha=16/lr=2e-4 break at its slashes.
func breakable(s string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(s), "/", "/<wbr>"))
}

// page writes report.html.
func (s *study) page(w io.Writer, sections []section) error {
	err := pageTemplate.Execute(w, struct {
		Title, Subtitle string
		Sections        []section
	}{s.title(), s.subtitle(), sections})
	if err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

// markdown writes summary.md: all sections but their figures.
func (s *study) markdown(w io.Writer, sections []section) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", format.Escape(s.title()), format.Escape(s.subtitle()))
	for _, p := range sections {
		if len(p.Text)+len(p.Points)+len(p.Tables) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n", p.Title)
		for _, text := range p.Text {
			fmt.Fprintf(&b, "\n%s\n", format.Escape(text))
		}
		for _, point := range p.Points {
			fmt.Fprintf(&b, "\n### %s\n", point.Head)
			for _, text := range point.Sentences {
				fmt.Fprintf(&b, "\n%s\n", format.Escape(text))
			}
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
