package judge

import (
	"cmp"
	"slices"
	"strconv"

	"lorabench/bench/record"
)

// finish names and sorts what was read.
func (r *reader) finish() {
	in := r.in
	procs, pkgs := map[identity]int{}, map[string]map[string]bool{}
	for _, b := range in.Benchmarks {
		procs[identity{pkg: b.Pkg, bare: b.bare}]++
		if pkgs[b.bare] == nil {
			pkgs[b.bare] = map[string]bool{}
		}
		pkgs[b.bare][b.Pkg] = true
	}
	for _, b := range in.Benchmarks {
		if procs[identity{pkg: b.Pkg, bare: b.bare}] > 1 && b.Procs > 1 {
			b.Name += "-" + strconv.Itoa(b.Procs)
		}
		if len(pkgs[b.bare]) > 1 && b.Pkg != "" {
			b.Name = b.Pkg + "." + b.Name
		}
		for i := range b.Metrics {
			m := &b.Metrics[i]
			u := in.units[m.tidied]
			m.Class, m.Better = classOf(m.Unit, u.exact), builtIn(m.Unit)
			if m.Better == "" {
				m.Better = u.better
			}
		}
		slices.SortStableFunc(b.Metrics, func(x, y Metric) int { return cmp.Compare(order(x.Unit, x.Class), order(y.Unit, y.Class)) })
	}
	slices.SortStableFunc(in.Benchmarks, func(x, y *Benchmark) int {
		return cmp.Or(record.Compare(x.Name, y.Name), cmp.Compare(x.Name, y.Name))
	})
}
