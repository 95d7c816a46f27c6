package compare

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"lorabench/bench/format"
	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// MaxDrift is how far step times may drift, or one run stand out, on a machine that counts as steady.
const MaxDrift = 0.03

// Timing is a run's time. Arms are what runs have in common besides their block: a rank, or a rank before or after a change.
type Timing struct {
	Arm     string
	Process string  // that ran it: blocks of two, perhaps on two machines, are not compared
	Block   int     // results.Unplaced where the run was in none: it is not compared with others
	Seconds float64 // of a step, on average
	Tokens  float64 // of a step, on average; NaN where that is not known
	Laps    []Lap   // parts of the run, in order; nil where only the whole was timed
}

// Lap is a part of a run.
type Lap struct{ Seconds, Tokens float64 }

// Steady returns a line that says what is unsteady and what to do, "" if nothing is: a drift of step times, from block to block or within
// a run, after their regression on tokens, or a run that stands out. It must be more than MaxDrift, and more than the noise explains.
func Steady(runs []Timing) string {
	var found []string
	processes := map[string][]Timing{}
	for _, r := range runs {
		processes[r.Process] = append(processes[r.Process], r)
	}
	for _, p := range slices.Sorted(maps.Keys(processes)) {
		arms, blocks, x := grid(processes[p])
		n := len(blocks)
		if n < 2 {
			continue
		}
		f := fitted(x, n)
		if i, size := f.outlier(); math.Abs(size) > MaxDrift {
			found = append(found, fmt.Sprintf("the time of a step of %s was %s in block %d than in others",
				arms[i/n], format.Higher(math.Expm1(size)), blocks[i%n]))
			x[i] -= size
			f = fitted(x, n)
		}
		low, high := floats.MinIdx(f.means), floats.MaxIdx(f.means)
		if d := f.means[high] - f.means[low]; d > MaxDrift && d > chance(f.noise, len(arms)) {
			found = append(found, fmt.Sprintf("steps took %s longer in block %d than in block %d",
				format.Percent(math.Expm1(d)), blocks[high], blocks[low]))
		}
	}
	var slow []string
	worst := 0.0
	for _, r := range runs {
		if drift, noise, n := within(r.Laps); drift > max(MaxDrift, chance(noise, n), worst) {
			worst, slow = drift, []string{fmt.Sprintf("within a run of %s (block %d) steps changed by %s", r.Arm, r.Block, format.Percent(drift))}
		}
	}
	if found = append(found, slow...); len(found) == 0 {
		return ""
	}
	return fmt.Sprintf("Unsteady: %s. Close other programs, let the machine cool down, and run it again, with more seeds if it stays so.",
		format.Few(found, 4))
}

// chance returns how far the lowest and highest of some means of n values seldom lie apart by noise alone: 3.2 standard errors of a
// difference, Student's range of ten means.
func chance(noise float64, n int) float64 { return 3.2 * noise * math.Sqrt(2/float64(n)) }

// grid returns the logarithms of step times, arm by arm in the blocks that all arms have, less each arm's mean and what tokens explain.
func grid(runs []Timing) (arms []string, blocks []int, x []float64) {
	at := map[string]map[int]Timing{}
	for _, r := range runs {
		if r.Block == results.Unplaced || !(r.Seconds > 0) {
			continue
		}
		if at[r.Arm] == nil {
			at[r.Arm], arms = map[int]Timing{}, append(arms, r.Arm)
		}
		at[r.Arm][r.Block], blocks = r, append(blocks, r.Block)
	}
	slices.Sort(blocks)
	blocks = slices.DeleteFunc(slices.Compact(blocks), func(b int) bool {
		return slices.ContainsFunc(arms, func(a string) bool { return at[a][b].Seconds == 0 })
	})
	var tokens []float64
	for _, a := range arms {
		for _, b := range blocks {
			x, tokens = append(x, math.Log(at[a][b].Seconds)), append(tokens, math.Log(at[a][b].Tokens))
		}
	}
	centre(x, len(blocks))
	centre(tokens, len(blocks))
	// A step's time grows with its tokens, at most in proportion to them.
	if _, slope := stat.LinearRegression(tokens, x, nil, true); !math.IsNaN(slope) {
		floats.AddScaled(x, -min(max(slope, 0), 1), tokens)
	}
	return arms, blocks, x
}

