package judge

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"

	"lorabench/bench/record"
)

// Read reads one side: a file, a quoted glob, a folder (its bench.txt, and parts.txt where there is one),
// several of them with commas between, or any of these with "label=" before it. Records beside the files
// are read for explanations; one that cannot be read is a note. Input is never nil; the problems are in
// Input.Problems too, from where Judge takes them.
func Read(arg string) (*Input, []Problem) {
	label, paths, problems := files(arg)
	r := newReader()
	r.in.Label, r.in.Problems = label, problems
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			r.in.Problems = append(r.in.Problems, Problem{Kind: Unreadable, File: p, Text: fmt.Sprintf("the file cannot be read: %v", withoutPath(err))})
			continue
		}
		r.read(data, p)
		r.in.Files = append(r.in.Files, p)
	}
	r.finish()
	r.in.readRecords()
	return r.in, r.in.Problems
}

// reader gathers the results of one side.
type reader struct {
	in    *Input
	by    map[identity]*Benchmark
	names map[string]*named    // by a name as it was written
	sets  map[string]*Settings // by all keys and values
	units map[[2]string]string // what Unit lines said, by tidied unit and key

	// Of the file that is being read:
	file    string
	line    int
	config  []pair    // keys and values that hold
	set     *Settings // the same; nil where a line has changed them since
	values  []value   // of the line
	rounded bool      // see Run.Rounded
	failed  bool      // the run's failure was told
	results int
	seeds   map[seedOf]int64 // results so far
	told    map[Kind]int     // problems so far
}

type pair struct{ key, value string }

type value struct {
	x    float64
	unit []byte
}

// identity is what makes results those of one benchmark.
type identity struct {
	pkg, bare string
	procs     int
}

// named is what a result's name says, and the benchmark that it last was of.
type named struct {
	identity
	last *Benchmark
	set  *Settings
}

type seedOf struct {
	b    *Benchmark
	seed int64
}

func newReader() *reader {
	return &reader{in: &Input{units: map[string]meta{}}, by: map[identity]*Benchmark{}, names: map[string]*named{}, sets: map[string]*Settings{}, units: map[[2]string]string{}}
}

// most is how many problems of one kind are told of a file; a file of something else has one on every line.
const most = 20

// problem tells of one on the line that is being read.
func (r *reader) problem(p Problem) {
	p.File, p.Line = r.file, r.line
	if r.told[p.Kind]++; r.told[p.Kind] <= most {
		r.in.Problems = append(r.in.Problems, p)
	}
}

// read adds a file's results. The format is x/perf's (golang.org/design/14313-benchmark-format) and a fuzz
// test holds the two readers together. Reading with x/perf's took twice the time: it reads numbers of 17
// digits the slow way. It also refuses long lines, and says nothing of a run that failed on the way.
func (r *reader) read(data []byte, name string) {
	r.file, r.line, r.config, r.set, r.rounded, r.failed, r.results = name, 1, nil, nil, true, false, 0
	r.seeds, r.told = map[seedOf]int64{}, map[Kind]int{}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // editors on Windows begin a file with it; it would hide the first line
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		r.problem(Problem{Kind: Unreadable, Text: "the file is UTF-16, as PowerShell's > writes it: write it as UTF-8, with | Out-File -Encoding utf8"})
		return
	}
	from := map[*Benchmark]int{} // runs before this file
	for _, b := range r.in.Benchmarks {
		from[b] = len(b.Runs)
	}
	for ; len(data) > 0; r.line++ {
		text, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		r.one(bytes.TrimSuffix(text, []byte("\r")))
	}
	for _, kind := range slices.Sorted(maps.Keys(r.told)) {
		if n := r.told[kind]; n > most {
			r.in.Problems = append(r.in.Problems, Problem{Kind: kind, File: name, Text: fmt.Sprintf("%d more problems of this kind are not listed", n-most)})
		}
	}
	if r.results == 0 && len(r.told) == 0 {
		r.in.Problems = append(r.in.Problems, Problem{Kind: Empty, File: name, Text: "no benchmark result is in the file: give the output of go test -bench, or the bench.txt of -out"})
	}
	for _, b := range r.in.Benchmarks {
		for i := from[b]; i < len(b.Runs); i++ {
			b.Runs[i].Rounded = r.rounded
		}
	}
}

// one reads a line.
func (r *reader) one(text []byte) {
	switch {
	case bytes.HasPrefix(text, []byte("Benchmark")):
		r.result(text)
	case r.breaks(text):
	case bytes.HasPrefix(text, []byte("Unit")):
		if word, rest := field(text); string(word) == "Unit" {
			r.unit(rest)
		}
	default:
		key, value, ok := keyValue(text)
		if !ok {
			return
		}
		r.set = nil
		if record.IsStandIn(string(value)) {
			r.problem(Problem{Kind: Unreadable, Text: fmt.Sprintf("%s: a stand-in device, whose kernels compute nothing: its figures are no results", quoted(text))})
		}
		i := slices.IndexFunc(r.config, func(p pair) bool { return p.key == string(key) })
		switch {
		case len(value) == 0 && i >= 0:
			r.config = slices.Delete(r.config, i, i+1)
		case len(value) == 0:
		case i >= 0:
			r.config[i].value = string(value)
		default:
			r.config = append(r.config, pair{string(key), string(value)})
		}
	}
}

