package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/results"
)

// truth is what simulated results are drawn from: noise and differences are of logarithms, so about
// fractions.
type truth struct {
	noise []float64 // of each arm, independent
	seed  float64   // what all arms of a seed share
	diff  []float64 // of each arm against the first; nil is none
}

// draw is n seeds of one metric by arm.
func (tr truth) draw(r *rand.Rand, n int, centre float64) [][]float64 {
	out := make([][]float64, len(tr.noise))
	for i := range out {
		out[i] = make([]float64, n)
	}
	for k := range n {
		shared := tr.seed * r.NormFloat64()
		for i := range out {
			x := shared + tr.noise[i]*r.NormFloat64()
			if tr.diff != nil {
				x += math.Log1p(tr.diff[i])
			}
			out[i][k] = centre * math.Exp(x)
		}
	}
	return out
}

// unchanged is a whole study in which the rank changes nothing: the metrics that lorabench reports,
// with what is known of how they hang together.
func unchanged(r *rand.Rand, seeds int, noise float64) *results.Set {
	s := ranks(3)
	all := []float64{noise, noise, noise}
	// Losses share the seed's data, and the last window is part of the mean.
	trainLoss := truth{noise: all, seed: 3 * noise}.draw(r, seeds, 1.68)
	last := truth{noise: all}.draw(r, seeds, 0.97)
	speed := truth{noise: all, seed: noise}.draw(r, seeds, 36)
	tokens, step, loss := make([][]float64, 3), make([][]float64, 3), make([][]float64, 3)
	for k := range seeds {
		perSample := 160 * math.Exp(0.01*r.NormFloat64()) // of the seed's data: the same in every arm
		for i := range 3 {
			loss[i] = append(loss[i], trainLoss[i][k]*last[i][k])
			tokens[i] = append(tokens[i], speed[i][k]*perSample)
			step[i] = append(step[i], 16e9/speed[i][k])
		}
	}
	add(s, evalLoss, truth{noise: all, seed: noise}.draw(r, seeds, 1.7)...)
	add(s, "train-loss", trainLoss...)
	add(s, "loss", loss...)
	add(s, samples, speed...)
	add(s, "tokens/sec", tokens...)
	add(s, "ns/op", step...)
	add(s, secToLoss, truth{noise: all}.draw(r, seeds, 90)...)
	add(s, peakRSS, truth{noise: all}.draw(r, seeds, 2.3)...)
	add(s, "grad-norm", truth{noise: []float64{4 * noise, 4 * noise, 4 * noise}}.draw(r, seeds, 1.1)...)
	same := make([]float64, seeds)
	for k := range same {
		same[k] = 3151872
	}
	add(s, adapterBytes, same, same, same)
	return s
}

func found(m Metric) bool {
	for _, p := range m.Pairs {
		if p.Call == Higher || p.Call == Lower {
			return true
		}
	}
	return false
}

// Where nothing differs, at most 5 % of families (the comparisons of one metric) show a difference, and
// the verdict calls a rank worse in at most 5 % of files.
func TestUnchangedRunsAreNotCalledDifferent(t *testing.T) {
	const draws = 4000
	for _, seeds := range []int{6, 10} {
		for _, noise := range []float64{0.01, 0.03} {
			t.Run(fmt.Sprintf("seeds=%d/noise=%v", seeds, noise), func(t *testing.T) {
				r := rand.New(rand.NewPCG(uint64(seeds), uint64(1000*noise)))
				families, calls, worse := 0, 0, 0
				by := map[string]int{}
				for range draws {
					a, err := Analyze(unchanged(r, seeds, noise), Options{})
					require.NoError(t, err)
					for _, m := range a.Metrics {
						families++
						if found(m) {
							calls++
							by[m.Name]++
						}
					}
					for _, st := range a.Verdict.Standing {
						if st.Call == Worse {
							worse++
							break
						}
					}
				}
				rate := float64(calls) / float64(families)
				t.Logf("%.4f of %d families; worse in %.3f; by metric %v", rate, families, float64(worse)/draws, by)
				assert.LessOrEqual(t, rate, 0.05)
				assert.LessOrEqual(t, float64(worse)/draws, 0.05)
				assert.Zero(t, by[adapterBytes], "what is equal is not different")
				for unit, n := range by {
					// Three standard errors of 5 % in 4,000 draws.
					assert.LessOrEqual(t, float64(n)/draws, 0.0604, unit)
				}
			})
		}
	}
}

// rate is how often arm's samples/sec is called different.
func (tr truth) rate(t *testing.T, r *rand.Rand, draws, seeds int, arm string) float64 {
	n := 0
	for range draws {
		s := ranks(len(tr.noise))
		add(s, samples, tr.draw(r, seeds, 36)...)
		a, err := Analyze(s, Options{})
		require.NoError(t, err)
		for _, p := range a.Metrics[0].Pairs {
			if (arm == "" || p.Arm == arm) && (p.Call == Higher || p.Call == Lower) {
				n++
				break
			}
		}
	}
	return float64(n) / float64(draws)
}

