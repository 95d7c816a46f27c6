package history

import (
	"time"

	"lorabench/bench/gate/judge"
)

// History is the results of a folder.
type History struct {
	Files   []File   // by time
	Classes []*Class // the one with the newest results first
}

// File is a result set.
type File struct {
	Path   string
	Time   time.Time // when it was made, UTC
	Commit string
}

// Class is the results that can be compared: of one kind of machine, model, recipe, ...
type Class struct {
	ID       string // eight hexadecimal digits, of Settings
	Name     string // in a few words
	Settings []Setting
	Trends   []*Trend
}

// Trend is one unit of one Go benchmark: a chart, with a line for each sub-benchmark.
type Trend struct {
	Package   string // "" where the file does not say
	Benchmark string // BenchmarkRank/rank=8 is of Rank
	Steps     int    // of every run of Rank: losses after 3 steps and after 100 are not one line; 0 for other benchmarks
	Unit      string // as the oldest file has it: values of later ones are converted to it
	Better    string // "higher", "lower" or ""
	Class     judge.Class
	Floor     float64  // changes of less than this fraction are none
	SameAs    string   // the unit that this is another way of writing, as ns/op is of samples/sec; changes are reported there
	Commits   []Commit // by time
	Series    []*Series
}

// Commit is a place on the time axis.
type Commit struct {
	Hash string
	Time time.Time // of its first results
}

// Series is a line of a trend.
type Series struct {
	Name    string // of the sub-benchmark, rank=8; "" where there is none
	Points  []Point
	Changes []Change
}

// Point is a commit's runs.
type Point struct {
	Commit           int // of Trend.Commits
	Values           []float64
	Median, Min, Max float64
	Aside            bool // far beyond its neighbours, which agree: in no level
}

// Change is where the level of a series changes.
type Change struct {
	At       int        // of Series.Points: the first of the new level
	Old, New float64    // the medians of the levels before and after, in Trend.Unit
	Relative float64    // the change as a fraction of the old level; infinite where that is 0
	P        float64    // that noise does this somewhere in a history of so many commits
	Call     judge.Call // CallWorse, CallBetter, or CallShown where neither direction is better
	Last     bool       // the new level is the newest commit alone: the next may show that it was an outlier
}

// Levels are the first points of the levels of a series.
func (s *Series) Levels() []int {
	at := []int{0}
	for _, c := range s.Changes {
		at = append(at, c.At)
	}
	return at
}

// Level is the median of the points from to to, those set aside left out.
func (s *Series) Level(from, to int) float64 {
	var vs []float64
	for _, p := range s.Points[from:to] {
		if !p.Aside {
			vs = append(vs, p.Median)
		}
	}
	return median(vs)
}

// Title is the trend's name in a class.
func (t *Trend) Title() string {
	s := t.Benchmark + ": " + t.Unit
	if t.Package != "" {
		s = t.Package + "." + s
	}
	return s
}

// newest is the time of the class's newest commit.
func (c *Class) newest() time.Time {
	var at time.Time
	for _, t := range c.Trends {
		for _, k := range t.Commits {
			if k.Time.After(at) {
				at = k.Time
			}
		}
	}
	return at
}
