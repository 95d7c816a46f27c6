package compare

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/format"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"

	"lorabench/bench/record"
)

// benchmark is the base name of the results that are compared.
const benchmark = "Rank"

// ReadResults reads files of the Go benchmark format (golang.org/design/14313-benchmark-format), from
// go test's output or written by lorabench with exact values. BenchmarkRank/rank=8-2 is a run of the
// arm rank=8. Its k-th under the same line "seed: S" of a file has seed S+k-1, as -count counts; where
// files have no such line, its k-th in their order has seed k. Results of other benchmarks are left aside with a note. Errors name the file and line: lines
// that cannot be read, values that are not finite, a configuration (model, data, device, ...) or
// GOMAXPROCS that changes on the way, a file given twice.
func ReadResults(paths ...string) (*Set, error) {
	if len(paths) == 0 {
		return nil, errors.New("compare: no result file given")
	}
	r := newReader()
	var read []os.FileInfo
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			return nil, fmt.Errorf("compare: %w", err)
		}
		info, err := f.Stat()
		if err == nil && slices.ContainsFunc(read, func(o os.FileInfo) bool { return os.SameFile(o, info) }) {
			err = fmt.Errorf("%s is given twice: its runs would count as two each", p)
		}
		if read = append(read, info); err == nil {
			err = r.read(f, p)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("compare: %w", err)
		}
	}
	s, err := r.set()
	if err != nil {
		return nil, fmt.Errorf("compare: %s: %w", strings.Join(paths, ", "), err)
	}
	return s, nil
}

// reader gathers the results of one or more files.
type reader struct {
	b      *builder
	bench  benchfmt.Reader
	opened bool
	config map[string]setting
	keys   []string
	procs  string           // GOMAXPROCS' suffix of the first result
	units  map[string]scale // by the unit that is written
	tidied map[string]scale // by benchfmt's
	aside  map[string]int   // results of other benchmarks
	loose  map[string][]string
	seeds  *seeds
}

type setting struct{ value, where string }

// scale is the unit that values are kept in, and what a value is multiplied with and divided by.
type scale struct {
	unit        string
	times, over float64
}

func newReader() *reader {
	return &reader{b: newBuilder(), config: map[string]setting{}, units: map[string]scale{}, tidied: map[string]scale{}, aside: map[string]int{}, loose: map[string][]string{}, seeds: newSeeds()}
}

// read adds a file's results.
func (r *reader) read(f io.Reader, name string) error {
	in := bufio.NewReader(f)
	// Editors on Windows begin a file with a mark that would hide its first line.
	if mark, err := in.Peek(3); err == nil && bytes.Equal(mark, []byte("\ufeff")) {
		_, _ = in.Discard(3)
	}
	r.bench.Reset(in, name)
	first := true
	for r.bench.Scan() {
		switch rec := r.bench.Result().(type) {
		case *benchfmt.SyntaxError:
			return fmt.Errorf("%w: go test's lines are unreadable where a benchmark printed something; correct or remove the line", rec)
		case *benchfmt.UnitMetadata:
			if err := checkUnit(rec); err != nil {
				return err
			}
		case *benchfmt.Result:
			if err := r.result(rec, &first); err != nil {
				file, line := rec.Pos()
				return fmt.Errorf("%s:%d: %w", file, line, err)
			}
		}
	}
	return r.bench.Err()
}

// checkUnit refuses what would turn a comparison around.
func checkUnit(m *benchfmt.UnitMetadata) error {
	if m.Key != "better" {
		return nil
	}
	file, line := m.Pos()
	if m.Value != "higher" && m.Value != "lower" {
		return fmt.Errorf("%s:%d: Unit %s better=%s: want higher or lower", file, line, m.OrigUnit, m.Value)
	}
	if own, ok := Direction(m.OrigUnit); ok && own != "" && own != m.Value {
		return fmt.Errorf("%s:%d: Unit %s better=%s: it is better=%s in lorabench; correct the file or rename the unit", file, line, m.OrigUnit, m.Value, own)
	}
	return nil
}

func (r *reader) result(res *benchfmt.Result, first *bool) error {
	arm, procs, err := armName(res.Name)
	if err != nil {
		return err
	}
	if arm == "" {
		base, _ := res.Name.Parts()
		r.aside[string(base)]++
		return nil
	}
	if err := r.configure(res, *first); err != nil {
		return err
	}
	*first = false
	if !r.opened {
		r.opened, r.procs = true, procs
	} else if procs != r.procs {
		return fmt.Errorf("%s was run with GOMAXPROCS %s, results before it with %s: compare runs of one -cpu", arm, number(procs), number(r.procs))
	}
	run := Run{Values: make(map[string]float64, len(res.Values))}
	for i, v := range res.Values {
		unit, x, err := r.original(v)
		if err != nil {
			return fmt.Errorf("%s: %w", arm, err)
		}
		if run.Values[unit] = x; len(run.Values) != i+1 {
			return fmt.Errorf("%s: %s is there twice", arm, unit)
		}
	}
	a := r.b.arm(arm)
	if run.Seed, err = r.seeds.of(res, arm); err != nil {
		return err
	}
	a.Runs = append(a.Runs, run)
	return nil
}

