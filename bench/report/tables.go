package report

import (
	"fmt"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/table"
)

// metricTables are the comparison's, one for each metric.
func (s *study) metricTables() (ts []*table.Table) {
	for i := range s.a.Metrics {
		m := &s.a.Metrics[i]
		f := m.Table(s.a.Alpha)
		t := &table.Table{ID: fmt.Sprintf("metric-%d", i+1), Caption: m.Title()}
		for _, name := range f.Head {
			t.Head = append(t.Head, table.Column{Name: table.Clean(name)})
		}
		for _, row := range f.Rows {
			var cells []table.Cell
			for j, text := range row[1:] {
				cells = append(cells, table.Cell{Text: table.Clean(text), Words: slices.Contains(f.Words, f.Head[j+1])})
			}
			t.Add(table.Clean(row[0]), cells...)
		}
		for _, n := range m.Notes {
			t.Remarks = append(t.Remarks, table.Clean(n))
		}
		ts = append(ts, t)
	}
	return ts
}

// runTables are every run's own figures.
func (s *study) runTables() (ts []*table.Table) {
	if table.Seeds(s.arms) < 2 {
		return nil
	}
	for i, a := range s.arms {
		ts = append(ts, table.BySeed(a, fmt.Sprintf("arm-%d", i+1)))
	}
	return ts
}

// settingsTable is what must agree for runs to be compared, and what may differ: all that is needed to repeat them. A setting
// that is added to records later is in the table without a change here.
func (s *study) settingsTable() *table.Table {
	t := &table.Table{ID: "settings", Caption: "What the runs were made of and with.",
		Head: []table.Column{{Name: "setting"}, {Name: "value"}}}
	add := func(name string, values []string) {
		text := table.Clean(strings.Join(values, ", "))
		if text == "" {
			text = format.None
		}
		t.Add(name, table.Cell{Text: text, Words: true})
	}
	var names, seeds, keys []string
	for _, a := range s.arms {
		names = append(names, a.Name)
		for _, r := range a.Runs {
			if seed := fmt.Sprint(r.Seed); !slices.Contains(seeds, seed) {
				seeds = append(seeds, seed)
			}
		}
	}
	add("sub-benchmarks", names)
	add("seeds", seeds)
	values := map[string][]string{}
	for _, c := range s.settings {
		for i, key := range c.Keys {
			if values[key] == nil {
				keys = append(keys, key)
			}
			if v := strings.Trim(c.Values[i], "[]"); !slices.Contains(values[key], v) {
				values[key] = append(values[key], v)
			}
		}
	}
	for _, key := range slices.DeleteFunc(keys, func(key string) bool { return key == "seed" }) {
		add(key, values[key])
	}
	return t
}
