// Package table makes the run summary of run records, for a terminal and as Markdown. What was not measured is a dash with a footnote,
// never 0. It draws nothing, so that the benchmark, which prints the summary too, links no plotting library.
package table

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/stats"
)

// Arm is a sub-benchmark with its runs, by seed.
type Arm struct {
	Name  string // rank=8/lr=1e-4
	Label string // as in prose and figures: rank 8, lr 1e-4
	Runs  []*record.Record
}

// Arms groups records into arms, ranks in numeric order; left names those that record.Finite drops.
func Arms(rs []*record.Record) (arms []*Arm, left string, err error) {
	if rs, left, err = record.Finite(slices.Clone(rs)); err == nil && len(rs) == 0 {
		err = fmt.Errorf("no run records to report: run the benchmark with -out")
	}
	slices.SortStableFunc(rs, func(a, b *record.Record) int {
		return cmp.Or(record.Compare(a.Name, b.Name), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Seed, b.Seed))
	})
	for i, r := range rs {
		if i == 0 || rs[i-1].Name != r.Name {
			arms = append(arms, &Arm{Name: r.Name, Label: strings.NewReplacer("/", ", ", "=", " ").Replace(r.Name)})
		}
		a := arms[len(arms)-1]
		a.Runs = append(a.Runs, r.Comparable())
	}
	return arms, left, err
}

// Seeds returns the largest number of runs of an arm.
func Seeds(arms []*Arm) int {
	return len(slices.MaxFunc(arms, func(a, b *Arm) int { return len(a.Runs) - len(b.Runs) }).Runs)
}

// Over returns the spread of a figure over the arm's seeds; f returns NaN where it was not measured.
func (a *Arm) Over(f func(*record.Record) float64) stats.Spread {
	var values []float64
	for _, r := range a.Runs {
		values = append(values, f(r))
	}
	return stats.NewSpread(values)
}

// Number returns *p, or NaN if p is nil.
func Number[T int64 | float64](p *T) float64 {
	if p == nil {
		return math.NaN()
	}
	return float64(*p)
}

// EvalLoss returns the run's held-out loss after training, or NaN.
func EvalLoss(r *record.Record) float64 { return Number(r.EvalLoss) }

// positive returns v, or NaN if it is 0: a figure that cannot be 0 was then not measured.
func positive(v float64) float64 {
	if v > 0 {
		return v
	}
	return math.NaN()
}

// digits formats with at most n significant digits.
func digits(n int) func(float64) string { return func(v float64) string { return format.Number(v, n) } }

// fixed formats with a fixed number of decimals, so that a column's decimal points align.
func fixed(decimals int) func(float64) string {
	return func(v float64) string { return format.Fixed(v, decimals) }
}
