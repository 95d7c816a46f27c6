package compare

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"lorabench/bench/format"
	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// MaxDrift is how much step times may drift, or one run stand out, and still be called steady.
const MaxDrift = 0.03

// Timing is a run's time. Arms are what runs have in common besides their block: a rank, or a rank before or after a change.
type Timing struct {
	Arm     string
	Block   int     // results.Unplaced where the run was in none: it is not compared with others
	Seconds float64 // of a step, on average
	Tokens  float64 // of a step, on average; NaN where that is not known
	Laps    []Lap   // parts of the run, in order; nil where only the whole was timed
}

// Lap is a part of a run.
type Lap struct{ Seconds, Tokens float64 }

// Steady returns a line that says what is unsteady and what to do, "" where nothing is: a drift of what remains of step times after
// their regression on tokens, from block to block or within a run, or a run that stands out. It must be more than MaxDrift, and
// more than the noise explains.
func Steady(runs []Timing) string {
	var found []string
	if arms, blocks, x := grid(runs); len(blocks) > 1 {
		means, rest, noise := fit(x)
		if i, k, size := outlier(rest, noise); math.Abs(size) > MaxDrift {
			found = append(found, fmt.Sprintf("the time of a step of %s was %s in block %d than in others",
				arms[i], format.Higher(math.Expm1(size)), blocks[k]))
			x[i][k] -= size
			means, _, noise = fit(x)
		}
		low, high := extremes(means)
		if d := means[high] - means[low]; d > MaxDrift && d > chance(noise, len(arms)) {
			found = append(found, fmt.Sprintf("steps took %s longer in block %d than in block %d",
				format.Percent(math.Expm1(d)), blocks[high], blocks[low]))
		}
	}
	worst, slow := 0.0, ""
	for _, r := range runs {
		if drift, noise, n := within(r.Laps); drift > max(MaxDrift, chance(noise, n), worst) {
			worst, slow = drift, fmt.Sprintf("within a run of %s (block %d) steps changed by %s", r.Arm, r.Block, format.Percent(drift))
		}
	}
	if slow != "" {
		found = append(found, slow)
	}
	if len(found) == 0 {
		return ""
	}
	return fmt.Sprintf("Unsteady: %s. Close other programs, let the machine cool down, and run it again, with more seeds if it stays so.",
		format.List(found))
}

// extremes are the places of the lowest and the highest value.
func extremes(xs []float64) (low, high int) {
	return slices.Index(xs, slices.Min(xs)), slices.Index(xs, slices.Max(xs))
}

// chance is how far the lowest and highest of some means of n values seldom lie apart by their noise alone: 3.2 standard errors of a
// difference, Student's range of ten means.
func chance(noise float64, n int) float64 { return 3.2 * noise * math.Sqrt(2/float64(n)) }

// grid is the logarithms of step times by arm and block, less each arm's mean and what tokens explain, in the blocks that all arms have.
func grid(runs []Timing) (arms []string, blocks []int, x [][]float64) {
	at := map[string]map[int]Timing{}
	for _, r := range runs {
		if r.Block == results.Unplaced || !(r.Seconds > 0) {
			continue
		}
		if at[r.Arm] == nil {
			arms, at[r.Arm] = append(arms, r.Arm), map[int]Timing{}
		}
		at[r.Arm][r.Block], blocks = r, append(blocks, r.Block)
	}
	slices.Sort(blocks)
	blocks = slices.DeleteFunc(slices.Compact(blocks), func(b int) bool {
		return slices.ContainsFunc(arms, func(a string) bool { return at[a][b].Seconds == 0 })
	})
	var all, tokens []float64
	for _, a := range arms {
		row, tok := make([]float64, len(blocks)), make([]float64, len(blocks))
		for k, b := range blocks {
			row[k], tok[k] = math.Log(at[a][b].Seconds), math.Log(at[a][b].Tokens)
		}
		x, all, tokens = append(x, row), append(all, centred(row)...), append(tokens, centred(tok)...)
	}
	// A step takes a time that grows with its tokens, at most in proportion to them.
	if _, slope := stat.LinearRegression(tokens, all, nil, true); !math.IsNaN(slope) {
		for i, t := range tokens {
			x[i/len(blocks)][i%len(blocks)] -= min(max(slope, 0), 1) * t
		}
	}
	return arms, blocks, x
}

