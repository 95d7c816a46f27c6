package report

import (
	"fmt"
	"slices"

	"lorabench/bench/compare"
	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// interval is an interval of fractions, a dash where there is none.
func interval(low, high float64) string {
	if s := format.Interval(low, high); s != "" {
		return s
	}
	return format.None
}

// standingTable is each arm's loss against the best one's; nil where there is nothing to compare.
func standingTable(a *compare.Analysis) *table.Table {
	v := a.Verdict
	i := slices.IndexFunc(a.Metrics, func(m compare.Metric) bool { return m.Name == v.Unit })
	if i < 0 || len(v.Standing) == 0 {
		return nil
	}
	t := &table.Table{ID: "standing",
		Caption: fmt.Sprintf("%s against the best, %s. As good means: shown to be at most %s above.",
			v.Unit, table.Clean(v.Best), format.Percent(v.Limit)),
		Head: []table.Column{{Name: "arm"}, {Name: "median"}, {Name: "against the best"}, {Name: level(a)},
			{Name: "corrected p"}, {Name: "standing"}}}
	for _, s := range a.Metrics[i].Arms {
		median := table.Cell{Text: format.Value(v.Unit, s.Median)}
		if s.Arm == v.Best {
			dash := table.Cell{Text: format.None}
			t.Add(table.Clean(s.Arm), median, dash, dash, dash, table.Cell{Text: "best", Words: true})
			continue
		}
		for _, st := range v.Standing {
			if st.Arm == s.Arm {
				t.Add(table.Clean(s.Arm), median, table.Cell{Text: format.Change(st.Diff)}, table.Cell{Text: interval(st.Low, st.High)},
					table.Cell{Text: format.P(st.Corrected)}, table.Cell{Text: st.Call, Words: true})
			}
		}
	}
	return t
}

// level names the intervals.
func level(a *compare.Analysis) string { return format.Level(1-a.Alpha) + " interval" }

// costTable is what every larger arm costs, a column for each unit; nil where there is none.
func costTable(a *compare.Analysis) *table.Table {
	costs := a.Verdict.Costs
	if len(costs) == 0 {
		return nil
	}
	t := &table.Table{ID: "costs", Head: []table.Column{{Name: "arm"}}}
	var arms, units []string
	for _, c := range costs {
		if !slices.Contains(arms, c.Arm) {
			arms = append(arms, c.Arm)
		}
		if !slices.Contains(units, c.Unit) {
			units = append(units, c.Unit)
			t.Head = append(t.Head, table.Column{Name: c.Unit})
		}
	}
	t.Caption = fmt.Sprintf("What larger arms cost, against %s (%s).", table.Clean(costs[0].To), level(a))
	for _, arm := range arms {
		cells := make([]table.Cell, len(units))
		for i, u := range units {
			cells[i] = table.Cell{Text: format.None}
			for _, c := range costs {
				if c.Arm != arm || c.Unit != u || !format.Finite(c.Diff) {
					continue
				}
				cells[i].Text = format.Change(c.Diff)
				if !c.Exact && format.Finite(c.Low) {
					cells[i].Range = interval(c.Low, c.High)
				}
				if !c.Exact && (c.Call == compare.CannotTell || c.Call == compare.NoDifference) {
					cells[i].Note = t.Note(string(c.Call))
				}
			}
		}
		t.Add(table.Clean(arm), cells...)
	}
	return t
}

// metricsTable is every metric of every arm against the first one.
func metricsTable(a *compare.Analysis) *table.Table {
	t := &table.Table{ID: "metrics",
		Caption: "Every metric: the median, its 95 % interval, and the difference to the first arm, paired by seed. Detectable is the smallest difference that so many seeds with this noise find four times in five.",
		Head: []table.Column{{Name: "arm"}, {Name: "n"}, {Name: "median"}, {Name: "95 % interval"}, {Name: "difference"}, {Name: level(a)},
			{Name: "corrected p"}, {Name: "detectable"}, {Name: "call"}}}
	for _, m := range a.Metrics {
		t.Rows = append(t.Rows, table.Row{Group: table.Clean(title(m.Unit))})
		for _, s := range m.Arms {
			within := format.None
			if format.Finite(s.Low) && format.Finite(s.High) && s.Low != s.High {
				within = format.Value(m.Name, s.Low) + " to " + format.Value(m.Name, s.High)
			}
			cells := []table.Cell{{Text: format.Whole(s.N)}, {Text: format.Value(m.Name, s.Median)}, {Text: within}}
			for _, p := range m.Pairs {
				if p.Arm != s.Arm {
					continue
				}
				detectable := format.None
				if !p.Exact {
					detectable = format.Percent(p.Detectable)
				}
				cells = append(cells, table.Cell{Text: format.Change(p.Diff)}, table.Cell{Text: interval(p.Low, p.High)},
					table.Cell{Text: format.P(p.Corrected)}, table.Cell{Text: detectable}, table.Cell{Text: string(p.Call), Words: true})
				if p.Exact { // without chance there is no interval and no test
					cells[4].Text, cells[5].Text = format.None, format.None
				}
			}
			t.Add(table.Clean(s.Arm), cells...)
		}
		for _, n := range m.Notes {
			t.Remarks = append(t.Remarks, table.Clean(m.Name+": "+n))
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
