package compare

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/results"
)

// ReadResults reads files of the Go benchmark format (golang.org/design/14313-benchmark-format), from
// go test's output or written by lorabench with exact values. BenchmarkRank/rank=8-2 is a run of the
// arm rank=8. Results of other benchmarks are left aside with a note. Errors name the file and line: lines
// that cannot be read, values that are not finite, a configuration (model, data, device, ...) or
// GOMAXPROCS that changes on the way, a file given twice.
func ReadResults(paths ...string) (*Set, error) {
	if len(paths) == 0 {
		return nil, errors.New("compare: no result file given")
	}
	return FromResults(results.Read(paths...))
}

// FromRecords makes a Set of run records. Records that are not of one study (another model, data, recipe,
// device, number of steps, ...) are refused with both values named; so are two of the same arm and seed, and
// figures that are not finite. The commit, driver, Go and operating system may differ: a note says so.
func FromRecords(rs []*record.Record) (*Set, error) {
	if len(rs) == 0 {
		return nil, errors.New("compare: no run records")
	}
	rs, left, err := record.Finite(rs)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	s, err := FromResults(results.FromRecords(rs))
	if err == nil && left != "" {
		s.Notes = append(s.Notes, left)
	}
	return s, err
}

// FromResults makes a Set of the arms among results.
func FromResults(in *results.Set) (*Set, error) {
	if len(in.Problems) > 0 {
		return nil, fmt.Errorf("compare: %w", in.Problems[0])
	}
	var arms []*results.Benchmark
	aside := map[string]int{}
	for _, b := range in.Benchmarks {
		if base, _, _ := strings.Cut(b.Bare, "/"); base == results.Rank && b.Bare != base {
			arms = append(arms, b)
		} else {
			aside[base] += len(b.Runs)
		}
	}
	if len(arms) == 0 {
		return nil, fmt.Errorf("compare: %s: no result of Benchmark%s/rank=...: give the output of go test -bench=%[2]s or the bench.txt of -out",
			strings.Join(in.Files, ", "), results.Rank)
	}
	s := &Set{}
	if err := s.configure(in, arms); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	s.units(in, arms)
	for _, b := range arms {
		a, err := s.arm(b)
		if err != nil {
			return nil, fmt.Errorf("compare: %w", err)
		}
		s.Arms = append(s.Arms, a)
	}
	slices.SortFunc(s.Arms, func(x, y Arm) int { return record.Compare(x.Name, y.Name) })
	if len(in.Files) > 0 {
		first := func(b *results.Benchmark) (int, int) { return slices.Index(in.Files, b.Runs[0].File), b.Runs[0].Line }
		slices.SortFunc(arms, func(x, y *results.Benchmark) int {
			xf, xl := first(x)
			yf, yl := first(y)
			return cmp.Or(cmp.Compare(xf, yf), cmp.Compare(xl, yl))
		})
		for _, b := range arms {
			s.Order = append(s.Order, strings.TrimPrefix(b.Bare, results.Rank+"/"))
		}
	}
	if len(aside) > 0 {
		n := 0
		for _, c := range aside {
			n += c
		}
		s.Notes = append(s.Notes, fmt.Sprintf("%s of other benchmarks left aside: %s.", format.Count(n, "result"), strings.Join(slices.Sorted(maps.Keys(aside)), ", ")))
	}
	return s, nil
}

