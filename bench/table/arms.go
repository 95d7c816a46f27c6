package table

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

// Arm is a sub-benchmark: its runs, by seed.
type Arm struct {
	Key   string // the record's name, by which package compare knows it
	Name  string // the same, printable: rank=8/lr=1e-4
	Label string // as in prose and figures: rank 8, lr 1e-4
	Runs  []*record.Record
}

// Full returns whether the arm trains every weight.
func (a *Arm) Full() bool { return a.Runs[0].Rank == record.Full }

// Arms collects records into arms, ranks in numeric order.
func Arms(rs []*record.Record) ([]*Arm, error) {
	if len(rs) == 0 {
		return nil, fmt.Errorf("no run records to report: run the benchmark with -out")
	}
	by := map[string]*Arm{}
	var arms []*Arm
	for _, r := range rs {
		name := Clean(r.Name)
		a := by[r.Name]
		if a == nil {
			a = &Arm{Key: r.Name, Name: name, Label: strings.ReplaceAll(strings.ReplaceAll(name, "/", ", "), "=", " ")}
			by[r.Name] = a
			arms = append(arms, a)
		}
		if slices.ContainsFunc(a.Runs, func(o *record.Record) bool { return o.Seed == r.Seed }) {
			return nil, fmt.Errorf("two records of %s with seed %d: keep one of them", name, r.Seed)
		}
		a.Runs = append(a.Runs, r)
	}
	slices.SortStableFunc(arms, func(a, b *Arm) int { return record.Compare(a.Name, b.Name) })
	for _, a := range arms {
		slices.SortFunc(a.Runs, func(x, y *record.Record) int { return cmp.Compare(x.Seed, y.Seed) })
	}
	return arms, nil
}

// Clean makes a foreign name printable: a control character would be an escape sequence on a
// terminal and is no XML.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// Seeds is the largest number of runs of an arm.
func Seeds(arms []*Arm) int {
	n := 0
	for _, a := range arms {
		n = max(n, len(a.Runs))
	}
	return n
}

// Spread is values over seeds. N counts the finite ones; without any the rest is NaN.
type Spread struct {
	N                int
	Median, Min, Max float64
}

// SpreadOf is the spread of vs.
func SpreadOf(vs []float64) Spread {
	var ok []float64
	for _, v := range vs {
		if format.Finite(v) {
			ok = append(ok, v)
		}
	}
	if len(ok) == 0 {
		return Spread{Median: math.NaN(), Min: math.NaN(), Max: math.NaN()}
	}
	slices.Sort(ok)
	n := len(ok)
	return Spread{n, (ok[(n-1)/2] + ok[n/2]) / 2, ok[0], ok[n-1]}
}

// Over is the spread of a figure over the arm's seeds; f returns NaN where it was not measured.
func (a *Arm) Over(f func(*record.Record) float64) Spread {
	vs := make([]float64, len(a.Runs))
	for i, r := range a.Runs {
		vs[i] = f(r)
	}
	return SpreadOf(vs)
}

// Number is *p, and NaN where there is none.
func Number[T int64 | float64](p *T) float64 {
	if p == nil {
		return math.NaN()
	}
	return float64(*p)
}

// EvalLoss is the run's held-out loss after training; NaN where there is none.
func EvalLoss(r *record.Record) float64 { return Number(r.EvalLoss) }
