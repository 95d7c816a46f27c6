package compare

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/bench/results"
)

// drawn are runs of steps that take change times 0.4 s and 1 % of noise, and a time that grows with their tokens.
func drawn(r *rand.Rand, arms, blocks int, change func(arm, block int) float64) (runs []Timing) {
	for block := range blocks {
		tokens := 2000 * (1 + 0.01*r.NormFloat64()) // of the seed's data: the same in every arm
		for arm := range arms {
			seconds := 0.4 * (1 + 0.2*float64(arm)) * (0.2 + 0.8*tokens/2000) * (1 + 0.01*r.NormFloat64()) * change(arm, block)
			runs = append(runs, Timing{Arm: fmt.Sprintf("rank=%d", 8<<arm), Block: block, Seconds: seconds, Tokens: tokens})
		}
	}
	return runs
}

func TestUnsteadyRunsAreCalledSo(t *testing.T) {
	for _, c := range []struct {
		change func(arm, block int) float64
		least  float64 // how often it must be called unsteady; below 0.5: at most
		said   string
		why    string
	}{
		{func(int, int) float64 { return 1 }, 0.05, "", "noise and tokens are no drift"},
		{func(_, block int) float64 { return 1 + 0.05*float64(block)/5 }, 0.95, "longer in block", "5 % drift from first to last"},
		{func(_, block int) float64 { return 1 + 0.05*float64(block/2%2) }, 0.95, "longer in block", "5 % in the middle third: a neighbour"},
		{func(arm, block int) float64 {
			if arm == 1 && block == 3 {
				return 1.1
			}
			return 1
		}, 0.9, "the time of a step of rank=16 was ", "one run of 10 %"},
		{func(_, block int) float64 { return 1 + 0.01*float64(block)/5 }, 0.05, "", "1 % is no matter"},
	} {
		r := rand.New(rand.NewPCG(6, 19))
		const draws = 400
		n := 0.0
		for range draws {
			if s := Steady(drawn(r, 3, 6, c.change)); s != "" {
				n += 1.0 / draws
				assert.Contains(t, s, "Close other programs")
				if c.said != "" && n > 0.5 {
					assert.Contains(t, s, c.said, c.why)
				}
			}
		}
		t.Logf("%.3f %s", n, c.why)
		if c.least > 0.5 {
			assert.GreaterOrEqual(t, n, c.least, c.why)
		} else {
			assert.LessOrEqual(t, n, c.least, c.why)
		}
	}
}

// A run that slows down within itself is told from one whose steps had more tokens.
func TestDriftWithinARun(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	laps := func(slowdown, tokens float64) (laps []Lap) {
		for i := range 40 {
			n := 2000 * (1 + tokens*float64(i)/40) * (1 + 0.02*r.NormFloat64())
			laps = append(laps, Lap{Seconds: n / 5000 * (1 + slowdown*float64(i)/40) * (1 + 0.01*r.NormFloat64()), Tokens: n})
		}
		return laps
	}
	run := func(laps []Lap) string { return Steady([]Timing{{Arm: "rank=8", Block: 0, Laps: laps}}) }
	assert.Empty(t, run(laps(0, 0)))
	assert.Empty(t, run(laps(0, 0.1)), "more tokens take longer")
	assert.Contains(t, run(laps(0.07, 0)), "within a run of rank=8 (block 0) steps changed by 5")
	assert.Empty(t, run(nil), "without laps nothing is known")
}

// What is unsteady is said in the verdict, at the speeds' tables and in their calls.
func TestUnsteadyIsSaid(t *testing.T) {
	s := ranks(2)
	times := [][]float64{{400e6, 401e6, 402e6, 440e6, 441e6, 402e6}, {402e6, 403e6, 402e6, 441e6, 442e6, 401e6}}
	add(s, "ns/op", times...)
	add(s, evalLoss, []float64{3, 3.01, 3, 3, 3.02, 3}, []float64{3, 3, 3.01, 3, 3, 3.01})
	a := analyzed(t, s, Options{})
	require.Contains(t, a.Unsteady, "Unsteady: steps took 10.")
	assert.Contains(t, a.Verdict.Text, a.Unsteady)
	assert.Contains(t, a.metric("ns/op").Notes, a.Unsteady)
	assert.Contains(t, string(written(t, a)), "no difference found, unsteady")
}

// TestBlocksOfTwoProcessesAreNotCompared: they may be of two cards, and a pair is never of both.
func TestBlocksOfTwoProcessesAreNotCompared(t *testing.T) {
	runs := drawn(rand.New(rand.NewPCG(6, 19)), 3, 6, func(_, block int) float64 { return 1 + 0.2*float64(block%2) })
	assert.Contains(t, Steady(runs), "longer in block")
	for i, r := range runs {
		runs[i].Process = fmt.Sprint(r.Block % 2)
	}
	assert.Empty(t, Steady(runs))
}

// The laps of records are those of their steps' tokens.
func TestTimingsOfRecords(t *testing.T) {
	s, err := newStudy(results.FromRecords([]*record.Record{recorded("8", 1, func(r *record.Record) {
		r.Schema, r.Block = 1, 4
		for i := range 100 {
			r.Steps = append(r.Steps, record.Step{Step: i + 1, Tokens: 10})
		}
		r.Laps = []record.Lap{{Step: 40, Seconds: 2}, {Step: 100, Seconds: 3}}
	})}))
	require.NoError(t, err)
	assert.Equal(t, []Timing{{Arm: "rank=8", Process: "-3 ", Block: 4, Seconds: 0.5, Tokens: 2500, Laps: []Lap{{2, 400}, {3, 600}}}}, s.timings())
}

// A difference of runs that were not in blocks is shown, with the sentence that drift is in it, and not claimed.
func TestNoClaimOfSpeedWithoutBlocks(t *testing.T) {
	lines := map[bool]string{}
	for _, blocks := range []bool{true, false} {
		for k := range 12 {
			rank, seed := k%2, k/2
			if !blocks {
				rank, seed = k/6, k%6
			}
			lines[blocks] += fmt.Sprintf("seed: %d\nBenchmarkRank/rank=%d 3 %v samples/sec %v eval-loss\n", seed, 8<<rank,
				float64(40-4*rank)*wobble(rank, seed, 1), (3+0.3*float64(rank))*wobble(rank, seed, 1))
		}
	}
	for blocks, text := range lines {
		a := analyzed(t, results.Read(files(t, text)...), Options{})
		p := a.metric(samples).Pairs[0]
		assert.InDelta(t, -0.1, p.Diff, 0.002)
		assert.Equal(t, Higher, a.metric(evalLoss).Pairs[0].Call, "a loss does not depend on the machine's speed")
		if blocks {
			assert.Equal(t, Lower, p.Call)
			continue
		}
		assert.Equal(t, Drifts, p.Call)
		assert.Contains(t, fmt.Sprint(a.metric(samples).Notes), "drift is in the difference")
		assert.Contains(t, fmt.Sprint(analyzed(t, results.Read(files(t, text)...), Options{}).Verdict.Costs), "drift is in it")
	}
}
