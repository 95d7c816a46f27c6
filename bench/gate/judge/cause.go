package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// cause is what grew or slowed.
type cause struct {
	name     string // activations, or part=attention
	old, new float64
}

func (c cause) growth() float64 { return c.new - c.old }

// explain says where regressions sit, once for a benchmark's memory and once for its speed.
func (j *judging) explain() {
	var last *test
	for _, t := range j.all {
		if t.Call != CallWorse || last != nil && last.m == t.m && last.Class == t.Class {
			continue
		}
		switch last = t; t.Class {
		case Memory:
			t.Causes = j.grew(t.m)
		case Speed:
			t.Causes = j.slowed(t.m)
		}
	}
}

// grew names the categories of memory that grew, from the records.
func (j *judging) grew(m *matched) []string {
	old, new := categories(j.old.RecordsOf(m.old)), categories(j.new.RecordsOf(m.new))
	if len(old) == 0 || len(new) == 0 {
		if strings.HasPrefix(m.old.Bare, results.Rank+"/") {
			return []string{"Which memory of " + m.name + " grew cannot be told: both sides need run records that tell it apart; run " +
				"with -out=DIR and give the folders."}
		}
		return nil
	}
	var found []cause
	for name, b := range new {
		if a := old[name]; b > a { // a category that only one side has counts as 0 on the other
			found = append(found, cause{name: name, old: a, new: b})
		}
	}
	if len(found) == 0 {
		return []string{m.name + " uses more memory, but no category of its run records grew."}
	}
	return sentences(m.name, found, "B", "of what the categories grew by")
}

// categories are the mean measured bytes of each category over a benchmark's records.
func categories(rs []*record.Record) map[string]float64 {
	sum, n := map[string]float64{}, map[string]float64{}
	for _, r := range rs {
		for _, c := range r.Memory {
			if c.Measured != nil {
				sum[c.Name] += float64(*c.Measured)
				n[c.Name]++
			}
		}
	}
	for name := range sum {
		sum[name] /= n[name]
	}
	return sum
}

// minor is the share of a growth below which a category or part is not named.
const minor = 0.05

// sentences tell causes, the largest first, with their share.
func sentences(benchmark string, found []cause, unit, of string) (out []string) {
	slices.SortFunc(found, func(a, b cause) int {
		return cmp.Or(cmp.Compare(b.growth(), a.growth()), strings.Compare(a.name, b.name))
	})
	whole := 0.0
	for _, c := range found {
		whole += c.growth()
	}
	for _, c := range found {
		if c.growth() < minor*whole {
			continue
		}
		text := fmt.Sprintf("%s: %s takes %s instead of %s", benchmark, c.name, format.Value(unit, c.new), format.Value(unit, c.old))
		if c.old > 0 {
			text += " (" + format.Change(c.new/c.old-1) + ")"
		}
		out = append(out, fmt.Sprintf("%s, %s %s.", text, format.Percent(c.growth()/whole), of))
	}
	return out
}

// containers are lorabench's parts that hold others: the gradient is forward, attention, head, norm and most of matmul, and the
// forward pass is a part of each of these. They are named where none of what they hold is.
var containers = []string{"part=gradient", "part=forward"}

// slowed names the parts that slowed most in time, from the benchmarks that explain. A part is not judged but looked at once
// something is worse, so nothing is corrected.
func (j *judging) slowed(m *matched) []string {
	var found, holding []cause
	timed := 0
	for _, b := range j.old.Benchmarks {
		part, ok := partOf(b.Bare, m.old.Bare)
		if !explains(b) || !ok {
			continue
		}
		for _, other := range j.new.Benchmarks {
			x, y := b.Metric("sec/op"), other.Metric("sec/op")
			if other.Bare != b.Bare || x == nil || y == nil {
				continue
			}
			timed++
			c, slower := slowerThan(newSample(x, x.Factor, false), newSample(y, y.Factor, false))
			if c.name = part; slower && slices.Contains(containers, part) {
				holding = append(holding, c)
			} else if slower {
				found = append(found, c)
			}
		}
	}
	if found == nil {
		found = holding
	}
	switch {
	case timed == 0 && !strings.HasPrefix(m.old.Bare, results.Rank+"/"):
		return nil
	case timed == 0:
		return []string{"Which part of " + m.name + " slowed cannot be told: no benchmark of its parts is on both sides. Run " +
			"go test -bench=Part on both sides and keep its output as parts.txt beside bench.txt."}
	case found == nil:
		return []string{fmt.Sprintf("%s is slower, but none of its %s is: what slowed is not in them (preparing batches, the loop over "+
			"steps), or the machine was busier.",
			m.name, format.Count(timed, "part"))}
	}
	return sentences(m.name, found, "sec/op", "of what the parts slowed by")
}

// partOf is what an explaining benchmark times of a judged one: Part/rank=8/part=head is part=head of Rank/rank=8, and of no
// other rank; Part/part=head is of every rank.
func partOf(explaining, judged string) (string, bool) {
	part := strings.TrimPrefix(explaining, "Part/")
	if own, ok := strings.CutPrefix(part, strings.TrimPrefix(judged, results.Rank+"/")+"/"); ok {
		return own, true
	}
	return part, strings.HasPrefix(part, "part=")
}

// slower is the least by which a part must slow to be named, where it has too few samples for a test.
const slower = 0.03

// slowerThan reports whether a part slowed by more than chance: by Welch's test at 5 % where there are enough samples.
func slowerThan(old, new Sample) (c cause, is bool) {
	s := stats.NewScale(old.Values, new.Values)
	old.measure(s.Logs)
	new.measure(s.Logs)
	c.old, c.new = old.Center, new.Center
	if !(c.old > 0) || min(old.N(), new.N()) < 3 {
		return c, c.old > 0 && c.new/c.old-1 > slower
	}
	return c, stats.Welch(s.Of(old.Values), s.Of(new.Values)).Above(0) < 0.05
}
