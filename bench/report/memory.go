package report

import (
	"fmt"
	"math"
	"slices"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// configured are the categories that the configuration alone fixes, whatever the data and the
// program: on them a prediction can be held to.
var configured = []string{record.Weights, record.Adapter, record.Gradients, record.Optimizer}

// bytesOf is the median over seeds of a category's bytes; NaN where there is none.
func bytesOf(a *table.Arm, name string, of func(record.Category) *int64) float64 {
	return a.Over(func(r *record.Record) float64 {
		for _, c := range r.Memory {
			if c.Name == name {
				return table.Number(of(c))
			}
		}
		return math.NaN()
	}).Median
}

func predicted(c record.Category) *int64 { return c.Predicted }
func measured(c record.Category) *int64  { return c.Measured }

// categories are those that any arm has, in their order; unknown ones last.
func categories(arms []*table.Arm) []string {
	names := slices.Clone(record.Categories)
	has := map[string]bool{}
	for _, a := range arms {
		for _, r := range a.Runs {
			for _, c := range r.Memory {
				if has[c.Name] = true; !slices.Contains(names, c.Name) {
					names = append(names, c.Name)
				}
			}
		}
	}
	return slices.DeleteFunc(names, func(n string) bool { return !has[n] })
}

// unitBytes are the bytes of what memoryUnit says.
var unitBytes = map[string]float64{"MiB": 1 << 20, "GiB": record.GiB}

// memoryUnit is MiB where everything is small: a GiB with three decimals hides an adapter.
func memoryUnit(arms []*table.Arm) (unit string, f table.Shown) {
	most := 0.0
	for _, a := range arms {
		if v := a.Over(peak).Max; format.Finite(v) {
			most = max(most, v)
		}
	}
	for _, small := range []struct {
		below    float64
		decimals int
	}{{record.GiB, 2}, {8 * record.GiB, 1}} {
		if most < small.below {
			return "MiB", func(v float64) string { return format.Fixed(v/(1<<20), small.decimals) }
		}
	}
	return "GiB", table.GiB
}

// memoryTable is memory at the peak told apart: for each arm predicted, measured, and measured more
// than the first arm. nil where no record tells it apart.
func memoryTable(arms []*table.Arm) *table.Table {
	names := categories(arms)
	if len(names) == 0 {
		return nil
	}
	unit, f := memoryUnit(arms)
	t := &table.Table{ID: "memory", Head: []table.Column{{Name: "category"}},
		Caption: fmt.Sprintf("Memory at the peak in %s, told apart: predicted from the configuration, measured, and how much more than %s. Medians over seeds.", unit, arms[0].Name)}
	for i, a := range arms {
		t.Head = append(t.Head, table.Column{Group: a.Name, Name: "predicted"}, table.Column{Group: a.Name, Name: "measured"})
		if i > 0 {
			t.Head = append(t.Head, table.Column{Group: a.Name, Name: "difference"})
		}
	}
	line := func(label string, of func(a *table.Arm, which func(record.Category) *int64) float64) {
		var cells []table.Cell
		for i, a := range arms {
			p, m := of(a, predicted), of(a, measured)
			cells = append(cells, bytesCell(t, f, p, "not predicted"), bytesCell(t, f, m, "not measured"))
			if i > 0 {
				d := m - of(arms[0], measured)
				cells = append(cells, table.Cell{Text: format.Plus(d, f(d))})
			}
		}
		t.Add(label, cells...)
	}
	for _, n := range names {
		line(n, func(a *table.Arm, which func(record.Category) *int64) float64 { return bytesOf(a, n, which) })
	}
	sum := func(names []string) func(*table.Arm, func(record.Category) *int64) float64 {
		return func(a *table.Arm, which func(record.Category) *int64) (s float64) {
			for _, n := range names {
				s += bytesOf(a, n, which) // NaN if one is missing: a part is no sum
			}
			return s
		}
	}
	t.Rows = append(t.Rows, table.Row{Group: "Together"})
	if !slices.ContainsFunc(configured, func(n string) bool { return !slices.Contains(names, n) }) {
		line("weights, adapter, gradients, optimizer", sum(configured))
	}
	known := slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return slices.ContainsFunc(arms, func(a *table.Arm) bool { return !format.Finite(bytesOf(a, n, predicted)) })
	})
	if len(known) > 0 && len(known) < len(names) {
		line("all that is predicted", sum(known))
	}
	line("all categories", sum(names))
	name, _ := peakName(arms)
	line(name, func(a *table.Arm, which func(record.Category) *int64) float64 {
		if which(record.Category{Measured: new(int64)}) == nil {
			return math.NaN()
		}
		return a.Over(peak).Median
	})
	t.Remarks = holders(arms)
	return t
}

// bytesCell is a cell of bytes, a dash with a footnote where there are none.
func bytesCell(t *table.Table, f table.Shown, v float64, why string) table.Cell {
	c := table.Cell{Text: f(v)}
	if !format.Finite(v) {
		c.Note = t.Note(why)
	}
	return c
}

// holders says who else held memory of the GPU, and during how many of the runs.
func holders(arms []*table.Arm) []string {
	type process struct {
		pid  int
		name string
	}
	var order []process
	during, most := map[process]int{}, map[process]int64{}
	runs := 0
	for _, a := range arms {
		for _, r := range a.Runs {
			runs++
			for _, h := range r.Others {
				p := process{h.PID, table.Clean(h.Name)}
				if during[p]++; during[p] == 1 {
					order = append(order, p)
				}
				most[p] = max(most[p], h.Bytes)
			}
		}
	}
	var said []string
	for _, p := range order {
		s := fmt.Sprintf("During %d of %d runs another process held memory of the same GPU: %d", during[p], runs, p.pid)
		if p.name != "" {
			s += " (" + p.name + ")"
		}
		if most[p] > 0 {
			s += ", up to " + format.Bytes(float64(most[p]))
		}
		said = append(said, s+". Speed, and whether a run fits, are then not the run's alone.")
	}
	return said
}

// peak is the run's peak memory in bytes: the GPU's where there is one, the process's otherwise.
func peak(r *record.Record) float64 {
	if r.PeakMemory.GPUAllocated != nil {
		return table.Number(r.PeakMemory.GPUAllocated)
	}
	return table.Number(r.PeakMemory.RSS)
}

// peakName says what peak is of these arms, and in which unit compare has it.
func peakName(arms []*table.Arm) (name, unit string) {
	if arms[0].Runs[0].PeakMemory.GPUAllocated != nil {
		return "peak GPU memory", "peak-GPU-GB"
	}
	return "peak memory of the process", "peak-RSS-GB"
}