// The tests hold where ranks differ in their noise and where runs of a seed share something.
func TestUnequalNoiseIsNotCalledADifference(t *testing.T) {
	for _, c := range []struct {
		noise []float64
		seed  float64
		why   string
	}{
		{[]float64{1, 1}, 0, "two arms"},
		{[]float64{1, 1, 1}, 5, "the seed matters more than the noise"},
		{[]float64{1, 1, 2}, 0, "one arm is noisier"},
		{[]float64{2, 1, 1}, 0, "the reference is noisier"},
		{[]float64{5, 1, 1}, 0, "the reference is much noisier: pooled noise would call 8 %"},
		{[]float64{1, 1, 5}, 3, "both"},
		{[]float64{5, 1, 1, 1, 1}, 0, "five arms: pooled noise would call 15 %"},
		{[]float64{1, 1, 3, 3, 3}, 0, "five arms of two kinds"},
	} {
		for _, seeds := range []int{2, 4, 6, 10} {
			tr := truth{seed: 0.01 * c.seed}
			for _, x := range c.noise {
				tr.noise = append(tr.noise, 0.01*x)
			}
			rate := tr.rate(t, rand.New(rand.NewPCG(11, uint64(seeds))), 1000, seeds, "")
			t.Logf("%v, %d seeds: %.3f", c.noise, seeds, rate)
			// Two standard errors of 5 % in 1,000 draws.
			assert.LessOrEqual(t, rate, 0.064, "%s: %v, %d seeds", c.why, c.noise, seeds)
		}
	}
}

// A true difference of 2 % in samples/s at 1 % noise and 10 seeds is found at least 95 % of the time where it
// is all there is to compare or other ranks differ too, and 90 % where others do not.
func TestPower(t *testing.T) {
	for _, c := range []struct {
		diff  []float64
		noise []float64
		least float64
		why   string
	}{
		{[]float64{0, 0.02}, []float64{1, 1}, 0.95, "two ranks"},
		{[]float64{0, 0.02, 0}, []float64{1, 1, 1}, 0.92, "only one of two differs"},
		{[]float64{0, 0.02, 0.02}, []float64{1, 1, 1}, 0.95, "both differ"},
		{[]float64{0, -0.02, -0.04}, []float64{1, 1, 1}, 0.95, "time grows with rank"},
		{[]float64{0, 0.02, 0, 0}, []float64{1, 1, 1, 1}, 0.90, "one of three"},
		{[]float64{0, 0.02, 0}, []float64{1, 1, 10}, 0.92, "a noisy third rank does not hide it: each pair has its own variance"},
	} {
		tr := truth{diff: c.diff}
		for _, x := range c.noise {
			tr.noise = append(tr.noise, 0.01*x)
		}
		rate := tr.rate(t, rand.New(rand.NewPCG(3, 4)), 4000, 10, "rank=32")
		t.Logf("%v: %.3f", c.diff, rate)
		assert.GreaterOrEqual(t, rate, c.least, c.why)
	}
}

// A difference of the size of Detectable is found at least 80 % of the time, and not much more often:
// the figure would be useless if everything were.
func TestDetectableIsFound(t *testing.T) {
	for _, seeds := range []int{4, 6, 10} {
		// What the noise, were it known, makes detectable: the mean of what is estimated.
		r := rand.New(rand.NewPCG(5, uint64(seeds)))
		tr := truth{noise: []float64{0.01, 0.01, 0.01}, diff: []float64{0, 0, 0}}
		sum := 0.0
		const draws = 4000
		for range draws {
			s := ranks(3)
			add(s, samples, tr.draw(r, seeds, 36)...)
			a, err := Analyze(s, Options{})
			require.NoError(t, err)
			d := math.Log1p(a.Metrics[0].Pairs[0].Detectable)
			sum += d * d
		}
		// The square is unbiased, as the variance is.
		tr.diff[1] = math.Expm1(math.Sqrt(sum / draws))
		rate := tr.rate(t, r, draws, seeds, "rank=32")
		t.Logf("%d seeds: %.2f %% found in %.3f", seeds, 100*tr.diff[1], rate)
		assert.GreaterOrEqual(t, rate, 0.79)
		assert.LessOrEqual(t, rate, 0.93)
	}
}

// An arm that is worse by more than the margin is called as good in at most 2.5 % of files, and one that
// is as good is called so where the noise allows it.
func TestAsGoodIsNotSaidLightly(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	wrong, right, none := 0, 0, 0
	const draws = 1000
	for range draws {
		at := func(noise float64, diff ...float64) *Analysis {
			s := ranks(3)
			add(s, evalLoss, truth{noise: []float64{noise, noise, noise}, seed: 0.02, diff: diff}.draw(r, 6, 1.7)...)
			a, err := Analyze(s, Options{})
			require.NoError(t, err)
			return a
		}
		// On the edge: 1 % above the best two.
		if v := at(0.003, 0.01, 0, 0).Verdict; v.Smallest == "rank=8" {
			wrong++
		}
		if v := at(0.002, 0.001, 0, 0).Verdict; v.Smallest == "rank=8" {
			right++
		}
		// 3 % noise and no difference: nothing to be told from 6 seeds.
		if v := at(0.03, 0, 0, 0).Verdict; v.Smallest == "" {
			none++
		}
	}
	t.Logf("wrong %.3f, right %.3f, none %.3f", float64(wrong)/draws, float64(right)/draws, float64(none)/draws)
	assert.LessOrEqual(t, float64(wrong)/draws, 0.03)
	assert.GreaterOrEqual(t, float64(right)/draws, 0.95)
	assert.GreaterOrEqual(t, float64(none)/draws, 0.95)
}
