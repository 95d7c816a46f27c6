package history

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"lorabench/internal/file"
)

// Write draws the history into a folder, that of the results or another: index.html, one page that needs
// nothing else, and an SVG file for every chart. It returns their paths, the page's first. Each file is whole
// or as it was before.
func (h *History) Write(dir string) ([]string, error) {
	all := h.charts()
	index := filepath.Join(dir, "index.html")
	paths := []string{index}
	for _, cs := range all {
		for _, c := range cs {
			path := filepath.Join(dir, c.ID+".svg")
			if err := file.Replace(path, c.svg); err != nil {
				return nil, fmt.Errorf("history: %w", err)
			}
			paths = append(paths, path)
		}
	}
	// The page last: it links to the charts.
	if err := file.Replace(index, func(w io.Writer) error { return h.page(w, all) }); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return paths, nil
}

// charts are all charts by class.
func (h *History) charts() [][]*chart {
	var all [][]*chart
	for _, c := range h.Classes {
		taken := map[string]bool{}
		var cs []*chart
		for _, t := range c.Trends {
			title := t.Title()
			if t.Steps > 0 && differentSteps(c, t) {
				title = strings.Replace(title, ": ", fmt.Sprintf(" (%s): ", count(t.Steps, "step")), 1)
			}
			id := c.ID + "-" + slug(title)
			made := charts(t, id, title, c.Name)
			for n := 2; slices.ContainsFunc(made, func(k *chart) bool { return taken[k.ID] }); n++ {
				made = charts(t, fmt.Sprintf("%s-%d", id, n), title, c.Name)
			}
			for _, k := range made {
				taken[k.ID] = true
			}
			cs = append(cs, made...)
		}
		all = append(all, cs)
	}
	return all
}

// differentSteps says whether the class has this trend with another number of steps too.
func differentSteps(c *Class, t *Trend) bool {
	for _, o := range c.Trends {
		if o.Benchmark == t.Benchmark && o.Package == t.Package && o.Steps != t.Steps {
			return true
		}
	}
	return false
}

// slug is a text as part of a file's name.
func slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 60 {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}