// breaks says whether a line tells that the run broke off: go test then prints what it had, and FAIL.
func (r *reader) breaks(text []byte) bool {
	trimmed := bytes.TrimLeft(text, " \t")
	is := bytes.HasPrefix(trimmed, []byte("--- FAIL")) || bytes.HasPrefix(text, []byte("panic: ")) || bytes.HasPrefix(text, []byte("fatal error: "))
	if rest, ok := bytes.CutPrefix(text, []byte("FAIL")); ok {
		is = len(bytes.TrimSpace(rest)) == 0 || rest[0] == '\t' || rest[0] == ' '
	}
	if is && !r.failed {
		r.failed = true
		r.problem(Problem{Kind: Unreadable, Text: fmt.Sprintf("the run failed: %s; the results of a run that failed are not all there: run it again", quoted(text))})
	}
	return is
}

// result reads a result line.
func (r *reader) result(text []byte) {
	unreadable := func(why string) {
		if isResult(text) {
			r.problem(Problem{Kind: Unreadable, Text: fmt.Sprintf("the line cannot be read (%s): %s; if the benchmark printed something in between, run it again without, else correct or remove the line", why, quoted(text))})
		}
	}
	name, rest := field(text[len("Benchmark"):])
	if len(name) == len(text)-len("Benchmark") {
		return // the name alone: go test -v prints it when a benchmark starts
	}
	number, rest := field(rest)
	iters, err := strconv.Atoi(string(number))
	if err != nil {
		unreadable("no number of iterations after the name")
		return
	}
	r.values = r.values[:0]
	for number, rest = field(rest); len(number) > 0; number, rest = field(rest) {
		v := value{}
		v.x, err = strconv.ParseFloat(string(number), 64)
		v.unit, rest = field(rest)
		switch r.values = append(r.values, v); {
		case err != nil:
			unreadable(fmt.Sprintf("%s is no number that fits", quoted(number)))
			return
		case len(v.unit) == 0:
			unreadable(fmt.Sprintf("no unit after %s", quoted(number)))
			return
		}
	}
	if len(r.values) == 0 {
		unreadable("no values")
		return
	}
	r.results++
	b, set := r.benchmark(name)
	run := Run{Seed: int64(len(b.Runs) + 1), Iters: iters, Config: set, File: r.file, Line: r.line}
	if set.seeded {
		k := seedOf{b, set.seed}
		run.Seed = set.seed + r.seeds[k]
		r.seeds[k]++
	}
	for _, v := range r.values {
		r.rounded = r.rounded && asPrinted(v.x)
		if kind, err := b.add(v.unit, v.x, len(b.Runs), run.Seed); err != nil {
			r.problem(Problem{Kind: kind, Benchmark: b.bare, Unit: string(v.unit), Text: err.Error()})
		}
	}
	b.Runs = append(b.Runs, run)
}

// benchmark is the one that a result's name and configuration are of.
func (r *reader) benchmark(name []byte) (*Benchmark, *Settings) {
	set := r.settings()
	n := r.names[string(name)]
	if n == nil {
		bare, procs := splitProcs(string(name))
		n = &named{identity: identity{bare: bare, procs: procs}}
		r.names[string(name)] = n
	}
	if n.set == set {
		return n.last, set
	}
	id := n.identity
	id.pkg = set.Get("pkg")
	b := r.by[id]
	if b == nil {
		b = &Benchmark{Name: id.bare, Pkg: id.pkg, Procs: id.procs, bare: id.bare, Runs: make([]Run, 0, usual), Metrics: make([]Metric, 0, len(r.values))}
		r.by[id] = b
		r.in.Benchmarks = append(r.in.Benchmarks, b)
	}
	n.last, n.set = b, set
	return b, set
}

// settings are the configuration that holds. Settings that come again are kept once.
func (r *reader) settings() *Settings {
	if r.set != nil {
		return r.set
	}
	var text []byte
	for _, p := range r.config {
		text = append(append(append(append(text, p.key...), 0), p.value...), 0)
	}
	r.set = r.sets[string(text)]
	if r.set == nil {
		s := &Settings{file: r.file, line: r.line}
		for _, p := range r.config {
			s.Keys, s.Values = append(s.Keys, p.key), append(s.Values, p.value)
		}
		seed, err := strconv.ParseInt(s.Get("seed"), 10, 64)
		s.seed, s.seeded = seed, err == nil
		r.set, r.sets[string(text)] = s, s
		r.in.settings = append(r.in.settings, s)
	}
	return r.set
}
