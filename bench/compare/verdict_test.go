package compare

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/results"
)

// wobble is a noise of some 0.1 % times size that is the same in every run of the tests, and another in
// every arm.
func wobble(arm, seed int, size float64) float64 {
	return 1 + size*0.001*math.Sin(float64(7*arm+13*seed*(arm+1)))
}

// lossSet is a set of arms with held-out losses: per arm the mean loss and the noise in 0.1 %.
func lossSet(seeds int, names []string, losses, noise []float64) *results.Set {
	s := newSet(names...)
	values := make([][]float64, len(names))
	for i := range names {
		for k := range seeds {
			values[i] = append(values[i], losses[i]*(1+0.05*math.Sin(float64(k)))*wobble(i, k, noise[i]))
		}
	}
	add(s, evalLoss, values...)
	return s
}

func TestVerdict(t *testing.T) {
	ranks := []string{"rank=8", "rank=64", "rank=256"}
	same := []float64{1, 1, 1}
	for _, c := range []struct {
		name     string
		seeds    int
		arms     []string
		losses   []float64
		noise    []float64
		best     string
		smallest string
		sure     bool
		calls    []Call
		first    string
		why      string
	}{
		{"one arm", 6, ranks[:1], []float64{3}, same, "rank=8", "", false, nil,
			"There is only rank=8: nothing to compare it with.", "a verdict is between arms"},
		{"tied", 6, ranks, []float64{3, 3, 3}, same, "", "rank=8", true, []Call{AsGood, AsGood},
			"", "an honest tie: the smallest is enough"},
		{"smallest is enough", 6, ranks, []float64{3.006, 3.003, 3}, same, "rank=256", "rank=8", true, []Call{AsGood, AsGood},
			"rank=8 is enough: its held-out loss is as good as the lowest (rank=256, ", "0.2 % is within 1 %"},
		{"smallest is best", 6, ranks, []float64{2.9, 3, 3}, same, "rank=8", "rank=8", true, []Call{Worse, Worse},
			"rank=8 is enough: it has the lowest held-out loss, ", "larger ranks may overfit"},
		{"largest is needed", 6, ranks, []float64{3.2, 3.1, 3}, same, "rank=256", "rank=256", true, []Call{Worse, Worse},
			"rank=256 is the smallest rank that is enough: it has the lowest held-out loss, ", "3 % each"},
		{"middle is enough", 6, ranks, []float64{3.1, 3.003, 3}, same, "rank=256", "rank=64", true, []Call{Worse, AsGood},
			"rank=64 is the smallest rank that is enough: its held-out loss is as good as the lowest (rank=256, ", "the last step buys nothing"},
		{"real but small", 10, ranks, []float64{3.012, 3, 3}, []float64{0.5, 0.5, 0.5}, "", "rank=8", true, []Call{AsGood, AsGood},
			"", "significant, and smaller than the margin: as good"},
		{"noise hides it", 3, ranks, []float64{3.02, 3.03, 3}, []float64{20, 20, 20}, "", "", false, []Call{CannotTell, CannotTell},
			"3 seeds cannot tell which rank is enough: ", "2 % noise"},
		{"the smallest is noisy", 6, ranks, []float64{2.98, 3, 3}, []float64{30, 0.5, 0.5}, "", "rank=64", false, nil,
			"rank=64 is enough; whether rank=8 would be too, 6 seeds cannot tell. The lowest held-out loss is that of ", "sure of one, not of the smaller"},
		{"single runs", 1, ranks, []float64{3.1, 3.05, 3}, same, "rank=256", "", false, []Call{CannotTell, CannotTell},
			"1 seed cannot tell which rank is enough: rank=256 has the lowest held-out loss, ", "no noise is known"},
		{"full is the largest", 6, []string{"rank=8", "rank=full"}, []float64{3.2, 3}, same, "rank=full", "rank=full", true, []Call{Worse},
			"rank=full is the smallest rank that is enough: ", "full counts as a rank"},
		{"settings of one rank", 6, []string{"rank=8/lr=1e-4", "rank=8/lr=2e-4", "rank=64/lr=1e-4"}, []float64{3.01, 3, 3.001}, same, "", "rank=8/lr=2e-4", true, nil,
			"rank=8/lr=2e-4 is enough: ", "of one rank's settings the best, not the first"},
		{"settings", 6, []string{"rank=8/lr=1e-4", "rank=64/lr=1e-4", "rank=64/lr=2e-4"}, []float64{3.2, 3.1, 3}, same, "rank=64/lr=2e-4", "rank=64/lr=2e-4", true, []Call{Worse},
			"rank=64/lr=2e-4 is the smallest rank that is enough: it has the lowest held-out loss, ", "each rank at its best rate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := analyzed(t, lossSet(c.seeds, c.arms, c.losses, c.noise), Options{}).Verdict
			assert.Equal(t, evalLoss, v.Unit)
			if c.best != "" {
				assert.Equal(t, c.best, v.Best, c.why)
			}
			assert.Equal(t, c.smallest, v.Smallest, c.why)
			assert.Equal(t, c.sure, v.Sure, c.why)
			require.NotEmpty(t, v.Text)
			assert.Contains(t, v.Text[0], c.first, c.why)
			groups := map[string]bool{}
			for _, arm := range c.arms {
				groups[group(arm)] = true
			}
			assert.Len(t, v.Standing, len(groups)-1)
			for i, call := range c.calls {
				assert.Equal(t, call, v.Standing[i].Call, "%s: %s", c.why, v.Standing[i].Arm)
			}
			for _, s := range v.Text {
				assert.NotContains(t, s, "NaN")
			}
			t.Log(v.Text)
		})
	}
}