// centred takes their mean from values, and returns them.
func centred(xs []float64) []float64 {
	mean := stat.Mean(xs, nil)
	for i := range xs {
		xs[i] -= mean
	}
	return xs
}

// fit returns the blocks' means, what neither arm nor block explains, and the standard deviation of that, 0 where one arm shows none.
func fit(x [][]float64) (means []float64, rest [][]float64, noise float64) {
	means = make([]float64, len(x[0]))
	for _, row := range x {
		for k := range row {
			means[k] += row[k] / float64(len(x))
		}
	}
	sum := 0.0
	for _, row := range x {
		r := slices.Clone(row)
		for k := range r {
			r[k] -= means[k]
		}
		for _, v := range centred(r) {
			sum += v * v
		}
		rest = append(rest, r)
	}
	return means, rest, math.Sqrt(sum / max(1, freedom(x)))
}

// freedom is the degrees of freedom of what neither arm nor block explains.
func freedom(x [][]float64) float64 { return float64((len(x) - 1) * (len(x[0]) - 1)) }

// outlier is the run that stands out most and by how much, 0 where it is not shown to: one in fifty steady studies would have such
// a run by chance (the externally studentized residual, corrected for the number of runs). Of two arms, whose residuals are each
// other's opposites, the slower one is named.
func outlier(rest [][]float64, noise float64) (arm, block int, size float64) {
	df, n := freedom(rest), float64(len(rest)*len(rest[0]))
	if df < 3 {
		return 0, 0, 0
	}
	left := df / n // of a run's own deviation, in its residual
	for i, row := range rest {
		for k := range row {
			if e := row[k] / left; math.Abs(e) > math.Abs(size)+tiny || e > 0 && size < 0 && e > -size-tiny {
				arm, block, size = i, k, e
			}
		}
	}
	others := max(0, noise*noise*df-size*size*left) / (df - 1)
	if n*2*stats.Tail(math.Abs(size)*math.Sqrt(left/others), df-1) > 0.02 {
		return 0, 0, 0
	}
	return arm, block, size
}

// within is the drift between the quarters of a run after regression on tokens, the noise of a lap, and the laps of a quarter.
func within(laps []Lap) (drift, noise float64, n int) {
	if n = len(laps) / 4; n < 2 {
		return 0, 0, 1
	}
	var seconds, tokens []float64
	for _, l := range laps {
		seconds, tokens = append(seconds, l.Seconds), append(tokens, l.Tokens)
	}
	mean := stat.Mean(seconds, nil)
	from, slope := stat.LinearRegression(tokens, seconds, nil, false)
	if math.IsNaN(slope) || math.IsInf(slope, 0) {
		from, slope = mean, 0 // as many tokens in every lap
	}
	for i := range seconds {
		seconds[i] = (seconds[i] - from - slope*tokens[i]) / mean
	}
	quarters := make([]float64, 4)
	for q := range quarters {
		m, v := stat.MeanVariance(seconds[q*n:(q+1)*n], nil)
		quarters[q] = m
		noise += v / 4
	}
	low, high := extremes(quarters)
	return quarters[high] - quarters[low], math.Sqrt(noise), n
}

// timings are the runs' times. Records of a CPU have each step's; those of CUDA have laps where the clock stood still in between, as it
// does for -eval-every.
func (s *study) timings() (runs []Timing) {
	for i, b := range s.arms {
		seconds, tokens := s.values(i, "sec/op", 1), s.values(i, "tokens/sec", 1)
		for _, r := range b.Runs {
			k, step := s.slot(r.Seed), 0
			t := Timing{Arm: s.names[i], Block: r.Block, Seconds: seconds[k], Tokens: tokens[k] * seconds[k]}
			if rec := s.record(i, r.Seed); rec != nil {
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
