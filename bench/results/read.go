package results

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"

	"lorabench/bench/record"
)

// Read reads files of results. What is wrong with them is in Set.Problems.
func Read(paths ...string) *Set {
	r := newReader()
	var seen []os.FileInfo
	for _, p := range paths {
		r.begin(p)
		info, err := os.Stat(p)
		var data []byte
		if err == nil {
			data, err = os.ReadFile(p)
		}
		switch {
		case err != nil:
			r.problem(0, Unreadable, "the file cannot be read: %v", withoutPath(err))
			continue
		case slices.ContainsFunc(seen, func(o os.FileInfo) bool { return os.SameFile(o, info) }):
			r.problem(0, Unreadable, "the file is given twice: its results would count as two each")
			continue
		}
		seen, r.set.Files = append(seen, info), append(r.set.Files, p)
		r.read(data)
	}
	r.finish()
	r.set.blocks()
	return r.set
}

// withoutPath is an error of the file system without the path that it names: the problem has it already.
func withoutPath(err error) error {
	if e, ok := err.(*os.PathError); ok {
		return e.Err
	}
	return err
}

// reader gathers the results of some files.
type reader struct {
	set   *Set
	bench benchfmt.Reader
	by    map[identity]*Benchmark
	sets  map[string]*Settings // by all keys and values

	// Of the file that is being read:
	file    string
	now     filtered
	config  *Settings
	results int
	rounded bool // see Run.Rounded
	seeds   map[seedOf]int64
	told    map[Kind]int // problems so far
}

// identity is what makes results those of one benchmark.
type identity struct {
	pkg, bare string
	procs     int
}

type seedOf struct {
	b    *Benchmark
	seed int64
}

func newReader() *reader {
	return &reader{set: &Set{Units: map[string]Unit{}}, by: map[identity]*Benchmark{}, sets: map[string]*Settings{}}
}

func (r *reader) begin(file string) {
	r.file, r.config, r.results, r.rounded, r.now = file, nil, 0, true, filtered{}
	r.seeds, r.told = map[seedOf]int64{}, map[Kind]int{}
}

// most is how many problems of one kind are told of a file; a file of something else has one on every line.
const most = 20