// configure takes the settings that all runs of arms have, and refuses those that are not of one study.
func (s *Set) configure(in *results.Set, arms []*results.Benchmark) (err error) {
	used := map[*results.Settings]bool{}
	for _, b := range arms {
		for i := range b.Runs {
			used[b.Runs[i].Config] = true
		}
	}
	of := slices.DeleteFunc(slices.Clone(in.Settings), func(set *results.Settings) bool { return !used[set] })
	if s.Notes, err = results.Agree(of); err != nil {
		return err
	}
	if len(in.Files) > 0 {
		s.Notes = append(s.Notes, results.Unsaid(of)...)
	}
	for _, set := range of {
		for i, key := range set.Keys {
			if set.Values[i] != "" && s.config(key) == "" {
				s.Config = append(s.Config, Config{key, set.Values[i]})
			}
		}
	}
	for _, b := range arms[1:] {
		if a := arms[0]; a.Procs != b.Procs {
			return fmt.Errorf("%s: %s was run with GOMAXPROCS %d, %s with %d (%s): compare runs of one -cpu", b.Runs[0].Where(), b.Bare, b.Procs, a.Bare, a.Procs, a.Runs[0].Where())
		}
	}
	return nil
}

// units are the metrics that any run has, each in the unit that it was first written in.
func (s *Set) units(in *results.Set, arms []*results.Benchmark) {
	for _, b := range arms {
		for _, m := range b.Metrics {
			if slices.ContainsFunc(s.Units, func(u record.Unit) bool { base, _ := results.Tidy(u.Name); return base == m.Base }) {
				continue
			}
			u := in.Units[m.Base]
			s.Units = append(s.Units, record.Unit{Name: m.Unit, Better: cmp.Or(results.Better(m.Unit), u.Better)})
			if u.Exact || slices.Contains(deterministic, m.Unit) {
				s.Exact = append(s.Exact, m.Unit)
			}
		}
	}
	slices.SortStableFunc(s.Units, func(a, b record.Unit) int { return results.Order(a.Name) - results.Order(b.Name) })
}

// suffixed is the end of a name that looks like GOMAXPROCS'.
var suffixed = regexp.MustCompile(`^(.*)-[0-9]+$`)

// arm takes a benchmark's runs.
func (s *Set) arm(b *results.Benchmark) (Arm, error) {
	a := Arm{Name: strings.TrimPrefix(b.Bare, results.Rank+"/")}
	if rank, ok := strings.CutPrefix(a.Name, "rank="); !ok || rank == "" {
		return a, fmt.Errorf("%s: the result Benchmark%s names no rank: want Benchmark%s/rank=8 or the like", b.Runs[0].Where(), b.Bare, results.Rank)
	}
	if m := suffixed.FindStringSubmatch(a.Name); m != nil && slices.ContainsFunc(s.Arms, func(x Arm) bool { return x.Name == m[1] }) {
		return a, fmt.Errorf("%s: Benchmark%s stands beside %s: they differ in GOMAXPROCS, or a name ends in a number; compare runs of one -cpu", b.Runs[0].Where(), b.Bare, m[1])
	}
	for _, r := range b.Runs {
		if v := r.Config.Get("seed"); v != "" && !r.Config.Seeded {
			return a, fmt.Errorf("%s: seed is %q, want a whole number: that of the first run", r.Where(), v)
		}
		if slices.ContainsFunc(a.Runs, func(x Run) bool { return x.Seed == r.Seed }) {
			return a, fmt.Errorf("%s: %s has two results of seed %d: runs are paired by seed; compare commits or studies in files of their own", r.Where(), a.Name, r.Seed)
		}
		a.Runs = append(a.Runs, Run{Seed: r.Seed, Values: map[string]float64{}})
	}
	for _, u := range s.Units {
		base, factor := results.Tidy(u.Name)
		m := b.Metric(base)
		if m == nil {
			continue
		}
		for i, v := range m.Values {
			if m.Factor != factor {
				v *= m.Factor / factor
			}
			if err := finite(v); err != nil {
				return a, fmt.Errorf("%s: %s: %s is %w", b.Runs[m.Runs[i]].Where(), a.Name, u.Name, err)
			}
			a.Runs[m.Runs[i]].Values[u.Name] = v
		}
	}
	slices.SortStableFunc(a.Runs, func(x, y Run) int { return cmp.Compare(x.Seed, y.Seed) })
	return a, nil
}