// Where only training every weight is enough, the adapters are judged among themselves too.
func TestAdaptersWithoutFull(t *testing.T) {
	v := analyzed(t, lossSet(6, []string{"rank=8", "rank=64", "rank=128", "rank=full"}, []float64{3.2, 3.1, 3.1, 2.9}, []float64{1, 1, 1, 1}), Options{}).Verdict
	assert.Contains(t, v.Text[0], "rank=full is the smallest rank that is enough: it has the lowest held-out loss, 2.9")
	assert.Contains(t, v.Text[1], "Without training every weight: rank=64 is the smallest rank that is enough: ")
	assert.Len(t, v.Standing, 3)
}

// A call is never made that the interval does not show.
func TestStandingsAgreeWithTheirIntervals(t *testing.T) {
	for seeds := 2; seeds < 12; seeds++ {
		for noise := 0.5; noise < 50; noise *= 2 {
			a := analyzed(t, lossSet(seeds, []string{"rank=8", "rank=64", "rank=256"}, []float64{3.05, 3.01, 3}, []float64{noise, noise, noise}), Options{})
			for _, st := range a.Verdict.Standing {
				switch st.Call {
				case AsGood:
					assert.Less(t, st.High, a.Verdict.Limit)
					assert.Greater(t, st.Low, -a.Verdict.Limit)
				case Worse:
					assert.Greater(t, st.Low, a.Verdict.Limit)
				default:
					assert.Positive(t, st.Seeds)
					assert.Greater(t, st.Seeds, seeds, "so many did not decide it")
				}
			}
		}
	}
}

