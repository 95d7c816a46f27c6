package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"lorabench/bench/compare"
	"lorabench/bench/table"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"css":   func() template.CSS { return template.CSS(pageCSS) }, // ours, embedded: nothing foreign is in it
	"inc":   func(i int) int { return i + 1 },
	"brk":   breakable,
	"kept":  kept,
	"clean": table.Clean,
}).Parse(pageHTML))

// breakable lets a name as long as rank=8/alpha=16/lr=2e-4 break at its slashes.
func breakable(s string) template.HTML {
	return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(s), "/", "/<wbr>"))
}

// kept keeps a number and its unit on one line.
func kept(s string) string {
	return strings.NewReplacer(" %", "\u00a0%", " KiB", "\u00a0KiB", " MiB", "\u00a0MiB", " GiB", "\u00a0GiB", " TiB", "\u00a0TiB").Replace(s)
}

// view is what the template shows.
type view struct {
	Title, Subtitle  string
	Verdict          compare.Verdict
	Standing, Costs  *table.Table
	Summary, Memory  *table.Table
	Metrics          *table.Table
	Each             []*table.Table
	Settings         *table.Table
	Commands         []string
	Words            []point
	Notes            []string
	Fronts, Training []*figure
	MemoryFigures    []*figure
}

func (s study) page(w io.Writer, figures []*figure) error {
	v := view{
		Title: s.title(), Subtitle: s.subtitle(), Verdict: s.a.Verdict,
		Standing: standingTable(s.a), Costs: costTable(s.a),
		Summary: table.ByArm(s.arms), Memory: memoryTable(s.arms), Metrics: metricsTable(s.a),
		Words: s.words(), Commands: commands(s.arms), Notes: s.a.Notes,
	}
	for _, f := range figures {
		switch {
		case strings.HasPrefix(f.ID, "front-"):
			v.Fronts = append(v.Fronts, f)
		case strings.HasPrefix(f.ID, "memory-"):
			v.MemoryFigures = append(v.MemoryFigures, f)
		default:
			v.Training = append(v.Training, f)
		}
	}
	if table.Seeds(s.arms) > 1 {
		for i, a := range s.arms {
			v.Each = append(v.Each, table.BySeed(a, fmt.Sprintf("arm-%d", i+1)))
		}
	}
	var err error
	if v.Settings, err = settingsTable(s.arms); err != nil {
		return err
	}
	if err := pageTemplate.Execute(w, v); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}