func (r *reader) problem(line int, kind Kind, format string, args ...any) {
	r.tell(Problem{Kind: kind, Line: line, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) tell(p Problem) {
	p.File, p.Line = r.file, r.now.line(p.Line)
	if r.told[p.Kind]++; r.told[p.Kind] <= most {
		r.set.Problems = append(r.set.Problems, p)
	}
}

// read adds a file's results.
func (r *reader) read(data []byte) {
	from := map[*Benchmark]int{} // runs before this file
	for _, b := range r.set.Benchmarks {
		from[b] = len(b.Runs)
	}
	f := r.filter(data)
	r.bench.Reset(bytes.NewReader(bytes.Join(f.lines, []byte("\n"))), r.file)
	for r.bench.Scan() {
		switch rec := r.bench.Result().(type) {
		case *benchfmt.SyntaxError:
			kind := Unreadable
			if strings.HasPrefix(rec.Msg, "metadata better ") {
				kind = BadDirection
			}
			r.problem(rec.Line, kind, "the line cannot be read (%s): %s; if the benchmark printed something in between, run it again without, "+
				"else correct or remove the line", rec.Msg, f.quoted(rec.Line))
		case *benchfmt.UnitMetadata:
			r.unit(rec)
		case *benchfmt.Result:
			r.result(rec)
		}
	}
	if err := r.bench.Err(); err != nil {
		r.problem(0, Unreadable, "the file cannot be read: %v", err)
	}
	for _, kind := range slices.Sorted(maps.Keys(r.told)) {
		if n := r.told[kind]; n > most {
			r.set.Problems = append(r.set.Problems, Problem{Kind: kind, File: r.file,
				Text: fmt.Sprintf("%d more problems of this kind are not listed", n-most)})
		}
	}
	if r.results == 0 && len(r.told) == 0 {
		r.problem(0, Empty, "no benchmark result is in the file: give the output of go test -bench, or the bench.txt of -out")
	}
	for _, b := range r.set.Benchmarks {
		for i := from[b]; i < len(b.Runs); i++ {
			b.Runs[i].Rounded = r.rounded
		}
	}
}

// unit takes what a Unit line says, and refuses what would turn a comparison around.
func (r *reader) unit(m *benchfmt.UnitMetadata) {
	_, line := m.Pos()
	u := r.set.Units[m.Unit]
	if u.Where == "" {
		u.Where = place(r.file, r.now.line(line))
	}
	own := Better(m.OrigUnit)
	switch {
	case m.Key == "assume":
		u.Exact = m.Value == "exact"
	case m.Key != "better":
	case m.Value != "higher" && m.Value != "lower":
		r.tell(Problem{Kind: BadDirection, Line: line, Unit: m.OrigUnit,
			Text: fmt.Sprintf("Unit %s better=%s: want higher or lower", m.OrigUnit, m.Value)})
	case own != "" && own != m.Value:
		r.tell(Problem{Kind: BadDirection, Line: line, Unit: m.OrigUnit,
			Text: fmt.Sprintf("Unit %s better=%s: %s is better of it; correct the line or rename the unit", m.OrigUnit, m.Value, own)})
	default:
		u.Better = m.Value
	}
	r.set.Units[m.Unit] = u
}

// result adds a result line.
func (r *reader) result(res *benchfmt.Result) {
	r.results++
	_, line := res.Pos()
	set := r.settings(res, line)
	id := identity{pkg: set.Get("pkg"), bare: string(res.Name), procs: 1}
	if r.now.procs != "" {
		id.bare = strings.TrimSuffix(id.bare, r.now.procs)
		id.procs, _ = strconv.Atoi(r.now.procs[1:]) // it is a number: procsOf
	}
	b := r.by[id]
	if b == nil {
		b = &Benchmark{Name: id.bare, Bare: id.bare, Pkg: id.pkg, Procs: id.procs}
		r.by[id] = b
		r.set.Benchmarks = append(r.set.Benchmarks, b)
	}
	run := Run{Seed: int64(len(b.Runs) + 1), Iters: res.Iters, Config: set, File: r.file, Line: r.now.line(line)}
	if set.Seeded {
		k := seedOf{b, set.Seed}
		run.Seed = set.Seed + r.seeds[k]
		r.seeds[k]++
	}
	for _, v := range res.Values {
		unit, x := v.Unit, v.Value
		if v.OrigUnit != "" {
			unit, x = v.OrigUnit, v.OrigValue
		}
		r.rounded = r.rounded && asPrinted(x)
		if kind, err := b.add(unit, x, len(b.Runs), run.Seed); err != nil {
			r.tell(Problem{Kind: kind, Line: line, Benchmark: b.Bare, Unit: unit, Text: err.Error()})
		}
	}
	b.Runs = append(b.Runs, run)
}

// settings are the configuration that holds for a result. Settings that come again are kept once.
func (r *reader) settings(res *benchfmt.Result, line int) *Settings {
	if r.config != nil && r.config.are(res.Config) {
		return r.config
	}
	var text []byte
	for _, c := range res.Config {
		text = append(append(append(append(text, c.Key...), 0), c.Value...), 0)
	}
	s := r.sets[string(text)]
	if s == nil {
		s = &Settings{Where: place(r.file, r.now.line(line))}
		for _, c := range res.Config {
			s.Keys, s.Values = append(s.Keys, c.Key), append(s.Values, string(c.Value))
		}
		seed, err := strconv.ParseInt(s.Get("seed"), 10, 64)
		s.Seed, s.Seeded = seed, err == nil
		r.sets[string(text)] = s
		r.set.Settings = append(r.set.Settings, s)
	}
	r.config = s
	return s
}

// add puts a value of run i to its metric, or says what is wrong with it.
func (b *Benchmark) add(unit string, x float64, i int, seed int64) (Kind, error) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return NotFinite, fmt.Errorf("%s is %v: the run diverged or this was not measured; find the reason and run it again", unit, x)
	}
	var m *Metric
	if k := slices.IndexFunc(b.Metrics, func(m Metric) bool { return m.Unit == unit }); k >= 0 {
		m = &b.Metrics[k]
	} else {
		base, factor := Tidy(unit)
		if m = b.Metric(base); m == nil {
			b.Metrics = append(b.Metrics, Metric{Unit: unit, Base: base, Factor: factor})
			m = &b.Metrics[len(b.Metrics)-1]
		} else if x = x * factor / m.Factor; math.IsInf(x, 0) {
			return NotFinite, fmt.Errorf("%s is too large to be given in %s", unit, m.Unit)
		}
	}
	if n := len(m.Runs); n > 0 && m.Runs[n-1] == i {
		return Unreadable, fmt.Errorf("%s is twice on the line: remove one", unit)
	}
	m.Values, m.Seeds, m.Runs = append(m.Values, x), append(m.Seeds, seed), append(m.Runs, i)
	return "", nil
}

// finish names and sorts what was read.
func (r *reader) finish() {
	procs, pkgs := map[identity]int{}, map[string]map[string]bool{}
	for _, b := range r.set.Benchmarks {
		procs[identity{pkg: b.Pkg, bare: b.Bare}]++
		if pkgs[b.Bare] == nil {
			pkgs[b.Bare] = map[string]bool{}
		}
		pkgs[b.Bare][b.Pkg] = true
	}
	for _, b := range r.set.Benchmarks {
		if procs[identity{pkg: b.Pkg, bare: b.Bare}] > 1 && b.Procs > 1 {
			b.Name += "-" + strconv.Itoa(b.Procs)
		}
		if len(pkgs[b.Bare]) > 1 && b.Pkg != "" {
			b.Name = b.Pkg + "." + b.Name
		}
	}
	slices.SortStableFunc(r.set.Benchmarks, func(x, y *Benchmark) int {
		return cmp.Or(record.Compare(x.Name, y.Name), cmp.Compare(x.Name, y.Name))
	})
}
