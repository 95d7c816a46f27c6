package results

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"

	"lorabench/bench/record"
)

// Read reads files of results. What is wrong with them is in Set.Problems.
func Read(paths ...string) *Set {
	r := newReader()
	var seen []os.FileInfo
	for _, p := range paths {
		r.begin(p)
		data, err := os.ReadFile(p)
		info, unknown := os.Stat(p)
		switch err := cmp.Or(err, unknown); {
		case err != nil:
			r.problem(Unreadable, 0, "the file cannot be read: %v", cmp.Or(errors.Unwrap(err), err)) // the problem names the path already
		case slices.ContainsFunc(seen, func(o os.FileInfo) bool { return os.SameFile(o, info) }):
			r.problem(Unreadable, 0, "the file is given twice: its results would count as two each")
		default:
			seen, r.set.Files = append(seen, info), append(r.set.Files, p)
			r.read(data)
		}
	}
	return r.finish()
}

// reader gathers the results of some files, or of records.
type reader struct {
	set     *Set
	bench   benchfmt.Reader
	by      map[string][]*Benchmark // by Benchmark.Bare
	all     *benchproc.Projection   // all keys and values
	configs map[benchproc.Key]*Settings
	order   []int64 // seeds of lorabench's arms, as they ran

	input
}

// input is the file or record that is being read.
type input struct {
	file    string
	lines   [][]byte
	at      []int  // the file's own line of each, from 1: go test -json's differ
	procs   string // the suffix that all names have, or unknown
	rounded bool   // see Run.Rounded
	seeds   map[seedOf]int64
}

type seedOf struct {
	b    *Benchmark
	seed int64
}

const unknown = "?"

func newReader() *reader {
	all, _ := new(benchproc.ProjectionParser).Parse(".config", nil) // it fails only on an invalid projection
	return &reader{set: &Set{Units: map[string]Unit{}}, by: map[string][]*Benchmark{}, all: all, configs: map[benchproc.Key]*Settings{}}
}

func (r *reader) begin(file string) {
	r.input = input{file: file, at: []int{0}, procs: unknown, rounded: true, seeds: map[seedOf]int64{}}
}

func (r *reader) problem(kind Kind, line int, format string, args ...any) {
	r.tell(Problem{Kind: kind, Line: r.at[line], Text: fmt.Sprintf(format, args...)})
}

func (r *reader) tell(p Problem) {
	p.File = r.file
	r.set.Problems = append(r.set.Problems, p)
}

// read adds a file's results.
func (r *reader) read(data []byte) {
	problems := len(r.set.Problems)
	r.filter(data)
	r.bench.Reset(bytes.NewReader(bytes.Join(r.lines, []byte("\n"))), r.file)
	for r.bench.Scan() {
		switch rec := r.bench.Result().(type) {
		case *benchfmt.SyntaxError:
			kind := Unreadable
			if strings.HasPrefix(rec.Msg, "metadata better ") {
				kind = BadDirection
			}
			r.problem(kind, rec.Line, "the line cannot be read (%s): %s; if the benchmark printed something in between, run it again without, "+
				"else correct or remove the line", rec.Msg, quoted(r.lines[rec.Line-1]))
		case *benchfmt.UnitMetadata:
			r.unit(rec)
		case *benchfmt.Result:
			r.result(rec)
		}
	}
	if err := r.bench.Err(); err != nil {
		r.problem(Unreadable, 0, "the file cannot be read: %v", err)
	}
	empty := true
	for _, b := range r.set.Benchmarks {
		for i := len(b.Runs) - 1; i >= 0 && b.Runs[i].File == r.file; i-- {
			b.Runs[i].Rounded, empty = r.rounded, false
		}
	}
	switch lost := strings.Join(r.set.Diverged, ", "); {
	case !empty || len(r.set.Problems) > problems:
	case lost != "":
		r.problem(Empty, 0, "no benchmark result is left: training diverged (%s): give lower -lr or -alpha", lost)
	default:
		r.problem(Empty, 0, "no benchmark result is in the file: give the output of go test -bench, or the bench.txt of -out")
	}
}

// unit records a Unit line, and refuses one that would turn a comparison around.
func (r *reader) unit(m *benchfmt.UnitMetadata) {
	_, line := m.Pos()
	u := r.set.Units[m.Unit]
	u.Where = cmp.Or(u.Where, place(r.file, r.at[line]))
	own, wrong := Better(m.OrigUnit), "want higher or lower"
	if own != "" {
		wrong = own + " is better of it; correct the line or rename the unit"
	}
	switch {
	case m.Key == "assume":
		u.Exact = m.Value == "exact"
	case m.Key != "better":
	case own == m.Value, own == "" && (m.Value == "higher" || m.Value == "lower"):
		u.Better = m.Value
	default:
		r.tell(Problem{Kind: BadDirection, Line: r.at[line], Unit: m.OrigUnit,
			Text: fmt.Sprintf("Unit %s better=%s: %s", m.OrigUnit, m.Value, wrong)})
	}
	r.set.Units[m.Unit] = u
}

