package report

import (
	"fmt"
	"math"
	"slices"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// peakOf is peak memory in bytes: the GPU's where there is one, the process's otherwise.
func peakOf(arms []*table.Arm) (name string, of func(*record.Record) float64) {
	if arms[0].Runs[0].PeakMemory.GPUAllocated != nil {
		return "peak GPU memory", func(r *record.Record) float64 { return table.Number(r.PeakMemory.GPUAllocated) }
	}
	return "peak memory of the process", func(r *record.Record) float64 { return table.Number(r.PeakMemory.RSS) }
}

// sizes are the arms that differ in memory: the first of those that train as many parameters.
func sizes(arms []*table.Arm) (out []*table.Arm) {
	for _, a := range arms {
		same := func(b *table.Arm) bool {
			return a.Runs[0].Trainable == b.Runs[0].Trainable && a.Full() == b.Full()
		}
		if !slices.ContainsFunc(out, same) {
			out = append(out, a)
		}
	}
	return out
}

// which picks one of a category's two numbers.
type which func(record.Category) *int64

func predicted(c record.Category) *int64 { return c.Predicted }
func measured(c record.Category) *int64  { return c.Measured }

// bytesOf returns the median over seeds of what categories hold together; NaN where one is missing: a part is no sum.
func bytesOf(a *table.Arm, of which, names ...string) float64 {
	return a.Over(func(r *record.Record) (sum float64) {
		for _, name := range names {
			i := slices.IndexFunc(r.Memory, func(c record.Category) bool { return c.Name == name })
			if i < 0 {
				return math.NaN()
			}
			sum += table.Number(of(r.Memory[i]))
		}
		return sum
	}).Median
}

// categories are those that any arm has, in the record's order and then unknown ones: those that are predicted, and the others.
func categories(arms []*table.Arm) (known, unknown []string) {
	names, told := slices.Clone(record.Categories), map[string]bool{}
	for _, a := range arms {
		for _, r := range a.Runs {
			for _, c := range r.Memory {
				if told[c.Name] = told[c.Name] || c.Predicted != nil; !slices.Contains(names, c.Name) {
					names = append(names, c.Name)
				}
			}
		}
	}
	for _, n := range names {
		if is, has := told[n]; is {
			known = append(known, n)
		} else if has {
			unknown = append(unknown, n)
		}
	}
	return known, unknown
}

// memoryTable tells memory at the peak apart: for each arm predicted, measured, and measured more than the first arm. There
// is no table where no record does.
func memoryTable(arms []*table.Arm) []*table.Table {
	known, unknown := categories(arms)
	all := slices.Concat(known, unknown)
	if len(all) == 0 {
		return nil
	}
	t := &table.Table{ID: "memory-table", Head: []string{"category"}, Caption: fmt.Sprintf("Memory at the peak by category: "+
		"predicted from the configuration, measured, and how much more than %s. Medians over seeds.", arms[0].Name)}
	shown := sizes(arms)
	if len(shown) < len(arms) {
		t.Caption += " Arms that train as many parameters use the same memory: the first stands for all."
	}
	for i, a := range shown {
		t.Head = append(t.Head, a.Name+" predicted", a.Name+" measured")
		if i > 0 {
			t.Head = append(t.Head, a.Name+" difference")
		}
	}
	line := func(label string, of func(a *table.Arm, w which) float64) {
		cells := []string{label}
		for i, a := range shown {
			p, m := format.Bytes(of(a, predicted)), format.Bytes(of(a, measured))
			if p == format.None {
				p += t.Note("not predicted")
			}
			if m == format.None {
				m += t.Note("not measured")
			}
			if cells = append(cells, p, m); i > 0 {
				d := of(a, measured) - of(arms[0], measured)
				cells = append(cells, format.Plus(d, format.Bytes(d)))
			}
		}
		t.Rows = append(t.Rows, cells)
	}
	for _, n := range all {
		line(n, func(a *table.Arm, w which) float64 { return bytesOf(a, w, n) })
	}
	t.Rows = append(t.Rows, []string{"Together"})
	if len(known) > 0 {
		line("all that is predicted", func(a *table.Arm, w which) float64 { return bytesOf(a, w, known...) })
	}
	if len(unknown) > 0 {
		line("all categories", func(a *table.Arm, w which) float64 { return bytesOf(a, w, all...) })
	}
	name, peak := peakOf(arms)
	line(name, func(a *table.Arm, w which) float64 {
		if w(record.Category{Measured: new(int64)}) == nil {
			return math.NaN()
		}
		return a.Over(peak).Median
	})
	t.Remarks = disturbances(arms)
	return []*table.Table{t}
}

// disturbances says who else held memory of the GPU, and which runs went on without CUDA graphs.
func disturbances(arms []*table.Arm) []string {
	var order []string
	during := map[string]int{}
	see := func(what string) {
		if during[what]++; during[what] == 1 {
			order = append(order, what)
		}
	}
	for _, a := range arms {
		for _, r := range a.Runs {
			for _, h := range r.Others {
				see(fmt.Sprintf("process %d (%s) held memory of the same GPU", h.PID, h.Name))
			}
			if r.GraphsFailed != "" {
				see("training went on without CUDA graphs (" + r.GraphsFailed + ")")
			}
		}
	}
	for i, what := range order {
		order[i] = fmt.Sprintf("During %s %s. Their speed and memory are not comparable with those of other runs.",
			format.Count(during[what], "run"), table.Clean(what))
	}
	return order
}
