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

// Timing is a run's time. Arms are what runs have in common besides their block: a rank, or a rank before and after a change.
type Timing struct {
	Arm     string
	Block   int     // results.Unplaced where the run was in none: it is not compared with others
	Seconds float64 // of a step, on average
	Tokens  float64 // of a step, on average; NaN where that is not known
	Laps    []Lap   // parts of the run, in order; nil where only the whole was timed
}

// Lap is a part of a run: its seconds and tokens.
type Lap struct{ Seconds, Tokens float64 }

// Steadiness is how much the time of a step changed besides what tokens, arms and chance explain, as fractions of it.
type Steadiness struct {
	Drift  float64 // from the fastest block to the slowest; NaN where there are no blocks to compare
	Within float64 // the largest from one quarter of a run to another; NaN where runs have no laps
	Text   string  // a line that says what is unsteady and what to do, "" where nothing is
}

// Steady looks for drift from block to block, for one run that stands out, and for drift within runs. Drift counts where it is more
// than MaxDrift and more than chance makes of the noise there is.
func Steady(runs []Timing) Steadiness {
	s := Steadiness{Drift: math.NaN(), Within: math.NaN()}
	var found []string
	if g := newGrid(runs); g != nil {
		if r, c, size := g.outlier(); math.Abs(size) > MaxDrift {
			found = append(found, fmt.Sprintf("a step of %s took %s %s in block %d than the other runs let expect",
				g.arms[r], format.Percent(math.Expm1(size)), longer(size), g.blocks[c]))
			g.x[r][c] -= size
		}
		means := make([]float64, len(g.blocks))
		for k := range g.blocks {
			means[k] = g.blockMean(k)
		}
		low, high := extremes(means)
		s.Drift = math.Expm1(means[high] - means[low])
		if s.Drift > MaxDrift && means[high]-means[low] > chance(g.noise(), len(g.arms)) {
			found = append(found, fmt.Sprintf("steps took %s longer in block %d than in block %d", format.Percent(s.Drift), g.blocks[high], g.blocks[low]))
		}
	}
	slow := ""
	for _, r := range runs {
		drift, noise, n := within(r.Laps)
		if drift > MaxDrift && drift > chance(noise, n) && !(drift <= s.Within) {
			slow = fmt.Sprintf("within a run of %s (block %d) steps changed by %s", r.Arm, r.Block, format.Percent(drift))
		}
		if !(drift <= s.Within) && !math.IsNaN(drift) {
			s.Within = drift
		}
	}
	if slow != "" {
		found = append(found, slow)
	}
	if len(found) > 0 {
		s.Text = fmt.Sprintf("Unsteady: %s. Close other programs, let the machine cool down, and run it again, with more seeds if it stays so.", format.List(found))
	}
	return s
}

func longer(d float64) string {
	if d < 0 {
		return "less"
	}
	return "longer"
}

// extremes are the places of the lowest and the highest value.
func extremes(xs []float64) (low, high int) {
	for i, x := range xs {
		if x < xs[low] {
			low = i
		}
		if x > xs[high] {
			high = i
		}
	}
	return low, high
}

// chance is how far the lowest and highest of some means of n values seldom lie apart by their noise alone: Student's
// range for ten means is 3.2 standard errors of a difference.
func chance(noise float64, n int) float64 { return 3.2 * noise * math.Sqrt(2/float64(n)) }

// grid is the logarithms of step times by arm and block, without what tokens and arms explain.
type grid struct {
	arms   []string
	blocks []int
	x      [][]float64 // [arm][block]
}

// newGrid takes the blocks that all arms have. It is nil for fewer than two.
func newGrid(runs []Timing) *grid {
	g := &grid{}
	type cell struct {
		arm   string
		block int
	}
	at := map[cell]Timing{}
	for _, r := range runs {
		if r.Block != results.Unplaced && r.Seconds > 0 {
			at[cell{r.Arm, r.Block}] = r
			g.blocks = append(g.blocks, r.Block)
			if !slices.Contains(g.arms, r.Arm) {
				g.arms = append(g.arms, r.Arm)
			}
		}
	}
	slices.Sort(g.blocks)
	g.blocks = slices.DeleteFunc(slices.Compact(g.blocks), func(b int) bool {
		return slices.ContainsFunc(g.arms, func(a string) bool { return at[cell{a, b}].Seconds == 0 })
	})
	if len(g.blocks) < 2 {
		return nil
	}
	var all, tokens []float64
	for _, a := range g.arms {
		row, tok := make([]float64, len(g.blocks)), make([]float64, len(g.blocks))
		for k, b := range g.blocks {
			row[k], tok[k] = math.Log(at[cell{a, b}].Seconds), math.Log(at[cell{a, b}].Tokens)
		}
		g.x = append(g.x, centred(row))
		all, tokens = append(all, g.x[len(g.x)-1]...), append(tokens, centred(tok)...)
	}
	// A step takes a time that grows with its tokens, at most in proportion to them.
	if _, slope := stat.LinearRegression(tokens, all, nil, true); !math.IsNaN(slope) {
		slope = min(max(slope, 0), 1)
		for i, x := range tokens {
			g.x[i/len(g.blocks)][i%len(g.blocks)] -= slope * x
		}
	}
	return g
}

