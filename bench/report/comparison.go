package report

import (
	"fmt"
	"slices"

	"lorabench/bench/compare"
	"lorabench/bench/format"
	"lorabench/bench/record"
)

// standingTable is each arm's loss against the best one's; nil where there is nothing to compare.
func standingTable(a *compare.Analysis) *table {
	v := a.Verdict
	i := slices.IndexFunc(a.Metrics, func(m compare.Metric) bool { return m.Name == v.Unit })
	if i < 0 || len(v.Standing) == 0 {
		return nil
	}
	t := &table{ID: "standing",
		Caption: fmt.Sprintf("%s against the best, %s. As good means: shown to be at most %s above.", v.Unit, clean(v.Best), format.Percent(a.Margin)),
		Head:    []column{{Name: "arm"}, {Name: "median"}, {Name: "against the best"}, {Name: level(a)}, {Name: "corrected p"}, {Name: "standing"}}}
	for _, s := range a.Metrics[i].Arms {
		median := cell{Text: format.Value(v.Unit, s.Median)}
		if s.Arm == v.Best {
			t.add(clean(s.Arm), median, cell{Text: format.None}, cell{Text: format.None}, cell{Text: format.None}, cell{Text: "best", Words: true})
			continue
		}
		for _, st := range v.Standing {
			if st.Arm == s.Arm {
				t.add(clean(s.Arm), median, cell{Text: format.Change(st.Diff)}, cell{Text: interval(st.Low, st.High)},
					cell{Text: format.P(st.Corrected)}, cell{Text: st.Call, Words: true})
			}
		}
	}
	return t
}

// level names the intervals.
func level(a *compare.Analysis) string { return format.Level(1-a.Alpha) + " interval" }

// costTable is what every larger arm costs, a column for each unit; nil where there is none.
func costTable(a *compare.Analysis) *table {
	costs := a.Verdict.Costs
	if len(costs) == 0 {
		return nil
	}
	t := &table{ID: "costs", Head: []column{{Name: "arm"}}}
	var arms, units []string
	for _, c := range costs {
		if !slices.Contains(arms, c.Arm) {
			arms = append(arms, c.Arm)
		}
		if !slices.Contains(units, c.Unit) {
			units = append(units, c.Unit)
			t.Head = append(t.Head, column{Name: c.Unit})
		}
	}
	t.Caption = fmt.Sprintf("What larger arms cost, against %s (%s).", clean(costs[0].To), level(a))
	for _, arm := range arms {
		cells := make([]cell, len(units))
		for i, u := range units {
			cells[i] = cell{Text: format.None}
			for _, c := range costs {
				if c.Arm != arm || c.Unit != u || !format.Finite(c.Diff) {
					continue
				}
				cells[i].Text = format.Change(c.Diff)
				if !c.Exact && format.Finite(c.Low) {
					cells[i].Range = interval(c.Low, c.High)
				}
				if !c.Exact && (c.Call == compare.CannotTell || c.Call == compare.NoDifference) {
					cells[i].Note = t.note(string(c.Call))
				}
			}
		}
		t.add(clean(arm), cells...)
	}
	return t
}

// metricsTable is every metric of every arm against the first one.
func metricsTable(a *compare.Analysis) *table {
	t := &table{ID: "metrics",
		Caption: "Every metric: the median, its 95 % interval, and the difference to the first arm, paired by seed. Detectable is the smallest difference that so many seeds with this noise find four times in five.",
		Head: []column{{Name: "arm"}, {Name: "n"}, {Name: "median"}, {Name: "95 % interval"}, {Name: "difference"}, {Name: level(a)},
			{Name: "corrected p"}, {Name: "detectable"}, {Name: "call"}}}
	for _, m := range a.Metrics {
		t.Rows = append(t.Rows, row{Group: clean(title(m.Unit))})
		for _, s := range m.Arms {
			within := format.None
			if format.Finite(s.Low) && format.Finite(s.High) && s.Low != s.High {
				within = format.Value(m.Name, s.Low) + " to " + format.Value(m.Name, s.High)
			}
			cells := []cell{{Text: format.Whole(s.N)}, {Text: format.Value(m.Name, s.Median)}, {Text: within}}
			for _, p := range m.Pairs {
				if p.Arm != s.Arm {
					continue
				}
				detectable := format.None
				if !p.Exact {
					detectable = format.Percent(p.Detectable)
				}
				cells = append(cells, cell{Text: format.Change(p.Diff)}, cell{Text: interval(p.Low, p.High)},
					cell{Text: format.P(p.Corrected)}, cell{Text: detectable}, cell{Text: string(p.Call), Words: true})
				if p.Exact { // without chance there is no interval and no test
					cells[4].Text, cells[5].Text = format.None, format.None
				}
			}
			t.add(clean(s.Arm), cells...)
		}
		for _, n := range m.Notes {
			t.Remarks = append(t.Remarks, clean(m.Name+": "+n))
		}
	}
	return t
}

func title(u record.Unit) string {
	if u.Better == "" {
		return u.Name
	}
	return u.Name + " (" + u.Better + " is better)"
}

// pairOf is arm's comparison with the first arm in a unit; false where there is none.
func pairOf(a *compare.Analysis, unit, arm string) (compare.Pair, bool) {
	for _, m := range a.Metrics {
		if m.Name != unit {
			continue
		}
		for _, p := range m.Pairs {
			if p.Arm == arm {
				return p, format.Finite(p.Diff)
			}
		}
	}
	return compare.Pair{}, false
}
