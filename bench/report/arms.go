package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"lorabench/bench/format"
	"lorabench/bench/record"
)

// arm is a sub-benchmark: its runs, by seed.
type arm struct {
	Key   string // the record's name, by which package compare knows it
	Name  string // the same, printable: rank=8/lr=1e-4
	Label string // as in prose and figures: rank 8, lr 1e-4
	Runs  []*record.Record
}

func (a *arm) full() bool { return a.Runs[0].Rank == record.Full }

// group collects records into arms, ranks in numeric order.
func group(rs []*record.Record) ([]*arm, error) {
	if len(rs) == 0 {
		return nil, fmt.Errorf("no run records to report: run the benchmark with -out")
	}
	by := map[string]*arm{}
	var arms []*arm
	for _, r := range rs {
		name := clean(r.Name)
		a := by[r.Name]
		if a == nil {
			a = &arm{Key: r.Name, Name: name, Label: strings.ReplaceAll(strings.ReplaceAll(name, "/", ", "), "=", " ")}
			by[r.Name] = a
			arms = append(arms, a)
		}
		if slices.ContainsFunc(a.Runs, func(o *record.Record) bool { return o.Seed == r.Seed }) {
			return nil, fmt.Errorf("two records of %s with seed %d: keep one of them", name, r.Seed)
		}
		a.Runs = append(a.Runs, r)
	}
	slices.SortStableFunc(arms, func(a, b *arm) int { return record.Compare(a.Name, b.Name) })
	for _, a := range arms {
		slices.SortFunc(a.Runs, func(x, y *record.Record) int { return cmp.Compare(x.Seed, y.Seed) })
	}
	return arms, nil
}

// clean makes a foreign name printable: a control character would be an escape sequence on a
// terminal and is no XML.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// seeds is the largest number of runs of an arm.
func seeds(arms []*arm) int {
	n := 0
	for _, a := range arms {
		n = max(n, len(a.Runs))
	}
	return n
}

// spread is values over seeds. N counts the finite ones; without any the rest is NaN.
type spread struct {
	N                int
	Median, Min, Max float64
}

func spreadOf(vs []float64) spread {
	var ok []float64
	for _, v := range vs {
		if format.Finite(v) {
			ok = append(ok, v)
		}
	}
	if len(ok) == 0 {
		return spread{Median: math.NaN(), Min: math.NaN(), Max: math.NaN()}
	}
	slices.Sort(ok)
	n := len(ok)
	return spread{n, (ok[(n-1)/2] + ok[n/2]) / 2, ok[0], ok[n-1]}
}

// over is the spread of a figure over the arm's seeds; f returns NaN where it was not measured.
func (a *arm) over(f func(*record.Record) float64) spread {
	vs := make([]float64, len(a.Runs))
	for i, r := range a.Runs {
		vs[i] = f(r)
	}
	return spreadOf(vs)
}

// number is *p, and NaN where there is none.
func number[T int64 | float64](p *T) float64 {
	if p == nil {
		return math.NaN()
	}
	return float64(*p)
}

func evalLoss(r *record.Record) float64 { return number(r.EvalLoss) }

// peak is the run's peak memory in bytes: the GPU's where there is one, the process's otherwise.
func peak(r *record.Record) float64 {
	if r.PeakMemory.GPUAllocated != nil {
		return number(r.PeakMemory.GPUAllocated)
	}
	return number(r.PeakMemory.RSS)
}

// peakName says what peak is of these arms, and in which unit compare has it.
func peakName(arms []*arm) (name, unit string) {
	if arms[0].Runs[0].PeakMemory.GPUAllocated != nil {
		return "peak GPU memory", "peak-GPU-GB"
	}
	return "peak memory of the process", "peak-RSS-GB"
}
