package judge

import (
	"cmp"
	"slices"
	"sync"

	"lorabench/bench/results"
)

// Input is one side's results as they were read. Problems are put into the verdict.
type Input struct {
	*results.Set
	Label string // of label=file, else ""
}

// Read reads one side: a file, a quoted glob, a folder (its bench.txt, and parts.txt where there is one),
// several of them with commas between, or any of these with "label=" before it. Records beside the files
// are read for explanations; one that cannot be read is a note. Input is never nil.
func Read(arg string) *Input {
	label, paths, problems := files(arg)
	set := results.Read(paths...)
	set.Problems = append(problems, set.Problems...)
	set.ReadRecords()
	return &Input{Set: set, Label: label}
}

// ReadBoth reads both sides at a time.
func ReadBoth(old, new string) (a, b *Input) {
	var reading sync.WaitGroup
	reading.Go(func() { a = Read(old) })
	b = Read(new)
	reading.Wait()
	return a, b
}

// metric is what a side has of a unit.
type metric struct {
	*results.Metric
	class  Class         // by unit and Unit lines; rules may say otherwise
	better string        // built in, else by Unit lines; rules may say where nothing else does
	runs   []results.Run // nil for what records have and not result lines
}

// metrics are a benchmark's, with counts of records where counted: loss, speed, memory, counts, others.
func (in *Input) metrics(b *results.Benchmark, counted []results.Metric) []metric {
	var out []metric
	take := func(ms []results.Metric, runs []results.Run) {
		for i := range ms {
			m, u := &ms[i], in.Units[ms[i].Base]
			out = append(out, metric{m, classOf(m.Unit, u.Exact), cmp.Or(results.Better(m.Unit), u.Better), runs})
		}
	}
	take(b.Metrics, b.Runs)
	take(counted, nil)
	slices.SortStableFunc(out, func(x, y metric) int {
		return cmp.Or(cmp.Compare(slices.Index(classes, x.class), slices.Index(classes, y.class)), cmp.Compare(results.Order(x.Unit), results.Order(y.Unit)))
	})
	return out
}