func TestVerdictWithoutHeldOutLoss(t *testing.T) {
	s := newSet("rank=8", "rank=64")
	add(s, "train-loss", []float64{3.1, 3.11, 3.09, 3.1}, []float64{3, 3.01, 3.02, 3})
	v := analyzed(t, s, Options{}).Verdict
	assert.Equal(t, "train-loss", v.Unit)
	assert.Contains(t, v.Text, "There is no held-out loss (eval-loss) to judge by: this rests on train-loss, the training loss, which says nothing about text that was not trained on.")
	assert.Contains(t, v.Text, "As good means at most 0.0301 above the best, 1 % of the loss, because the loss before training is not known.")

	s = ranks(2)
	add(s, samples, []float64{1, 2}, []float64{3, 4})
	v = analyzed(t, s, Options{}).Verdict
	assert.Equal(t, "Cannot tell which rank is enough: the runs have no loss (eval-loss, train-loss, loss).", v.Text[0])
	assert.Len(t, v.Costs, 1, "what a rank costs is known all the same")

	// An arm alone with a held-out loss: the loss that both have decides.
	nan := math.NaN()
	s = ranks(2)
	add(s, evalLoss, []float64{3.1, 3.2}, []float64{nan, nan})
	add(s, "loss", []float64{3.1, 3.2}, []float64{3, 3.1})
	assert.Equal(t, "loss", analyzed(t, s, Options{}).Verdict.Unit)
}

// What each larger rank costs, in numbers and in words; a figure that is not there makes no words.
func TestCosts(t *testing.T) {
	s := lossSet(6, []string{"rank=8", "rank=64", "rank=full"}, []float64{3, 3, 3}, []float64{1, 1, 1})
	values := func(f func(i, k int) float64) (out [][]float64) {
		for i := range 3 {
			out = append(out, nil)
			for k := range 6 {
				out[i] = append(out[i], f(i, k))
			}
		}
		return out
	}
	add(s, samples, values(func(i, k int) float64 { return []float64{40, 38, 20}[i] * wobble(i, k, 2) })...)
	add(s, peakGPU, values(func(i, k int) float64 { return []float64{2, 2, 8}[i] })...)
	add(s, adapterBytes, values(func(i, k int) float64 { return []float64{1 << 20, 1 << 23, 1 << 30}[i] })...)
	add(s, secToLoss, values(func(i, k int) float64 {
		if i == 2 || k >= 6-2*i {
			return math.NaN()
		}
		return 100 * wobble(i, k, 1)
	})...)
	a := analyzed(t, s, Options{})
	require.Equal(t, "rank=8", a.Verdict.Smallest)
	type cost struct {
		arm, unit string
		call      Call
		exact     bool
	}
	var got []cost
	for _, c := range a.Verdict.Costs {
		assert.Equal(t, "rank=8", c.To)
		got = append(got, cost{c.Arm, c.Unit, c.Call, c.Exact})
	}
	assert.Equal(t, []cost{
		{"rank=64", samples, Lower, false}, {"rank=full", samples, Lower, false},
		{"rank=64", peakGPU, NoDifference, true}, {"rank=full", peakGPU, Higher, true},
		{"rank=64", adapterBytes, Higher, true}, {"rank=full", adapterBytes, Higher, true},
	}, got)
	text := fmt.Sprint(a.Verdict.Text)
	for _, want := range []string{
		"rank=64 against rank=8: 5.", " fewer samples/sec (", "the same peak GPU memory and an adapter of 8 MiB on disk instead of 1 MiB, 8 times the size.",
		"Training every weight (rank=full) against rank=8: 50 % fewer samples/sec (", "300 % more peak GPU memory in every run and a model of 1 GiB on disk instead of 1 MiB, 1024 times the size.",
	} {
		assert.Contains(t, text, want)
	}
	assert.NotContains(t, text, "peak memory", "there is no peak-RSS-GB")
	for _, m := range a.Metrics {
		if m.Name == secToLoss {
			assert.Equal(t, CannotTell, m.Pairs[0].Call, "four fast runs are not the arm")
			assert.True(t, math.IsNaN(m.Pairs[0].P))
		}
	}
}

func TestAnalyzeRefuses(t *testing.T) {
	for _, s := range []*results.Set{nil, {}} {
		_, err := Analyze(s, Options{})
		assert.ErrorContains(t, err, "no runs to compare")
	}
}
