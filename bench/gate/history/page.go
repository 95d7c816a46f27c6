package history

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"

	"lorabench/bench/gate/judge"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"css": func() template.CSS { return template.CSS(pageCSS) }, // ours, embedded: nothing foreign is in it
	"inc": func(i int) int { return i + 1 },
	"brk": func(s string) template.HTML {
		return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(s), "/", "/<wbr>"))
	},
}).Parse(pageHTML))

// view is what the template shows.
type view struct {
	Subtitle string
	Verdict  []string
	Changes  *table
	Classes  []classView
}

type classView struct {
	*Class
	Charts []*chart
	Levels *table
}

// table is rows of text; the columns of words are to the left.
type table struct {
	Caption string
	Head    []string
	Rows    []row
	words   []int
}

type row struct {
	Group string // over the rows that follow, instead of cells
	Cells []string
	call  judge.Call
	at    int // the column of call
}

// Words says whether a column is of words.
func (t table) Words(i int) bool { return i == 0 || slices.Contains(t.words, i) }

// Rest are the cells after the row's heading.
func (r row) Rest() []string { return r.Cells[1:] }

// CallOf is the class of cell i of Rest, "" where it is a plain one.
func (r row) CallOf(i int) string {
	if r.call == "" || i+1 != r.at {
		return ""
	}
	return string(r.call)
}

// Marks are the chart's changes.
func (c *chart) Marks() []mark { return c.marks }

// noted is a change with where it is.
type noted struct {
	mark
	chart *chart
	class *Class
}

func (h *History) page(w io.Writer, all [][]*chart) error {
	v := view{}
	var changes []noted
	for i, c := range h.Classes {
		v.Classes = append(v.Classes, classView{c, all[i], levels(all[i])})
		for _, k := range all[i] {
			if k.trend.SameAs != "" {
				continue
			}
			for _, m := range k.marks {
				changes = append(changes, noted{m, k, c})
			}
		}
	}
	newest := func(a, b noted) int { return b.At.Time.Compare(a.At.Time) }
	v.Subtitle = h.subtitle()
	v.Verdict = h.verdict(slices.SortedStableFunc(slices.Values(changes), newest))
	slices.SortStableFunc(changes, func(a, b noted) int {
		return cmp.Or(slices.Index(h.Classes, a.class)-slices.Index(h.Classes, b.class), newest(a, b))
	})
	v.Changes = changeTable(changes, len(h.Classes) > 1)
	if err := pageTemplate.Execute(w, v); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	return nil
}

func (h *History) subtitle() string {
	commits := map[string]bool{}
	for _, f := range h.Files {
		commits[f.Commit] = true
	}
	if len(h.Files) == 0 {
		return "No results."
	}
	first, last := h.Files[0].Time, h.Files[len(h.Files)-1].Time
	s := fmt.Sprintf("%s of %s, %s", count(len(h.Files), "result set"), count(len(commits), "commit"), day(first))
	if day(first) != day(last) {
		s += " to " + day(last)
	}
	if n := len(h.Classes); n > 1 {
		s += fmt.Sprintf(", in %d classes: results of different machines, models, recipes or settings are not compared", n)
	}
	return s + "."
}

// verdict is what one wants to know first, in sentences.
func (h *History) verdict(changes []noted) []string {
	n := map[judge.Call]int{}
	for _, c := range changes {
		n[c.Change.Call]++
	}
	if len(changes) == 0 {
		return []string{"No change of any level was found."}
	}
	var parts []string
	for _, p := range []struct {
		call judge.Call
		text string
	}{{judge.CallWorse, "for the worse"}, {judge.CallBetter, "for the better"}, {judge.CallShown, "that are neither"}} {
		if n[p.call] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[p.call], p.text))
		}
	}
	out := []string{fmt.Sprintf("%s found: %s.", count(len(changes), "change of a level"), strings.Join(parts, ", "))}
	if len(changes) > 1 {
		out[0] = fmt.Sprintf("%d changes of levels found: %s.", len(changes), strings.Join(parts, ", "))
	}
	if i := slices.IndexFunc(changes, func(c noted) bool { return c.Change.Call == judge.CallWorse }); i >= 0 {
		c := changes[i]
		s := fmt.Sprintf("The newest for the worse: %s of %s, %s → %s", c.chart.unit, c.name(), c.chart.value(c.Change.Old), c.chart.value(c.Change.New))
		if p := percent(c.Change.Relative); p != dash {
			s += " (" + p + ")"
		}
		s += fmt.Sprintf(", at %s of %s; %s was measured before it.", short(c.At.Hash), day(c.At.Time), short(c.Before.Hash))
		if c.Change.Last {
			s += " It is the newest commit alone: the next shows whether it lasts."
		}
		out = append(out, s)
	}
	return out
}

// name is the benchmark's.
func (n noted) name() string {
	s := n.chart.trend.Benchmark
	if n.Series.Name != "" {
		s += "/" + n.Series.Name
	}
	return s
}

func changeTable(changes []noted, classes bool) *table {
	if len(changes) == 0 {
		return nil
	}
	t := &table{Caption: "Changes of levels, the newest first. A change is of the commit, or of one between it and the one measured before it.",
		Head: []string{"Commit", "Measured", "Before it", "Benchmark", "Metric", "Old level", "New level", "Change", "", "p"}, words: []int{1, 2, 3, 4, 8}}
	var class *Class
	for _, c := range changes {
		if classes && c.class != class {
			class = c.class
			t.Rows = append(t.Rows, row{Group: class.Name})
		}
		k := c.Change
		cells := []string{short(c.At.Hash), day(c.At.Time), short(c.Before.Hash), c.name(), c.chart.unit,
			c.chart.value(k.Old), c.chart.value(k.New), percent(k.Relative), call(k), probability(k.P)}
		t.Rows = append(t.Rows, row{Cells: cells, call: k.Call, at: 8})
	}
	return t
}

// levels is where every line stands now.
func levels(cs []*chart) *table {
	t := &table{Caption: "Where the levels are now", words: []int{1, 4},
		Head: []string{"Benchmark", "Metric", "Level", "Newest median", "Since", "Commits", "Spread"}}
	for _, c := range cs {
		for _, s := range c.series {
			ls := s.Levels()
			from := ls[len(ls)-1]
			level := s.Level(from, len(s.Points))
			name := c.trend.Benchmark
			if s.Name != "" {
				name += "/" + s.Name
			}
			if c.trend.Package != "" {
				name = c.trend.Package + "." + name
			}
			t.Rows = append(t.Rows, row{Cells: []string{name, c.unit, c.value(level), c.value(s.Points[len(s.Points)-1].Median),
				short(c.trend.Commits[s.Points[from].Commit].Hash), count(len(s.Points)-from, "commit"), s.deviation(from, level)}})
		}
	}
	return t
}

// deviation is how far the medians of a level are from it, typically, as a fraction.
func (s *Series) deviation(from int, level float64) string {
	var ds []float64
	for _, p := range s.Points[from:] {
		if !p.Aside {
			ds = append(ds, math.Abs(p.Median-level))
		}
	}
	if len(ds) < 3 || level == 0 {
		return dash
	}
	return strings.TrimPrefix(percent(1.4826*median(ds)/math.Abs(level)), "+")
}
