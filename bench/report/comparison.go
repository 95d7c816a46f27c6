package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/compare"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// interval is an interval of fractions in per cent.
func interval(low, high float64) string {
	if !table.Finite(low) || !table.Finite(high) {
		return table.Dash
	}
	return strings.TrimSuffix(table.Signed(table.Percent)(low), " %") + " to " + table.Signed(table.Percent)(high)
}

// ofUnit is how values of a unit are written.
func ofUnit(unit string) table.Format {
	switch unit {
	case "loss", "train-loss", "eval-loss", "forget-loss":
		return table.Fixed(4)
	case "adapter-bytes":
		return table.Size
	case "trainable-parameters":
		return table.Fixed(0)
	case "ns/op":
		return func(v float64) string {
			if !table.Finite(v) {
				return table.Dash
			}
			return table.Significant(4)(v/1e6) + " ms"
		}
	}
	return table.Significant(4)
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
			v.Unit, table.Clean(v.Best), table.Percent(a.Margin)),
		Head: []table.Column{{Name: "arm"}, {Name: "median"}, {Name: "against the best"}, {Name: level(a)},
			{Name: "corrected p"}, {Name: "standing"}}}
	for _, s := range a.Metrics[i].Arms {
		median := table.Cell{Text: ofUnit(v.Unit)(s.Median)}
		if s.Arm == v.Best {
			dash := table.Cell{Text: table.Dash}
			t.Add(table.Clean(s.Arm), median, dash, dash, dash, table.Cell{Text: "best", Words: true})
			continue
		}
		for _, st := range v.Standing {
			if st.Arm == s.Arm {
				t.Add(table.Clean(s.Arm), median, table.Cell{Text: table.Signed(table.Percent)(st.Diff)}, table.Cell{Text: interval(st.Low, st.High)},
					table.Cell{Text: table.PValue(st.Corrected)}, table.Cell{Text: st.Call, Words: true})
			}
		}
	}
	return t
}

// level names the intervals.
func level(a *compare.Analysis) string {
	return table.Plain(math.Round(1e4*(1-a.Alpha))/100) + " % interval"
}

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
			cells[i] = table.Cell{Text: table.Dash}
			for _, c := range costs {
				if c.Arm != arm || c.Unit != u || !table.Finite(c.Diff) {
					continue
				}
				cells[i].Text = relative(c.Diff)
				if !c.Exact && table.Finite(c.Low) {
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

// relative is a difference: in per cent, or as a factor where it is many times.
func relative(d float64) string {
	if d >= 2 {
		return times(1 + d)
	}
	return table.Signed(table.Percent)(d)
}

// times is a factor.
func times(f float64) string {
	if !table.Finite(f) {
		return table.Dash
	}
	return table.Significant(3)(f) + "×"
}

// metricsTable is every metric of every arm against the first one.
func metricsTable(a *compare.Analysis) *table.Table {
	t := &table.Table{ID: "metrics",
		Caption: "Every metric: the median, its 95 % interval, and the difference to the first arm, paired by seed. Detectable is the smallest difference that so many seeds with this noise find four times in five.",
		Head: []table.Column{{Name: "arm"}, {Name: "n"}, {Name: "median"}, {Name: "95 % interval"}, {Name: "difference"}, {Name: level(a)},
			{Name: "corrected p"}, {Name: "detectable"}, {Name: "call"}}}
	for _, m := range a.Metrics {
		f := ofUnit(m.Name)
		t.Rows = append(t.Rows, table.Row{Group: table.Clean(title(m.Unit))})
		for _, s := range m.Arms {
			within := table.Dash
			if table.Finite(s.Low) && table.Finite(s.High) && s.Low != s.High {
				within = f(s.Low) + "–" + f(s.High)
			}
			cells := []table.Cell{{Text: table.Count(s.N)}, {Text: f(s.Median)}, {Text: within}}
			for _, p := range m.Pairs {
				if p.Arm != s.Arm {
					continue
				}
				detectable := table.Dash
				if !p.Exact {
					detectable = table.Percent(p.Detectable)
				}
				cells = append(cells, table.Cell{Text: relative(p.Diff)}, table.Cell{Text: interval(p.Low, p.High)},
					table.Cell{Text: table.PValue(p.Corrected)}, table.Cell{Text: detectable}, table.Cell{Text: string(p.Call), Words: true})
				if p.Exact { // without chance there is no interval and no test
					cells[4].Text, cells[5].Text = table.Dash, table.Dash
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
				return p, table.Finite(p.Diff)
			}
		}
	}
	return compare.Pair{}, false
}