// centred are values less their mean.
func centred(xs []float64) []float64 {
	mean := stat.Mean(xs, nil)
	for i := range xs {
		xs[i] -= mean
	}
	return xs
}

func (g *grid) blockMean(k int) float64 {
	sum := 0.0
	for _, row := range g.x {
		sum += row[k] / float64(len(g.x))
	}
	return sum
}

// residual is what neither arm nor block explains.
func (g *grid) residual(i, k int) float64 {
	return g.x[i][k] - g.blockMean(k) - stat.Mean(g.x[i], nil)
}

// df is the degrees of freedom of the residuals.
func (g *grid) df() float64 { return float64((len(g.arms) - 1) * (len(g.blocks) - 1)) }

// noise is the standard deviation of a run within its block; 0 where one arm shows none.
func (g *grid) noise() float64 {
	if g.df() == 0 {
		return 0
	}
	sum := 0.0
	for i := range g.arms {
		for k := range g.blocks {
			sum += g.residual(i, k) * g.residual(i, k)
		}
	}
	return math.Sqrt(sum / g.df())
}

// outlier is the run that stands out most and by how much, 0 where it is not shown to: one in
// fifty steady studies would have such a run by chance (the externally studentized residual, corrected for the number of runs).
func (g *grid) outlier() (arm, block int, size float64) {
	df := g.df()
	if df < 3 {
		return 0, 0, 0
	}
	left := df / float64(len(g.arms)*len(g.blocks)) // of a run's own deviation, in its residual
	for i := range g.arms {
		for k := range g.blocks {
			// Of two arms, whose residuals are each other's opposites, the slower one is named.
			if e := g.residual(i, k) / left; math.Abs(e) > math.Abs(size)+tiny || e > 0 && e > -size-tiny && size < 0 {
				arm, block, size = i, k, e
			}
		}
	}
	rest := max(0, g.noise()*g.noise()*df-size*size*left) / (df - 1)
	if stats.Tail(math.Abs(size)*math.Sqrt(left/rest), df-1)*2*float64(len(g.arms)*len(g.blocks)) > 0.02 {
		return 0, 0, 0
	}
	return arm, block, size
}

// within is the drift between the quarters of a run after regression on tokens, the noise of a lap, and the laps of a quarter.
func within(laps []Lap) (drift, noise float64, n int) {
	n = len(laps) / 4
	if n < 2 {
		return math.NaN(), math.NaN(), n
	}
	seconds, tokens := make([]float64, len(laps)), make([]float64, len(laps))
	for i, l := range laps {
		seconds[i], tokens[i] = l.Seconds, l.Tokens
	}
	alpha, beta := stat.LinearRegression(tokens, seconds, nil, false)
	if math.IsNaN(beta) || math.IsInf(beta, 0) {
		alpha, beta = stat.Mean(seconds, nil), 0 // as many tokens in every lap
	}
	mean := stat.Mean(seconds, nil)
	var quarters, variances []float64
	for q := range 4 {
		var rest []float64
		for i := q * n; i < (q+1)*n; i++ {
			rest = append(rest, (seconds[i]-alpha-beta*tokens[i])/mean)
		}
		m, v := stat.MeanVariance(rest, nil)
		quarters, variances = append(quarters, m), append(variances, v)
	}
	low, high := extremes(quarters)
	return quarters[high] - quarters[low], math.Sqrt(stat.Mean(variances, nil)), n
}

// timings are the runs' times. Laps are known from records of runs whose clock stood still in between, as it does for -eval-every and
// in the gate's turns.
func (s *study) timings() (runs []Timing) {
	for i, b := range s.arms {
		seconds, tokens := s.values(i, "sec/op", 1), s.values(i, "tokens/sec", 1)
		for _, r := range b.Runs {
			k := s.slot(r.Seed)
			t := Timing{Arm: s.names[i], Block: r.Block, Seconds: seconds[k], Tokens: tokens[k] * seconds[k]}
			if rec := s.record(i, r.Seed); rec != nil {
				step := 0
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
