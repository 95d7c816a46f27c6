package judge

import (
	"cmp"
	"slices"
	"strings"

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
	if len(bs) == 0 && len(in.Problems) == 0 {
		j.problem(results.Empty, "", "", "%s (%s) has no benchmark result to judge: give the output of go test -bench, or the folder of "+
			"-out",
			side.Label, strings.Join(side.Files, ", "))
	}
	return bs
}

// identity is what makes benchmarks of both sides the same one.
type identity struct {
	bare  string
	procs int
	pkg   string
}

// match finds each benchmark of the baseline in New: the same name, GOMAXPROCS and package. A package that only one side names,
// or that was renamed, matches by the name alone where that is of one benchmark only.
func (j *judging) match() {
	olds, news := j.judged(j.old, j.Baseline), j.judged(j.new, j.New)
	index := func(bs []*results.Benchmark) (by map[identity][]*results.Benchmark) {
		by = map[identity][]*results.Benchmark{}
		for _, b := range bs {
			for _, id := range []identity{{b.Bare, b.Procs, b.Pkg}, {b.Bare, b.Procs, "*"}, {b.Bare, 0, "*"}} {
				by[id] = append(by[id], b)
			}
		}
		return by
	}
	byOld, byNew := index(olds), index(news)
	taken := map[*results.Benchmark]bool{}
	for _, a := range olds {
		same, others := identity{a.Bare, a.Procs, "*"}, byNew[identity{a.Bare, 0, "*"}]
		found := byNew[identity{a.Bare, a.Procs, a.Pkg}]
		if found == nil && len(byOld[same]) == 1 && len(byNew[same]) == 1 {
			found = byNew[same]
		}
		switch {
		case found != nil:
			b := found[0]
			taken[b] = true
			name := a.Name
			if len(b.Name) > len(name) {
				name = b.Name
			}
			j.matched = append(j.matched, matched{name: name, old: a, new: b})
		case len(byNew[same]) == 0 && len(others) > 0:
			taken[others[0]] = true
			j.problem(Mismatch, a.Name, "", "GOMAXPROCS was %d in %s and %d in %s for %s: compare runs of one -cpu", a.Procs,
				j.Baseline.Label, others[0].Procs, j.New.Label, a.Name)
		case len(news) > 0: // else said once for all
			j.problem(MissingBenchmark, a.Name, "", "the baseline has %s and %s has not: run it, or make the baseline anew",
				a.Name, j.New.Label)
		}
	}
	for _, b := range news {
		if !taken[b] {
			j.Added = append(j.Added, b.Name)
		}
	}
	slices.SortStableFunc(j.matched, func(a, b matched) int { return inOrder(a.name, b.name) })
	slices.SortStableFunc(j.Added, inOrder)
}

// inOrder is the order in which benchmarks are shown.
func inOrder(a, b string) int { return cmp.Or(record.Compare(a, b), strings.Compare(a, b)) }
