package report

import (
	"cmp"
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
		t := m.Table(s.a.Alpha)
		t.ID, t.Caption, t.Head, t.Remarks = fmt.Sprintf("metric-%d", i+1), m.Title(), clean(t.Head), clean(m.Notes)
		for i, row := range t.Rows {
			t.Rows[i] = clean(row)
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
		Head: []string{"setting", "value"}, Words: []string{"value"}}
	var keys []string
	values := map[string][]string{}
	for _, c := range s.settings {
		for i, key := range c.Keys {
			if values[key] == nil {
				keys = append(keys, key)
			}
			if v := cmp.Or(table.Clean(strings.Trim(c.Values[i], "[]")), format.None); !slices.Contains(values[key], v) {
				values[key] = append(values[key], v)
			}
		}
	}
	for _, key := range keys {
		t.Rows = append(t.Rows, []string{key, strings.Join(values[key], ", ")})
	}
	return t
}
