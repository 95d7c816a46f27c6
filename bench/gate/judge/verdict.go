package judge

import (
	"slices"
	"strings"

	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// Status is a comparison's outcome, and the command's exit status.
type Status int

// The statuses. Unusable input outweighs worse, worse outweighs cannot tell, and only Pass passes CI.
const (
	Pass       Status = 0 // as good or better
	Worse      Status = 1 // some judged metric is significantly worse, and by more than its floor, or numerics changed
	Unusable   Status = 2 // the sides cannot be compared: see Verdict.Problems
	CannotTell Status = 3 // too few samples, so much noise that a large regression cannot be ruled out, or nothing judged
)

// String returns the status as the JSON has it.
func (s Status) String() string { return [...]string{"pass", "worse", "unusable", "cannot tell"}[s] }

// Verdict is the outcome of comparing two sides, and the content of the JSON. A figure that does not exist is NaN.
type Verdict struct {
	Status   Status
	Text     string // sentences: what was decided, what it would have found, what was not judged
	Compared int    // results that the p values are corrected for
	Baseline Side
	New      Side
	Problems []Problem // why the input is unusable; all that were found, not the first alone
	Results  []*Result // by benchmark in record.Compare's order, then by unit: loss, speed, memory, others
	Added    []string  // benchmarks that only New has: listed, never failed
	Notes    []string  // sentences about the whole
	Unjudged []string  // units not judged because their better direction is unknown
}

// Side is one of the two compared sets of results.
type Side struct {
	Label  string   // baseline and new, or base and head with -base
	Files  []string // that were read
	Config []Config // of its results, in order of first appearance
}

// Config is a key of the benchmark configuration and its values, mostly one.
type Config struct {
	Key    string
	Values []string
}

// Problem is a reason why the input cannot be judged.
type Problem = results.Problem

// The kinds of problems, besides those of files.
const (
	MissingBenchmark results.Kind = "missing benchmark" // the baseline has it and New does not
	MissingMetric    results.Kind = "missing metric"
	Mismatch         results.Kind = "mismatch" // the sides were made with another model, recipe, device, ...
)

// Call is the judgement of one metric of one benchmark.
type Call string

// The calls.
const (
	CallWorse      Call = "worse"
	CallNumerics   Call = "numerics changed" // a loss of the same seed on the same CPU has other digits, whichever way
	CallBetter     Call = "better"
	CallSame       Call = "same"        // no significant difference, or one within the floor
	CallCannotTell Call = "cannot tell" // see Result.Why
	CallShown      Call = "shown"       // informational: not judged
)

// Class is what a unit measures.
type Class string

// The classes.
const (
	Loss   Class = "loss"
	Speed  Class = "speed"
	Memory Class = "memory"
	Count  Class = "count" // no chance in it: bytes on disk, parameters
	Other  Class = "other"
)

var classes = []string{string(Loss), string(Speed), string(Memory), string(Count), string(Other)}

// Order returns the class's position among those that are shown.
func (c Class) Order() int { return slices.Index(classes, string(c)) }

// classOf returns what a unit measures, by its name. exact means that its Unit line says assume=exact.
func classOf(unit string, exact bool) Class {
	is := func(has func(s, part string) bool, parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return has(unit, p) })
	}
	switch {
	case exact, unit == results.AdapterBytes, unit == results.Parameters, unit == "allocs/op":
		return Count
	case unit == "sec-to-loss", is(strings.HasSuffix, "/sec", "/s", "-sec", "-ns"), is(strings.HasPrefix, "ns/", "sec/"):
		return Speed
	case is(strings.HasSuffix, "loss"):
		return Loss
	case is(strings.HasPrefix, "peak-"), unit == "B/op", slices.Contains([]string{"B", "MB", "GB", "bytes"}, unit),
		is(strings.HasSuffix, "-GB", "-MB", "-kB", "-B", "-GiB", "-MiB", "-KiB", "-bytes"):
		return Memory
	}
	return Other
}

// Sample is one side's values of a metric.
type Sample struct {
	Values    []float64 // in the order of the runs
	Seeds     []int64   // of each value; the k-th run of a file without seeds has k
	Center    float64   // geometric mean where all values are positive, else the mean: what is compared
	Variation float64   // standard deviation relative to the mean; NaN below two values and where the mean is 0
	rounded   bool      // some values have the digits that go test prints
}

// Result is one metric of one benchmark on both sides. Relative figures are fractions of the baseline, positive where New is higher.
type Result struct {
	Benchmark string // without "Benchmark" and GOMAXPROCS' suffix: Rank/rank=8
	Unit      string // as it was written
	Better    string // "higher", "lower" or ""
	Class     Class
	Rule      Rule // the one that applied

	Baseline, New Sample
	Change        float64 // relative difference of the centres, where Exact of the means over common seeds; NaN for a baseline of 0
	Low, High     float64 // 95 % interval of Change; NaN where it cannot be told, and where Exact
	P             float64 // of "not worse" (of "not better" where New is better), one-sided; NaN where there is none
	Corrected     float64 // P corrected for all comparisons judged
	Pairs         int     // seeds that both sides have
	Exact         bool    // compared value by value: the same seed must give the same value
	// Detectable is the smallest worsening, relative, that so many samples with this noise find 80 % of the time, after
	// correction and beyond the floor; NaN where Exact, not judged, or without any spread.
	Detectable float64
	Call       Call
	Why        string   // a clause that says why: "3.1 % lower, floor 3 %, corrected p 0.0004"; never empty
	SameAs     string   // the unit whose measurement this is too; informational then
	Causes     []string // sentences: the memory that grew, the part of a step that slowed, the step at which losses part

	m       *matched
	worse   float64  // the direction of a worsening: 1 up, -1 down, 0 none
	lacking [2]int   // runs of each side without it
	at      [][2]int // indexes of each pair's values
	scale   stats.Scale
	by      []stats.Difference // on the scale, positive where New is worse, by each test
	spread  bool               // values vary: else the difference is compared with the floor only
	p       [2]float64         // of "not worse", of "not better"
}
