package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/results"
)

// matched is a benchmark that both sides have.
type matched struct {
	name          string
	old, new      *results.Benchmark
	deterministic bool // the same seed must give the same loss
}

// explains reports whether a benchmark only explains, and is never judged.
func explains(b *results.Benchmark) bool {
	return b.Bare == "Part" || strings.HasPrefix(b.Bare, "Part/")
}

// judged are a side's benchmarks that do not merely explain, by bare name; none is a problem.
func (j *judging) judged(in *Input, side Side) []*results.Benchmark {
	bs := slices.DeleteFunc(slices.Clone(in.Benchmarks), explains)
	switch {
	case len(bs) > 0 || len(in.Problems) > 0:
	case len(in.Benchmarks) > 0:
		j.problem(results.Empty, "", "", "%s (%s) has only benchmarks that explain (Part), and none to judge: give the results of the others too", side.Label, strings.Join(side.Files, ", "))
	default:
		j.problem(results.Empty, "", "", "%s (%s) has no benchmark result: give the output of go test -bench, or the folder of -out", side.Label, strings.Join(side.Files, ", "))
	}
	return bs
}

// match finds each benchmark of the baseline in New.
func (j *judging) match() {
	olds, news := j.judged(j.old, j.Baseline), j.judged(j.new, j.New)
	byName := map[string][2][]*results.Benchmark{}
	for side, bs := range [...][]*results.Benchmark{olds, news} {
		for _, b := range bs {
			sides := byName[b.Bare]
			sides[side] = append(sides[side], b)
			byName[b.Bare] = sides
		}
	}
	taken := map[*results.Benchmark]bool{}
	var procs grouped
	for _, a := range olds {
		sides := byName[a.Bare]
		b := counterpart(a, sides)
		others := slices.IndexFunc(sides[1], func(b *results.Benchmark) bool { return b.Procs != a.Procs })
		switch {
		case b != nil:
			taken[b] = true
			name := a.Name
			if len(b.Name) > len(name) {
				name = b.Name
			}
			j.matched = append(j.matched, matched{name: name, old: a, new: b})
		case others >= 0:
			b := sides[1][others]
			taken[b] = true
			procs.add(fmt.Sprintf("GOMAXPROCS was %d in %s and %d in %s", a.Procs, j.Baseline.Label, b.Procs, j.New.Label), a.Name)
		case len(news) > 0: // else said once for all
			j.problem(MissingBenchmark, a.Name, "", "the baseline has %s and %s has not: run it, or make the baseline anew where it was removed on purpose", a.Name, j.New.Label)
		}
	}
	for _, g := range procs {
		j.problem(Mismatch, g.names[0], "", "%s for %s: compare runs of one -cpu", g.text, format.Few(g.names, 4))
	}
	for _, b := range news {
		if !taken[b] {
			j.Added = append(j.Added, b.Name)
		}
	}
	slices.SortStableFunc(j.matched, func(a, b matched) int { return inOrder(a.name, b.name) })
	slices.SortStableFunc(j.Added, inOrder)
}

// counterpart is the benchmark of New with the GOMAXPROCS and package of a. A package that only one side names, or that was
// renamed, matches by the name alone where that is of one benchmark only.
func counterpart(a *results.Benchmark, sides [2][]*results.Benchmark) *results.Benchmark {
	n := 0
	for _, b := range sides[0] {
		if b.Procs == a.Procs {
			n++
		}
	}
	var found []*results.Benchmark
	for _, b := range sides[1] {
		if b.Procs != a.Procs {
			continue
		}
		if b.Pkg == a.Pkg {
			return b
		}
		found = append(found, b)
	}
	if n == 1 && len(found) == 1 {
		return found[0]
	}
	return nil
}

// inOrder is the order in which benchmarks are shown.
func inOrder(a, b string) int { return cmp.Or(record.Compare(a, b), strings.Compare(a, b)) }

// grouped is what is to be said, each once, with the benchmarks that it is said of.
type grouped []group

type group struct {
	text  string
	names []string
}

func (g *grouped) add(text, name string) {
	if i := slices.IndexFunc(*g, func(x group) bool { return x.text == text }); i >= 0 {
		(*g)[i].names = append((*g)[i].names, name)
		return
	}
	*g = append(*g, group{text, []string{name}})
}