// original is a value in the unit that its measure was first written in: benchfmt tidies ns/op to
// sec/op, and a file may have both.
func (r *reader) original(v benchfmt.Value) (string, float64, error) {
	unit, x := v.Unit, v.Value
	if v.OrigUnit != "" {
		unit, x = v.OrigUnit, v.OrigValue
	}
	as, ok := r.units[unit]
	if !ok {
		factor, tidied := benchunit.Tidy(1, unit)
		if as, ok = r.tidied[tidied]; !ok {
			as = scale{unit, 1, factor}
			r.tidied[tidied] = as
			r.b.unit(unit)
		}
		as.times = factor
		r.units[unit] = as
	}
	if unit != as.unit {
		x = x * as.times / as.over
	}
	if err := finite(x); err != nil {
		return "", 0, fmt.Errorf("%s is %w", as.unit, err)
	}
	return as.unit, x, nil
}

// configure compares the configuration that a result was made in with the first one's. Commits, dates
// and notes may differ; what only one file has is noted.
func (r *reader) configure(res *benchfmt.Result, first bool) error {
	file, line := res.Pos()
	for _, c := range res.Config {
		if c.Key == "seed" {
			continue
		}
		if record.IsStandIn(string(c.Value)) {
			return fmt.Errorf("%s is %q: a stand-in device, whose kernels compute nothing: its figures are no results", c.Key, c.Value)
		}
		have, ok := r.config[c.Key]
		switch {
		case !ok:
			if r.opened && first {
				r.loose["config"] = append(r.loose["config"], fmt.Sprintf("%s says %s: %s, which earlier files do not say.", filepath.Base(file), c.Key, c.Value))
			}
			r.config[c.Key] = setting{string(c.Value), fmt.Sprintf("%s:%d", filepath.Base(file), line)}
			r.keys = append(r.keys, c.Key)
		case have.value == string(c.Value):
		case slices.Contains([]string{"commit", "note", "date", "time", "go", "driver", "os"}, c.Key):
			note := fmt.Sprintf("The runs are not all of one %s: %s, %s.", c.Key, have.value, c.Value)
			if !slices.Contains(r.loose["config"], note) {
				r.loose["config"] = append(r.loose["config"], note)
			}
		default:
			return fmt.Errorf("%s is %q, at %s it was %q: they are not of one study, compare them in files of their own", c.Key, c.Value, have.where, have.value)
		}
	}
	if !first {
		return nil
	}
	for _, k := range r.keys {
		if res.GetConfig(k) == "" {
			r.loose["config"] = append(r.loose["config"], fmt.Sprintf("%s does not say its %s; earlier files do.", filepath.Base(file), k))
		}
	}
	return nil
}

// set is what was read.
func (r *reader) set() (*Set, error) {
	if len(r.b.arms) == 0 {
		return nil, fmt.Errorf("no result of Benchmark%s/rank=...: give the output of go test -bench=%s or the bench.txt of -out", benchmark, benchmark)
	}
	units := r.bench.Units()
	s := r.b.set(func(u string) string {
		if d, ok := Direction(u); ok && d != "" {
			return d
		}
		if m := units.Get(u, "better"); m != nil {
			return m.Value
		}
		return ""
	})
	for _, u := range s.Units {
		if m := units.Get(u.Name, "assume"); m != nil && m.Value == "exact" && !slices.Contains(s.Exact, u.Name) {
			s.Exact = append(s.Exact, u.Name)
		}
	}
	for _, k := range r.keys {
		s.Config = append(s.Config, Config{k, r.config[k].value})
	}
	s.Order = r.b.order
	s.Notes = r.loose["config"]
	if len(r.aside) > 0 {
		n := 0
		for _, c := range r.aside {
			n += c
		}
		s.Notes = append(s.Notes, fmt.Sprintf("%s of other benchmarks left aside: %s.", format.Count(n, "result"), strings.Join(slices.Sorted(maps.Keys(r.aside)), ", ")))
	}
	return s, nil
}

// armName is the sub-benchmark's name and GOMAXPROCS' suffix; "" is another benchmark's. The format
// does not tell the suffix apart from the exponent of a number at the end, as in lr=1e-4; this does.
func armName(name benchfmt.Name) (arm, procs string, err error) {
	arm, ok := strings.CutPrefix(string(name), benchmark+"/")
	if !ok {
		return "", "", nil
	}
	if i := strings.LastIndexByte(arm, '-'); i > 0 {
		_, value, _ := strings.Cut(arm[strings.LastIndexByte(arm, '/')+1:], "=")
		_, number := strconv.ParseFloat(value, 64)
		exponent := number == nil && strings.ContainsRune("eE", rune(arm[i-1]))
		if n, err := strconv.ParseUint(arm[i+1:], 10, 32); err == nil && n > 0 && !exponent {
			arm, procs = arm[:i], arm[i+1:]
		}
	}
	if !strings.HasPrefix(arm, "rank=") || arm == "rank=" {
		return "", "", fmt.Errorf("the result Benchmark%s names no rank: want Benchmark%s/rank=8 or the like", name, benchmark)
	}
	return arm, procs, nil
}

func number(procs string) string {
	if procs == "" {
		return "1"
	}
	return procs
}