// result adds a result line.
func (r *reader) result(res *benchfmt.Result) {
	_, line := res.Pos()
	run := Run{Block: Unplaced, Iters: res.Iters, File: r.file, Line: r.at[line]}
	run.Config = r.config(res, run.Line)
	name, procs := string(res.Name), 1
	if r.procs != "" {
		name = strings.TrimSuffix(name, r.procs)
		procs, _ = strconv.Atoi(r.procs[1:]) // it is a number: procsOf
	}
	b := r.benchmark(run.Config.Get("pkg"), name, procs)
	run.Seed = int64(len(b.Runs) + 1)
	if seed := run.Config.Seed; run.Config.Seeded {
		run.Seed = seed + r.seeds[seedOf{b, seed}]
		r.seeds[seedOf{b, seed}]++
	}
	if last := len(r.order) - 1; strings.HasPrefix(name, Rank+"/") && (last < 0 || r.order[last] != run.Seed) {
		r.order = append(r.order, run.Seed)
	}
	b.Runs = append(b.Runs, run)
	for _, v := range res.Values {
		unit, x := v.Unit, v.Value
		if v.OrigUnit != "" {
			unit, x = v.OrigUnit, v.OrigValue
		}
		r.rounded = r.rounded && Printed(x) == x
		r.value(b, unit, x)
	}
}

// config returns the settings that hold for a result. Equal ones are stored once.
func (r *reader) config(res *benchfmt.Result, line int) *Settings {
	key := r.all.Project(res)
	s := r.configs[key]
	if s == nil {
		s = &Settings{Where: place(r.file, line)}
		for _, c := range res.Config {
			s.Keys, s.Values = append(s.Keys, c.Key), append(s.Values, string(c.Value))
		}
		seed, err := strconv.ParseInt(s.Get("seed"), 10, 64)
		s.Seed, s.Seeded = seed, err == nil
		r.configs[key] = s
		r.set.Settings = append(r.set.Settings, s)
	}
	return s
}

// benchmark returns the benchmark of this package, name and GOMAXPROCS, adding it if it is new.
func (r *reader) benchmark(pkg, bare string, procs int) *Benchmark {
	same := func(b *Benchmark) bool { return b.Pkg == pkg && b.Procs == procs }
	if i := slices.IndexFunc(r.by[bare], same); i >= 0 {
		return r.by[bare][i]
	}
	b := &Benchmark{Name: bare, Bare: bare, Pkg: pkg, Procs: procs}
	r.by[bare] = append(r.by[bare], b)
	r.set.Benchmarks = append(r.set.Benchmarks, b)
	return b
}

// value adds a value to the benchmark's last run.
func (r *reader) value(b *Benchmark, unit string, x float64) {
	run := len(b.Runs) - 1
	problem := func(kind Kind, format string, args ...any) {
		r.tell(Problem{Kind: kind, Line: b.Runs[run].Line, Benchmark: b.Bare, Unit: unit, Text: fmt.Sprintf(format, args...)})
	}
	base, factor := Tidy(unit)
	m := b.Metric(base)
	if m != nil && m.Unit != unit {
		x = x * factor / m.Factor
	}
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		problem(NotFinite, "%s is %v: the run diverged or this was not measured; find the reason and run it again", unit, x)
	case m != nil && m.Runs[len(m.Runs)-1] == run:
		problem(Unreadable, "%s is twice on the line: remove one", unit)
	default:
		if m == nil {
			b.Metrics = append(b.Metrics, Metric{Unit: unit, Base: base, Factor: factor})
			m = &b.Metrics[len(b.Metrics)-1]
		}
		m.Values, m.Seeds, m.Runs = append(m.Values, x), append(m.Seeds, b.Runs[run].Seed), append(m.Runs, run)
	}
}

// finish names and sorts what was read, and finds the blocks: the runs of all arms with one seed come before those of any arm with the
// next, so that a machine's drift is between blocks and not between arms. go test -count runs all seeds of one arm before the next instead.
func (r *reader) finish() *Set {
	if len(r.set.Files) > 1 { // an arm that diverged in one is left out of all
		r.set.Benchmarks = slices.DeleteFunc(r.set.Benchmarks, func(b *Benchmark) bool {
			return slices.Contains(r.set.Diverged, strings.TrimPrefix(b.Bare, Rank+"/"))
		})
	}
	blocks := map[int64]int{}
	for i, seed := range r.order {
		blocks[seed] = i
	}
	for _, b := range r.set.Benchmarks {
		others := r.by[b.Bare]
		if b.Procs > 1 && slices.ContainsFunc(others, func(o *Benchmark) bool { return o.Pkg == b.Pkg && o != b }) {
			b.Name += "-" + strconv.Itoa(b.Procs)
		}
		if b.Pkg != "" && slices.ContainsFunc(others, func(o *Benchmark) bool { return o.Pkg != b.Pkg }) {
			b.Name = b.Pkg + "." + b.Name
		}
		for i := range b.Runs {
			if strings.HasPrefix(b.Bare, Rank+"/") && len(r.order) > 0 && len(blocks) == len(r.order) {
				b.Runs[i].Block = blocks[b.Runs[i].Seed]
			}
		}
	}
	slices.SortStableFunc(r.set.Benchmarks, func(x, y *Benchmark) int {
		return cmp.Or(record.Compare(x.Name, y.Name), cmp.Compare(x.Name, y.Name))
	})
	return r.set
}
