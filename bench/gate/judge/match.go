package judge

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
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

// ours reports whether a benchmark is lorabench's own, which trains.
func ours(b *results.Benchmark) bool { return strings.HasPrefix(b.Bare, results.Rank+"/") }

// seeded reports whether a benchmark's runs have seeds; else they are numbered.
func seeded(b *results.Benchmark) bool { return ours(b) && b.Runs[0].Config.Seeded }

// explains reports whether a benchmark only explains, and is never judged.
func explains(b *results.Benchmark) bool {
	return b.Bare == "Part" || strings.HasPrefix(b.Bare, "Part/")
}

// judged returns a side's benchmarks without those that only explain; having none is a problem.
func (j *judging) judged(in *Input, side Side) []*results.Benchmark {
	bs := slices.DeleteFunc(slices.Clone(in.Benchmarks), explains)
	if len(bs) == 0 && len(in.Problems) == 0 {
		j.problem(results.Empty, "", "", "%s (%s) has no benchmark result to judge: give the output of go test -bench, or the folder of "+
			"-out", side.Label, strings.Join(side.Files, ", "))
	}
	return bs
}

// match finds each benchmark of the baseline in New: by name, GOMAXPROCS and package, or by the name with which the side tells its
// benchmarks apart. A package that only one side names, or that was renamed, is no difference.
func (j *judging) match() {
	olds, news := j.judged(j.old, j.Baseline), j.judged(j.new, j.New)
	by, taken := map[string][]*results.Benchmark{}, map[*results.Benchmark]bool{}
	for _, b := range news {
		by[b.Bare] = append(by[b.Bare], b)
	}
	for _, a := range olds {
		all := by[a.Bare]
		k := slices.IndexFunc(all, func(b *results.Benchmark) bool { return b.Procs == a.Procs && b.Pkg == a.Pkg })
		if k < 0 {
			k = slices.IndexFunc(all, func(b *results.Benchmark) bool { return b.Name == a.Name })
		}
		if k < 0 {
			if len(news) > 0 { // else judged has said it once for all
				j.problem(MissingBenchmark, a.Name, "", "the baseline has %s and %s has not: run it, or make the baseline anew",
					a.Name, j.New.Label)
			}
			continue
		}
		b := all[k]
		if taken[b] = true; b.Procs != a.Procs {
			j.problem(Mismatch, a.Name, "", "GOMAXPROCS was %d in %s and %d in %s for %s: compare runs of one -cpu", a.Procs,
				j.Baseline.Label, b.Procs, j.New.Label, a.Name)
			continue
		}
		longer := slices.MaxFunc([]string{a.Name, b.Name}, func(a, b string) int { return len(a) - len(b) })
		j.matched = append(j.matched, &matched{name: longer, old: a, new: b})
	}
	for _, b := range news {
		if !taken[b] {
			j.Added = append(j.Added, b.Name)
		}
	}
	slices.SortStableFunc(j.matched, func(a, b *matched) int { return inOrder(a.name, b.name) })
	slices.SortStableFunc(j.Added, inOrder)
}

// inOrder compares names in the order in which benchmarks are shown.
func inOrder(a, b string) int { return cmp.Or(record.Compare(a, b), strings.Compare(a, b)) }

// settings finds settings that differ between the sides, or within one, so that they are different studies; for lorabench's own also the
// steps, since a loss belongs to a length. A difference that -ignore allows, or of libtorch, changes what a seed gives.
func (j *judging) settings() {
	var keys []string // that must agree and have more than one value
	for _, c := range j.Baseline.Config {
		k := slices.IndexFunc(j.New.Config, func(other Config) bool { return other.Key == c.Key })
		if k >= 0 && !results.MayDiffer(c.Key) && (len(c.Values) > 1 || !slices.Equal(c.Values, j.New.Config[k].Values)) {
			keys = append(keys, c.Key)
		}
	}
	for _, m := range j.matched {
		m.deterministic = sameMachine(m.old.Runs) && sameMachine(m.new.Runs)
		for _, key := range append(keys, benchtime) {
			a, whereA := valuesIn(m.old, key)
			b, whereB := valuesIn(m.new, key)
			if len(a) == 0 || len(b) == 0 || len(a) == 1 && slices.Equal(a, b) {
				continue
			}
			m.deterministic = false
			text := fmt.Sprintf("%s is %s in %s and %s in %s", key, whereA, j.Baseline.Label, whereB, j.New.Label)
			if key == "torch" || slices.Contains(j.Ignore, key) {
				j.note("%s: losses are tested, not compared value by value.", text)
			} else {
				j.problem(Mismatch, "", "", "%s: compare results of one %s, or give -ignore=%s where that is what is compared", text, key, key)
			}
		}
	}
	if len(j.matched) > 0 {
		j.Notes = append(j.Notes, results.Unsaid(slices.Concat(j.old.Settings, j.new.Settings))...)
	}
}

// benchtime is the key under which the length of lorabench's trainings counts as a setting.
const benchtime = "benchtime"

// valuesIn returns a setting's values, and in words where each was first seen.
func valuesIn(b *results.Benchmark, key string) (values []string, where string) {
	var said []string
	for i := range b.Runs {
		r := &b.Runs[i]
		v := r.Config.Get(key)
		if key == benchtime && ours(b) {
			v = strconv.Itoa(r.Iters) + "x"
		}
		if v != "" && !slices.Contains(values, v) {
			values, said = append(values, v), append(said, fmt.Sprintf("%q (%s)", v, filepath.Base(r.Config.Where)))
		}
	}
	return values, format.List(said)
}

// sameMachine reports whether the same seed must give the same loss: on a CPU, with every setting known.
func sameMachine(runs []results.Run) bool {
	return !slices.ContainsFunc(runs, func(r results.Run) bool {
		unknown := func(key string) bool { return r.Config.Get(key) == "" }
		return r.Config.Get("device") != "cpu" || slices.ContainsFunc([]string{"seed", "torch", "cpu", "threads", "dtype"}, unknown)
	})
}

// side returns a side's label, its files and the values of each configuration key.
func side(in *Input, label string) Side {
	s := Side{Label: cmp.Or(in.Label, label), Files: in.Files}
	for _, set := range in.Settings {
		for i, k := range set.Keys {
			n := slices.IndexFunc(s.Config, func(c Config) bool { return c.Key == k })
			if n < 0 {
				n, s.Config = len(s.Config), append(s.Config, Config{Key: k})
			}
			if c, v := &s.Config[n], set.Values[i]; !slices.Contains(c.Values, v) {
				c.Values = append(c.Values, v)
			}
		}
	}
	return s
}
