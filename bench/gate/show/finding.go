package show

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// decided says whether the calls count. Where the input cannot be used they do not: with a GPU of another
// kind everything is better or worse.
func decided(v *judge.Verdict) bool { return v.Status != judge.Unusable }

// called are the results of that call, none where calls do not count: losses first, because a percent of
// speed is another thing than a percent of loss, and in a class the largest change.
func called(v *judge.Verdict, call judge.Call) []*judge.Result {
	var rs []*judge.Result
	for i := range v.Results {
		if decided(v) && v.Results[i].Call == call {
			rs = append(rs, &v.Results[i])
		}
	}
	slices.SortStableFunc(rs, func(a, b *judge.Result) int {
		return cmp.Or(cmp.Compare(slices.Index(classes, a.Class), slices.Index(classes, b.Class)), cmp.Compare(size(b), size(a)))
	})
	return rs
}

// told is what is said of one result, or of several of which the same is said: subject: text.
type told struct {
	subject, text string
	causes        []string
}

func (t told) String() string { return t.subject + ": " + t.text }

// findings are what there is to say of the results of a call. What cannot be told mostly cannot for one
// reason, too few runs, and is one finding then. The causes of what is worse follow the first result of
// their benchmark and class; used has those that were taken.
func findings(v *judge.Verdict, call judge.Call, used map[int]bool) []told {
	var groups [][]*judge.Result
	at := map[string]int{} // of a reason
	for _, r := range called(v, call) {
		i, ok := at[r.Why]
		if call == judge.CallCannotTell && ok {
			groups[i] = append(groups[i], r)
			continue
		}
		at[r.Why] = len(groups)
		groups = append(groups, []*judge.Result{r})
	}
	var list []told
	for _, rs := range groups {
		t := told{subject: subjects(rs), text: reason(rs[0])}
		if len(rs) > 1 {
			t.text = sentence(rs[0].Why)
		}
		if call == judge.CallWorse {
			t.causes = causes(v, rs[0], used)
		}
		list = append(list, t)
	}
	return list
}

// subjects names the first of many results.
func subjects(rs []*judge.Result) string {
	var names []string
	for _, r := range rs {
		names = append(names, subject(r))
	}
	return format.Few(names, 4)
}

func size(r *judge.Result) float64 {
	if math.IsNaN(r.Change) {
		return 0
	}
	return math.Abs(r.Change)
}

// causes are the sentences that explain a result, none twice: those of a benchmark's class follow its
// first result of the class.
func causes(v *judge.Verdict, r *judge.Result, told map[int]bool) []string {
	var ss []string
	for i := range v.Causes {
		c := &v.Causes[i]
		if !told[i] && c.Class == r.Class && c.Benchmark == r.Benchmark {
			told[i] = true
			ss = append(ss, cause(c))
		}
	}
	return ss
}

func cause(c *judge.Cause) string {
	if c.Text != "" {
		return sentence(c.Text)
	}
	a, b := format.Apart(c.Unit, c.Old, c.New)
	return fmt.Sprintf("%s: %s → %s", cell(c.Name), a, b)
}
