package judge

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/results"

	"lorabench/bench/record"
	"lorabench/bench/stats"
)

// minor is the share of a growth below which a category or part is not named.
const minor = 0.05

// explain looks for where regressions sit.
func (j *judging) explain() {
	explaining := map[string]*results.Benchmark{}
	for _, b := range j.new.Benchmarks {
		if parts.MatchString(b.Bare) {
			explaining[b.Bare] = b
		}
	}
	worse := map[string]map[Class]bool{}
	for _, r := range j.Results {
		if r.Call == CallWorse {
			if worse[r.Benchmark] == nil {
				worse[r.Benchmark] = map[Class]bool{}
			}
			worse[r.Benchmark][r.Class] = true
		}
	}
	for i := range j.matched {
		m := &j.matched[i]
		if worse[m.name][Memory] {
			j.grew(m)
		}
		if worse[m.name][Speed] {
			j.slowed(m, explaining)
		}
	}
}

// grew names the categories of memory that grew, from the records.
func (j *judging) grew(m *matched) {
	old, new := categories(j.old.RecordsOf(m.old)), categories(j.new.RecordsOf(m.new))
	if len(old) == 0 || len(new) == 0 {
		if strings.HasPrefix(m.old.Bare, "Rank/") {
			j.note("Which memory of %s grew cannot be told: both sides need run records that tell it apart; run with -out=DIR and give the folders.", m.name)
		}
		return
	}
	var found []Cause
	whole := 0.0
	for _, name := range names(old, new) {
		a, okA := old[name]
		b, okB := new[name]
		if !okA && !okB || b <= a {
			continue // a category that only one side has counts as 0 on the other
		}
		whole += b - a
		found = append(found, Cause{Class: Memory, Benchmark: m.name, Name: name, Old: a, New: b, Unit: "B"})
	}
	if len(found) == 0 {
		j.note("%s takes more memory, but no category of its run records grew.", m.name)
		return
	}
	j.name(found, whole, func(c Cause) string {
		return fmt.Sprintf("%s: %s takes %s instead of %s", m.name, c.Name, format.Bytes(c.New), format.Bytes(c.Old))
	}, "of what the categories grew by")
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

// names are the categories of either side, in their order; what a later version adds comes last.
func names(old, new map[string]float64) []string {
	out := slices.Clone(record.Categories)
	var more []string
	for _, m := range []map[string]float64{old, new} {
		for name := range m {
			if !slices.Contains(out, name) && !slices.Contains(more, name) {
				more = append(more, name)
			}
		}
	}
	slices.Sort(more)
	return append(out, more...)
}

// name adds causes, the largest first, with their share of the whole.
func (j *judging) name(found []Cause, whole float64, say func(Cause) string, of string) {
	slices.SortStableFunc(found, func(a, b Cause) int { return cmp.Compare(b.New-b.Old, a.New-a.Old) })
	for _, c := range found {
		c.Share = (c.New - c.Old) / whole
		if c.Share < minor {
			continue
		}
		c.Text = say(c)
		if c.Old > 0 {
			c.Text += " (+" + format.Percent(c.New/c.Old-1) + ")"
		}
		c.Text += fmt.Sprintf(", %s %s.", format.Percent(c.Share), of)
		j.Causes = append(j.Causes, c)
	}
}

// containers are lorabench's parts that hold others: the gradient is forward, attention, head, norm and
// most of matmul, and the forward pass is a part of each of these.
var containers = []string{"part=gradient", "part=forward"}

// slower is the least by which a part must slow to be named, where it has too few samples for a test.
const slower = 0.03

// slowed names the parts that slowed most in time, from the benchmarks that explain.
func (j *judging) slowed(m *matched, explaining map[string]*results.Benchmark) {
	var found []Cause
	timed, inside := 0, 0.0
	gradient := Cause{Old: math.NaN(), New: math.NaN()}
	for _, b := range j.old.Benchmarks {
		other := explaining[b.Bare]
		if other == nil || !parts.MatchString(b.Bare) {
			continue
		}
		part, ok := partOf(b.Bare, m.old.Bare)
		x, y := b.Metric("sec/op"), other.Metric("sec/op")
		if !ok || x == nil || y == nil {
			continue
		}
		timed++
		a, c := valuesOf(x, nil, x.Factor), valuesOf(y, nil, y.Factor)
		if !slowerThan(a, c) {
			continue
		}
		cause := Cause{Class: Speed, Benchmark: m.name, Name: part, Old: a.sample(false).Median, New: c.sample(false).Median, Unit: "sec/op"}
		switch {
		case part == containers[0]:
			gradient = cause
		case !slices.Contains(containers, part):
			found = append(found, cause)
			if part != "part=optimizer" {
				inside = max(inside, cause.New-cause.Old) // matmul and head are partly the same time
			}
		}
	}
	if timed == 0 {
		if strings.HasPrefix(m.old.Bare, "Rank/") {
			j.note("Which part of %s slowed cannot be told: no benchmark of its parts is on both sides. "+
				"Run go test -bench=Part on both sides and keep its output as parts.txt beside bench.txt.", m.name)
		}
		return
	}
	// What slowed outside the parts that are timed: LoRA's own products, what is done element by element.
	if rest := gradient.New - gradient.Old - inside; rest > inside {
		found = append(found, gradient)
	}
	if len(found) == 0 {
		j.note("%s is slower, but none of its %s is: what slowed is not in them (preparing batches, the loop over steps), or the machine was busier.", m.name, format.Count(timed, "part"))
		return
	}
	whole := 0.0
	for _, c := range found {
		whole += c.New - c.Old
	}
	if len(found) > 1 && found[len(found)-1].Name == containers[0] {
		whole -= inside // it holds the others
	}
	j.name(found, whole, func(c Cause) string {
		text := fmt.Sprintf("%s: %s takes %s instead of %s", m.name, c.Name, format.Value("sec/op", c.New), format.Value("sec/op", c.Old))
		if c.Name == containers[0] {
			text += ", most of it outside the parts timed within it"
		}
		return text
	}, "of what the parts slowed by")
}

// partOf is what an explaining benchmark times of a judged one: Part/rank=8/part=head is part=head of
// Rank/rank=8, and of no other rank; Part/part=head is of every rank.
func partOf(explaining, judged string) (string, bool) {
	have := map[string]string{}
	for _, s := range strings.Split(judged, "/")[1:] {
		if k, v, ok := strings.Cut(s, "="); ok {
			have[k] = v
		}
	}
	var rest []string
	for _, s := range strings.Split(explaining, "/")[1:] {
		k, v, ok := strings.Cut(s, "=")
		if w, also := have[k]; ok && also {
			if v != w {
				return "", false
			}
			continue
		}
		rest = append(rest, s)
	}
	if len(rest) == 0 {
		return explaining, true
	}
	return strings.Join(rest, "/"), true
}

// slowerThan says whether a part slowed by more than chance: by Welch's test at 5 % where there are
// enough samples. A part is not judged but looked at once something is worse, so nothing is corrected.
func slowerThan(old, new values) bool {
	a, b := old.sample(false), new.sample(false)
	if !(a.Median > 0) || !(b.Median > a.Median) {
		return false
	}
	if a.N() < 3 || b.N() < 3 {
		return b.Median/a.Median-1 > slower
	}
	s := stats.NewScale(old.x, new.x)
	return stats.Welch(s.Of(old.x), s.Of(new.x)).Above(0) < 0.05
}
