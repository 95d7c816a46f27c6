package judge

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// explain adds causes to findings, once for a benchmark's losses, its memory and its speed.
func (j *judging) explain() {
	var last *Result
	for _, t := range j.Results {
		if t.Call != CallWorse && t.Call != CallNumerics || last != nil && last.m == t.m && last.Class == t.Class && last.Call == t.Call {
			continue
		}
		switch last = t; {
		case t.Call == CallNumerics:
			t.Causes = []string{j.parting(t.m)}
		case t.Class == Memory:
			t.Causes = j.grew(t.m)
		case t.Class == Speed:
			t.Causes = j.slowed(t.m)
		}
	}
}

// parting returns a sentence on the step at which a benchmark's losses first differ, by its run records.
func (j *judging) parting(m *matched) string {
	both, at := false, math.MaxInt
	text := "The training losses of " + m.name + " are the same in every step: what is evaluated, or how, has changed."
	for _, old := range j.old.RecordsOf(m.old) {
		for _, r := range j.new.RecordsOf(m.new) {
			if r.Seed != old.Seed {
				continue
			}
			both = true
			for i, s := range r.Steps[:min(len(old.Steps), len(r.Steps))] {
				if was := old.Steps[i].Loss; s.Loss != was && s.Step < at {
					at = s.Step
					text = fmt.Sprintf("%s parts from the baseline at step %d, seed %d: loss %s instead of %s.", m.name, at, r.Seed,
						format.All(s.Loss), format.All(was))
				}
			}
		}
	}
	if !both {
		return "At which step the losses of " + m.name + " part cannot be told: both sides need run records; run with -out=DIR and give " +
			"the folders."
	}
	return text
}

// cause is what grew or slowed.
type cause struct {
	name     string // activations, or part=attention
	old, new float64
}

// grew names the categories of memory that grew, from the records.
func (j *judging) grew(m *matched) []string {
	old, new := categories(j.old.RecordsOf(m.old)), categories(j.new.RecordsOf(m.new))
	var found []cause
	for name, b := range new {
		if a := old[name]; b > a { // a category that only one side has counts as 0 on the other
			found = append(found, cause{name, a, b})
		}
	}
	switch {
	case len(old) > 0 && len(new) > 0:
		return m.sentences(found, "B", "of what the categories grew by", "uses more memory, but no category of its run records grew.")
	case ours(m.old):
		return []string{"Which memory of " + m.name + " grew cannot be told: both sides need run records that tell it apart; run " +
			"with -out=DIR and give the folders."}
	}
	return nil
}

// categories returns each category's mean measured bytes over a benchmark's records.
func categories(rs []*record.Record) map[string]float64 {
	mean, n := map[string]float64{}, map[string]float64{}
	for _, r := range rs {
		for _, c := range r.Memory {
			if c.Measured != nil {
				n[c.Name]++
				mean[c.Name] += (float64(*c.Measured) - mean[c.Name]) / n[c.Name]
			}
		}
	}
	return mean
}

// containers are the parts of a step that contain others: the gradient contains forward, attention, head, norm and most of matmul, and
// forward contains some of each. They are named only if nothing that they contain is.
var containers = []string{"part=gradient", "part=forward"}

// slowed names the parts that slowed most, by more than chance, from the benchmarks that explain: by Welch's test at 5 % with enough
// samples, else by 3 %. Parts are not judged, only looked at once something is worse, so nothing is corrected.
func (j *judging) slowed(m *matched) []string {
	old, new := parts(j.old, m.old.Bare), parts(j.new, m.old.Bare)
	var found []cause
	timed := 0
	for name, a := range old {
		b := new[name]
		if b == nil {
			continue
		}
		timed++
		c, slower := cause{name, stat.GeometricMean(a, nil), stat.GeometricMean(b, nil)}, stats.Welch(a, b).Above(0) < 0.05
		if min(len(a), len(b)) < 3 {
			slower = c.new-c.old > 0.03*c.old
		}
		if slower {
			found = append(found, c)
		}
	}
	if inner := slices.DeleteFunc(slices.Clone(found), func(c cause) bool { return slices.Contains(containers, c.name) }); len(inner) > 0 {
		found = inner
	}
	switch {
	case timed > 0:
		return m.sentences(found, "sec/op", "of what the parts slowed by", fmt.Sprintf("is slower, but none of its %s is: what slowed "+
			"is not in them (preparing batches, the loop over steps), or the machine was busier.", format.Count(timed, "part")))
	case ours(m.old):
		return []string{"Which part of " + m.name + " slowed cannot be told: no benchmark of its parts is on both sides. Run " +
			"go test -bench=Part on both sides and keep its output as parts.txt beside bench.txt."}
	}
	return nil
}

// parts returns the seconds that explaining benchmarks measured for a judged one: Part/rank=8/part=head is part=head of Rank/rank=8, and
// of no other rank; Part/part=head is of every rank.
func parts(in *Input, judged string) map[string][]float64 {
	out := map[string][]float64{}
	for _, b := range in.Benchmarks {
		name, own := strings.CutPrefix(strings.TrimPrefix(b.Bare, "Part/"), strings.TrimPrefix(judged, results.Rank+"/")+"/")
		if times := b.Metric("sec/op"); times != nil && explains(b) && (own || strings.HasPrefix(name, "part=")) {
			out[name] = floats.ScaleTo(make([]float64, len(times.Values)), times.Factor, times.Values)
		}
	}
	return out
}

// sentences describes causes, the largest first, with their shares, or says that there are none.
func (m *matched) sentences(found []cause, unit, of, none string) (out []string) {
	if found == nil {
		return []string{m.name + " " + none}
	}
	slices.SortFunc(found, func(a, b cause) int {
		return cmp.Or(cmp.Compare(b.new-b.old, a.new-a.old), strings.Compare(a.name, b.name))
	})
	whole := 0.0
	for _, c := range found {
		whole += c.new - c.old
	}
	for _, c := range found {
		text := fmt.Sprintf("%s: %s takes %s instead of %s", m.name, c.name, format.Value(unit, c.new), format.Value(unit, c.old))
		if c.old > 0 {
			text += " (" + format.Change(c.new/c.old-1) + ")"
		}
		if c.new-c.old >= 0.05*whole { // smaller shares explain nothing
			out = append(out, fmt.Sprintf("%s, %s %s.", text, format.Percent((c.new-c.old)/whole), of))
		}
	}
	return out
}
