// Package results reads what benchmarks wrote: files of the Go benchmark format (golang.org/design/14313-benchmark-format), from go test's
// output, go test -json's or lorabench's exact ones, and the run records beside them. It knows which settings must agree for two results
// to be compared, and which direction of a unit is better. docs/results.md says where results go from here.
package results

import (
	"fmt"
	"slices"
	"strings"

	"lorabench/bench/record"
)

// Set holds the content of some result files.
type Set struct {
	Files      []string         // that were read, in order
	Benchmarks []*Benchmark     // in record.Compare's order
	Settings   []*Settings      // of all results, in order of first appearance
	Units      map[string]Unit  // what Unit lines say, by base unit
	Problems   []Problem        // why the files cannot be used
	Records    []*record.Record // beside the files, where ReadRecords was called
	Notes      []string         // what was left aside, and why
	Diverged   []string         // arms that are left out, because the files say of one of their runs that it diverged
}

// Benchmark holds all results of one benchmark.
type Benchmark struct {
	// Name is without "Benchmark" and GOMAXPROCS' suffix: Rank/rank=8. The suffix stays where files differ in it, and the
	// package stands before it where several have a benchmark of this name.
	Name    string
	Bare    string   // without suffix and package
	Pkg     string   // the configuration's pkg; "" where the file has none
	Procs   int      // GOMAXPROCS, of the name's suffix: 1 where there is none
	Runs    []Run    // in the order of the files
	Metrics []Metric // as first written
}

// Unplaced is the block of a run that was in none, or whose block is not known.
const Unplaced = -1

// Run is one result line.
type Run struct {
	// Seed is the configuration's seed and one more for every earlier result of this benchmark that the file has under the same seed:
	// -count=3 under "seed: 42" is 42, 43, 44. In files without seeds the k-th run of a benchmark has k, counted over all files.
	Seed    int64
	Block   int       // from 0, of lorabench's arms: all arms train with one seed before any with the next; or Unplaced
	Iters   int       // of the line: steps, for lorabench's own
	Config  *Settings // shared by all results that it stands before
	Rounded bool      // every value of the file has the digits that go test prints, about four
	File    string
	Line    int
}

// Where returns the file and line.
func (r *Run) Where() string { return place(r.File, r.Line) }

// Metric holds the values of one unit of a benchmark, in the order of the runs. Runs may lack it.
type Metric struct {
	Unit   string  // as first written
	Base   string  // the unit that all its spellings share: ns/op and sec/op are both sec/op
	Factor float64 // a value times this is in Base
	Values []float64
	Seeds  []int64 // of each value
	Runs   []int   // the index in Benchmark.Runs of each value's run
}

// Metric returns the metric of a base unit, or nil.
func (b *Benchmark) Metric(base string) *Metric {
	if i := slices.IndexFunc(b.Metrics, func(m Metric) bool { return m.Base == base }); i >= 0 {
		return &b.Metrics[i]
	}
	return nil
}

// Unit holds what Unit lines say about a unit.
type Unit struct {
	Better string // "higher", "lower" or ""
	Exact  bool   // assume=exact
	Where  string // of the first line
}

// Problem is a reason why input cannot be used.
type Problem struct {
	Kind      Kind
	File      string // "" if it concerns no single file
	Line      int    // 0 if it concerns no single line
	Benchmark string // "" if it concerns none
	Unit      string
	Text      string // a sentence that names the values and what to do; without File and Line
}

func (p Problem) Error() string {
	parts := []string{place(p.File, p.Line), p.Benchmark, p.Text}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": ")
}

func place(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// Kind is what is wrong with input.
type Kind string

// The kinds of problems that files have.
const (
	Unreadable   Kind = "unreadable" // a file or line
	NotFinite    Kind = "not finite" // NaN or Inf
	BadDirection Kind = "direction"
	Empty        Kind = "empty" // no result
)
