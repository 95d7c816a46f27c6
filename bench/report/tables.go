package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// metricTables returns the comparison's tables, one for each metric.
func (s *study) metricTables() (ts []*format.Table) {
	for i, m := range s.a.Metrics {
		t := m.Table(s.a.Alpha)
		t.ID, t.Caption, t.Remarks = fmt.Sprintf("metric-%d", i+1), m.Title(), m.Notes
		ts = append(ts, t)
	}
	return ts
}

// runTables returns a table of each arm's runs, or nil for one seed.
func (s *study) runTables() (ts []*format.Table) {
	if table.Seeds(s.arms) < 2 {
		return nil
	}
	for i, a := range s.arms {
		ts = append(ts, table.BySeed(a, fmt.Sprintf("arm-%d", i+1)))
	}
	return ts
}

// settingsTable lists what must agree for runs to be compared, and what may differ: all that is needed to repeat them. A setting that is
// added to records later appears without a change here.
func (s *study) settingsTable() *format.Table {
	t := &format.Table{ID: "settings", Caption: "What the runs were made of and with.",
		Head: []string{"setting", "value"}, Words: []string{"value"}}
	var keys []string
	values := map[string][]string{}
	for _, c := range s.settings {
		for i, key := range c.Keys {
			if values[key] == nil {
				keys = append(keys, key)
			}
			if v := cmp.Or(strings.Trim(c.Values[i], "[]"), format.None); !slices.Contains(values[key], v) {
				values[key] = append(values[key], v)
			}
		}
	}
	for _, key := range keys {
		t.Rows = append(t.Rows, []string{key, strings.Join(values[key], ", ")})
	}
	return t
}

// peakOf returns peak memory in bytes: the GPU's if there is one, the process's otherwise.
func peakOf(arms []*table.Arm) (name string, of func(*record.Record) float64) {
	if slices.ContainsFunc(arms, func(a *table.Arm) bool { // a resumed run has none
		return slices.ContainsFunc(a.Runs, func(r *record.Record) bool { return r.PeakMemory.GPUAllocated != nil })
	}) {
		return "peak GPU memory", func(r *record.Record) float64 { return table.Number(r.PeakMemory.GPUAllocated) }
	}
	return "peak memory of the process", func(r *record.Record) float64 { return table.Number(r.PeakMemory.RSS) }
}

// held returns the sum of some categories; NaN if one is missing, since a part is no sum.
func held(names []string, of func(record.Category) *int64) func(*record.Record) float64 {
	return func(r *record.Record) (sum float64) {
		for _, name := range names {
			i := slices.IndexFunc(r.Memory, func(c record.Category) bool { return c.Name == name })
			if i < 0 {
				return math.NaN()
			}
			sum += table.Number(of(r.Memory[i]))
		}
		return sum
	}
}

// categories returns those that any arm has, in the records' order: the predicted ones, and the others.
func categories(arms []*table.Arm) (known, unknown []string) {
	for _, a := range arms {
		for _, r := range a.Runs {
			for _, c := range r.Memory {
				if list := map[bool]*[]string{true: &known, false: &unknown}[c.Predicted != nil]; !slices.Contains(*list, c.Name) {
					*list = append(*list, c.Name)
				}
			}
		}
	}
	return known, slices.DeleteFunc(unknown, func(name string) bool { return slices.Contains(known, name) })
}

// memoryTable lists memory at the peak by category: for each arm predicted, measured, and measured more than the first arm. It returns nil
// if no record has categories.
func memoryTable(arms []*table.Arm) []*format.Table {
	known, unknown := categories(arms)
	all := slices.Concat(known, unknown)
	if len(all) == 0 {
		return nil
	}
	t := &format.Table{ID: "memory-table", Head: []string{"category"},
		Caption: fmt.Sprintf("Memory at the peak by category: predicted from the configuration, measured, and how much more than %s. "+
			"Medians over seeds.", arms[0].Name)}
	seen := map[string]int{}
	shown := slices.DeleteFunc(slices.Clone(arms), func(a *table.Arm) bool {
		key := fmt.Sprint(a.Runs[0].Rank == record.Full, a.Runs[0].Trainable)
		seen[key]++
		return seen[key] > 1
	})
	if len(shown) < len(arms) {
		t.Caption += " Arms that train as many parameters use the same memory: the first stands for all."
	}
	for i, a := range shown {
		t.Head = append(t.Head, a.Name+" predicted", a.Name+" measured")
		if i > 0 {
			t.Head = append(t.Head, a.Name+" difference")
		}
	}
	cell := func(v float64, missing string) string {
		if !format.Finite(v) {
			return format.None + t.Note(missing)
		}
		return format.Value("B", v)
	}
	line := func(label string, predicted, measured func(*record.Record) float64) {
		cells := []string{label}
		for i, a := range shown {
			m := a.Over(measured).Median
			if cells = append(cells, cell(a.Over(predicted).Median, "not predicted"), cell(m, "not measured")); i > 0 {
				d := m - arms[0].Over(measured).Median
				cells = append(cells, format.Plus(d, format.Value("B", d)))
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	together := func(label string, names ...string) {
		if len(names) > 0 {
			line(label, held(names, func(c record.Category) *int64 { return c.Predicted }),
				held(names, func(c record.Category) *int64 { return c.Measured }))
		}
	}
	for _, n := range all {
		together(n, n)
	}
	t.Rows = append(t.Rows, []string{"Together"})
	together("all that is predicted", known...)
	if len(unknown) > 0 {
		together("all categories", all...)
	}
	name, peak := peakOf(arms)
	line(name, func(*record.Record) float64 { return math.NaN() }, peak)
	return []*format.Table{t}
}
