package show

import (
	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// manyRows is what still is a compact table. Beyond, only findings are in it: a project with thousands
// of benchmarks has its few that changed.
const manyRows = 60

// listed are the results for the table: all, or those that were judged; and how many that are the same
// were left out because there are too many.
func listed(v *judge.Verdict, all bool) (rs []*judge.Result, left int) {
	same := 0
	for i := range v.Results {
		r := &v.Results[i]
		if !all && r.Call == judge.CallShown {
			continue
		}
		if r.Call == judge.CallSame {
			same++
		}
		rs = append(rs, r)
	}
	if all || len(rs) <= manyRows || same == 0 {
		return rs, 0
	}
	var found []*judge.Result
	for _, r := range rs {
		if r.Call != judge.CallSame {
			found = append(found, r)
		}
	}
	return found, same
}

// cells are the results as a table. A benchmark's name stands in its first row alone.
func cells(v *judge.Verdict, rs []*judge.Result) *format.Table {
	t := &format.Table{Words: []string{"metric", ""}, Head: []string{"benchmark", "metric", label(&v.Baseline, "baseline"), label(&v.New, "new"), "change (95 %)", "p", "n", ""}}
	last := ""
	for i, r := range rs {
		name := cell(r.Benchmark)
		if i > 0 && r.Benchmark == last {
			name = ""
		}
		last = r.Benchmark
		a, b := centers(r)
		t.Rows = append(t.Rows, []string{name, cell(r.Unit), a, b, change(r), pvalue(r), samples(r), mark(r)})
	}
	return t
}
