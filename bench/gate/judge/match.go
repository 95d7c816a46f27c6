package judge

import (
	"fmt"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/results"
)

// matched is a benchmark that both sides have.
type matched struct {
	name          string
	old, new      *results.Benchmark
	deterministic bool // the same seed must give the same loss
}

// judged are a side's benchmarks that do not merely explain.
func (j *judging) judged(in *Input) []*results.Benchmark {
	var out []*results.Benchmark
	for _, b := range in.Benchmarks {
		if !parts.MatchString(b.Bare) {
			out = append(out, b)
		}
	}
	return out
}

// match finds each benchmark of the baseline in New: the same name, GOMAXPROCS and package. A package that
// only one side names, or that was renamed, matches by the name alone where that is of one benchmark only.
func (j *judging) match() {
	olds, news := j.judged(j.old), j.judged(j.new)
	for _, s := range []struct {
		in   *Input
		bs   []*results.Benchmark
		side Side
	}{{j.old, olds, j.Baseline}, {j.new, news, j.New}} {
		switch {
		case len(s.bs) > 0 || len(s.in.Problems) > 0:
		case len(s.in.Benchmarks) > 0:
			j.problem(Empty, "", "", "%s (%s) has only benchmarks that explain (%s), and none to judge: give the results of the others too", s.side.Label, strings.Join(s.in.Files, ", "), parts)
		default:
			j.problem(Empty, "", "", "%s (%s) has no benchmark result: give the output of go test -bench, or the folder of -out", s.side.Label, strings.Join(s.in.Files, ", "))
		}
	}
	by := func(bs []*results.Benchmark) map[string][]*results.Benchmark {
		m := map[string][]*results.Benchmark{}
		for _, b := range bs {
			m[b.Bare] = append(m[b.Bare], b)
		}
		return m
	}
	byOld, byNew := by(olds), by(news)
	taken := map[*results.Benchmark]bool{}
	find := func(a *results.Benchmark) *results.Benchmark {
		sameProcs := func(bs []*results.Benchmark) (out []*results.Benchmark) {
			for _, b := range bs {
				if b.Procs == a.Procs {
					out = append(out, b)
				}
			}
			return out
		}
		candidates := sameProcs(byNew[a.Bare])
		for _, b := range candidates {
			if b.Pkg == a.Pkg {
				return b
			}
		}
		if len(candidates) == 1 && len(sameProcs(byOld[a.Bare])) == 1 {
			return candidates[0]
		}
		return nil
	}
	var procs differences
	for _, a := range olds {
		b := find(a)
		if b != nil {
			taken[b] = true
			name := a.Name
			if len(b.Name) > len(name) {
				name = b.Name
			}
			j.matched = append(j.matched, matched{name: name, old: a, new: b})
			continue
		}
		if len(news) == 0 {
			continue // said once for all
		}
		if i := slices.IndexFunc(byNew[a.Bare], func(b *results.Benchmark) bool {
			return b.Procs != a.Procs && (b.Pkg == a.Pkg || a.Pkg == "" || b.Pkg == "")
		}); i >= 0 {
			b := byNew[a.Bare][i]
			taken[b] = true
			procs.add(a.Name, fmt.Sprintf("GOMAXPROCS was %d in %s and %d in %s", a.Procs, j.Baseline.Label, b.Procs, j.New.Label))
			continue
		}
		j.problem(MissingBenchmark, a.Name, "", "the baseline has %s and %s has not: run it, or make the baseline anew where it was removed on purpose", a.Name, j.New.Label)
	}
	for _, d := range procs {
		j.problem(Mismatch, d.names[0], "", "%s for %s: compare runs of one -cpu", d.text, format.Few(d.names, 4))
	}
	for _, b := range news {
		if !taken[b] {
			j.Added = append(j.Added, b.Name)
		}
	}
	slices.SortStableFunc(j.matched, func(a, b matched) int { return inOrder(a.name, b.name) })
	slices.SortStableFunc(j.Added, inOrder)
}