// centre subtracts their mean from each n values.
func centre(x []float64, n int) {
	for row := range slices.Chunk(x, max(1, n)) {
		floats.AddConst(-stat.Mean(row, nil), row)
	}
}

// fit holds a grid's means by block, the residuals that neither arm nor block explains, their degrees of freedom and their standard
// deviation, which is 0 for one arm.
type fit struct {
	means, rest []float64
	df, noise   float64
}

// fitted centres a grid of n blocks by arm, and fits it.
func fitted(x []float64, n int) fit {
	arms := len(x) / n
	f := fit{means: make([]float64, n), rest: make([]float64, len(x)), df: float64((arms - 1) * (n - 1))}
	centre(x, n)
	for i, v := range x {
		f.means[i%n] += v / float64(arms)
	}
	for i, v := range x {
		f.rest[i] = v - f.means[i%n]
	}
	f.noise = floats.Norm(f.rest, 2) / math.Sqrt(max(1, f.df))
	return f
}

// outlier returns the run that stands out most and by how much, 0 if it is not shown to: one in fifty steady studies would have such a run
// by chance (the externally studentized residual, corrected for the number of runs). Of two arms, whose residuals are each other's
// opposites, the slower one is named.
func (f fit) outlier() (run int, size float64) {
	if f.df < 3 {
		return 0, 0
	}
	n := float64(len(f.rest))
	left := f.df / n // of a run's own deviation, in its residual
	for i, r := range f.rest {
		if e := r / left; math.Abs(e) > math.Abs(size)+tiny || e > 0 && size < 0 && e > -size-tiny {
			run, size = i, e
		}
	}
	others := max(0, f.noise*f.noise*f.df-size*size*left) / (f.df - 1)
	if n*2*stats.Tail(math.Abs(size)*math.Sqrt(left/others), f.df-1) > 0.02 {
		return 0, 0
	}
	return run, size
}

// within returns the drift between a run's quarters after regression on tokens, the noise of a lap, and the laps of a quarter.
func within(laps []Lap) (drift, noise float64, n int) {
	if n = len(laps) / 4; n < 2 {
		return 0, 0, 1
	}
	var seconds, tokens []float64
	for _, l := range laps {
		seconds, tokens = append(seconds, l.Seconds), append(tokens, l.Tokens)
	}
	mean := stat.Mean(seconds, nil)
	if _, slope := stat.LinearRegression(tokens, seconds, nil, false); format.Finite(slope) { // it is not if all tokens are equal
		floats.AddScaled(seconds, -slope, tokens)
	}
	var quarters []float64
	for q := range slices.Chunk(seconds[:4*n], n) {
		m, v := stat.MeanVariance(q, nil)
		quarters, noise = append(quarters, m/mean), noise+v/4/mean/mean
	}
	return floats.Max(quarters) - floats.Min(quarters), math.Sqrt(noise), n
}

// timings returns the runs' times. CPU records have each step's; CUDA's have laps between stops of the clock, as for -eval-every.
func (s *study) timings() (runs []Timing) {
	for i, b := range s.arms {
		seconds, tokens := s.values(i, "sec/op", 1), s.values(i, "tokens/sec", 1)
		for _, r := range b.Runs {
			k, step := s.slot(r.Seed), 0
			t := Timing{Arm: s.names[i], Process: r.File, Block: r.Block, Seconds: seconds[k], Tokens: tokens[k] * seconds[k]}
			if rec := s.record(i, r.Seed); rec != nil {
				t.Process = fmt.Sprint(r.Seed-int64(r.Block), " ", rec.Shard) // of one study, blocks and seeds count alike
				for _, l := range rec.Laps {
					lap := Lap{Seconds: l.Seconds}
					for ; step < min(l.Step, len(rec.Steps)); step++ {
						lap.Tokens += float64(rec.Steps[step].Tokens)
					}
					t.Laps = append(t.Laps, lap)
				}
			}
			runs = append(runs, t)
		}
	}
	return runs
}
