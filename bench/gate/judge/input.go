package judge

import "lorabench/bench/record"

// Input is one side's results as they were read.
type Input struct {
	Label      string       // of label=file, else ""
	Files      []string     // result files that were read, in order
	Benchmarks []*Benchmark // in record.Compare's order
	Records    []*record.Record
	Notes      []string  // what was left aside, and why
	Problems   []Problem // what Read returned; Judge puts them into the verdict

	recordFiles []string        // of each of Records
	settings    []*Settings     // of all results, in order of first appearance
	units       map[string]meta // what Unit lines say, by tidied unit
}

// Benchmark is all results of one benchmark.
type Benchmark struct {
	// Name is without "Benchmark" and GOMAXPROCS' suffix: Rank/rank=8. The suffix stays where the side
	// has results with several (-cpu=1,2), and the package stands before it where several packages have a
	// benchmark of this name.
	Name    string
	Pkg     string   // the configuration's pkg; "" where the file has none
	Procs   int      // GOMAXPROCS, of the name's suffix: 1 where there is none
	Runs    []Run    // result lines, in the order of the files
	Metrics []Metric // loss, speed, memory, counts, others

	bare string // without suffix and package
}

// Metric is the values of one unit of a benchmark, in the order of the runs. Runs may lack it.
type Metric struct {
	Unit   string // as first written
	Class  Class  // by unit and Unit lines; rules may say otherwise
	Better string // "higher", "lower" or "": built in, else by Unit lines; rules may say where nothing else does
	Values []float64
	Seeds  []int64 // of each value
	Runs   []int   // which of Benchmark.Runs each value is of

	tidied string  // the unit that all of its spellings have: ns/op and sec/op are both sec/op
	factor float64 // what a value times this is in tidied
}

// Run is one result line.
type Run struct {
	// Seed is the configuration's seed and one more for every earlier result of this benchmark that the
	// file has under the same seed: -count=3 under "seed: 42" is 42, 43, 44. In files without seeds the
	// k-th run of a benchmark has k, counted over all files of the side.
	Seed    int64
	Iters   int       // of the line: steps, for lorabench's own
	Config  *Settings // shared by all results that it stands before
	Rounded bool      // every value of the file has the digits that go test prints, about four
	File    string
	Line    int
}

// Settings are the configuration lines that hold for a result.
type Settings struct {
	Keys, Values []string // in the order of the file

	file   string // of the first result that they hold for
	line   int
	seed   int64
	seeded bool
}

// Get is the value of key, "" where there is none.
func (s *Settings) Get(key string) string {
	for i, k := range s.Keys {
		if k == key {
			return s.Values[i]
		}
	}
	return ""
}

// meta is what Unit lines say of a unit.
type meta struct {
	better string
	exact  bool // assume=exact
	where  string
}

// metric is the one of a unit, by its tidied spelling; nil where there is none.
func (b *Benchmark) metric(tidied string) *Metric {
	for i := range b.Metrics {
		if b.Metrics[i].tidied == tidied {
			return &b.Metrics[i]
		}
	}
	return nil
}
