package show

import (
	"strconv"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// centers prints what is compared of both sides. Where a difference was found they have as many digits as
// it takes to see it: exact comparisons find some far behind the fourth.
func centers(r *judge.Result) (string, string) {
	if found := r.Exact || r.Call == judge.CallWorse || r.Call == judge.CallBetter; !found {
		return format.Value(r.Unit, r.Old.Center), format.Value(r.Unit, r.New.Center)
	}
	return format.Apart(r.Unit, r.Old.Center, r.New.Center)
}

// change is a result's change with its 95 % interval.
func change(r *judge.Result) string {
	s := format.Change(r.Change)
	if i := format.Interval(r.Low, r.High); i != "" && r.Low != r.High {
		s += " (" + i + ")"
	}
	return s
}

// pvalue prints the corrected p.
func pvalue(r *judge.Result) string {
	if r.Exact {
		return "exact"
	}
	return format.P(r.Corrected)
}

// samples is how many values the sides have: "6", or "6, 10" where that differs.
func samples(r *judge.Result) string {
	a, b := strconv.Itoa(r.Old.N()), strconv.Itoa(r.New.N())
	if a == b {
		return a
	}
	return a + ", " + b
}
