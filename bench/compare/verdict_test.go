package compare

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/bench/results"
)

// wobble is a noise of some 0.1 % times size that is the same in every run of the tests, and another in
// every arm.
func wobble(arm, seed int, size float64) float64 {
	return 1 + size*0.001*math.Sin(float64(7*arm+13*seed*(arm+1)))
}

// lossSet is a set of arms with held-out losses: per arm the mean loss and the noise in 0.1 %.
func lossSet(seeds int, names []string, losses, noise []float64) *Set {
	s := &Set{Units: []record.Unit{{Name: evalLoss, Better: "lower"}}}
	for i, name := range names {
		a := Arm{Name: name}
		for k := range seeds {
			v := losses[i] * (1 + 0.05*math.Sin(float64(k))) * wobble(i, k, noise[i])
			a.Runs = append(a.Runs, Run{Seed: int64(42 + k), Values: map[string]float64{evalLoss: v}})
		}
		s.Arms = append(s.Arms, a)
	}
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
		calls    []string
		first    string
		why      string
	}{
		{"one arm", 6, ranks[:1], []float64{3}, same, "rank=8", "", false, nil,
			"There is only rank=8: nothing to compare it with.", "a verdict is between arms"},
		{"tied", 6, ranks, []float64{3, 3, 3}, same, "", "rank=8", true, []string{AsGood, AsGood},
			"", "an honest tie: the smallest is enough"},
		{"smallest is enough", 6, ranks, []float64{3.006, 3.003, 3}, same, "rank=256", "rank=8", true, []string{AsGood, AsGood},
			"rank=8 is enough: its held-out loss is as good as the lowest (rank=256, ", "0.2 % is within 1 %"},
		{"smallest is best", 6, ranks, []float64{2.9, 3, 3}, same, "rank=8", "rank=8", true, []string{Worse, Worse},
			"rank=8 is enough: it has the lowest held-out loss, ", "larger ranks may overfit"},
		{"largest is needed", 6, ranks, []float64{3.2, 3.1, 3}, same, "rank=256", "rank=256", true, []string{Worse, Worse},
			"rank=256 is needed: it has the lowest held-out loss, ", "3 % each"},
		{"middle is enough", 6, ranks, []float64{3.1, 3.003, 3}, same, "rank=256", "rank=64", true, []string{Worse, AsGood},
			"rank=64 is the smallest rank that is enough: its held-out loss is as good as the lowest (rank=256, ", "the last step buys nothing"},
		{"real but small", 10, ranks, []float64{3.012, 3, 3}, []float64{0.5, 0.5, 0.5}, "", "rank=8", true, []string{AsGood, AsGood},
			"", "significant, and smaller than the margin: as good"},
		{"noise hides it", 3, ranks, []float64{3.02, 3.03, 3}, []float64{20, 20, 20}, "", "", false, []string{Undecided, Undecided},
			"3 seeds cannot tell which rank is enough: ", "2 % noise"},
		{"the smallest is noisy", 6, ranks, []float64{2.98, 3, 3}, []float64{30, 0.5, 0.5}, "", "rank=64", false, nil,
			"rank=64 is enough; whether rank=8 would be too, 6 seeds cannot tell. The lowest held-out loss is that of ", "sure of one, not of the smaller"},
		{"single runs", 1, ranks, []float64{3.1, 3.05, 3}, same, "rank=256", "", false, []string{Undecided, Undecided},
			"One run of each rank cannot tell which is enough: rank=256 has the lowest held-out loss, ", "no noise is known"},
		{"full is the largest", 6, []string{"rank=8", "rank=full"}, []float64{3.2, 3}, same, "rank=full", "rank=full", true, []string{Worse},
			"rank=full is needed: ", "full counts as a rank"},
		{"settings of one rank", 6, []string{"rank=8/lr=1e-4", "rank=8/lr=2e-4", "rank=64/lr=1e-4"}, []float64{3.01, 3, 3.001}, same, "", "rank=8/lr=2e-4", true, nil,
			"rank=8/lr=2e-4 is enough: ", "of one rank's settings the best, not the first"},
		{"settings", 6, []string{"rank=8/lr=1e-4", "rank=64/lr=1e-4", "rank=64/lr=2e-4"}, []float64{3.2, 3.1, 3}, same, "rank=64/lr=2e-4", "rank=64/lr=2e-4", true, []string{Worse, Worse},
			"rank=64/lr=2e-4 is needed: it has the lowest held-out loss, ", "every setting of a smaller rank is worse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := Analyze(lossSet(c.seeds, c.arms, c.losses, c.noise), Options{})
			require.NoError(t, err)
			v := a.Verdict
			assert.Equal(t, evalLoss, v.Unit)
			if c.best != "" {
				assert.Equal(t, c.best, v.Best, c.why)
			}
			assert.Equal(t, c.smallest, v.Smallest, c.why)
			assert.Equal(t, c.sure, v.Sure, c.why)
			require.NotEmpty(t, v.Text)
			assert.Contains(t, v.Text[0], c.first, c.why)
			assert.Len(t, v.Standing, len(c.arms)-1)
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

// A call is never made that the interval does not show.
func TestStandingsAgreeWithTheirIntervals(t *testing.T) {
	for seeds := 2; seeds < 12; seeds++ {
		for noise := 0.5; noise < 50; noise *= 2 {
			a, err := Analyze(lossSet(seeds, []string{"rank=8", "rank=64", "rank=256"}, []float64{3.05, 3.01, 3}, []float64{noise, noise, noise}), Options{})
			require.NoError(t, err)
			for _, st := range a.Verdict.Standing {
				switch st.Call {
				case AsGood:
					assert.Less(t, st.High, a.Margin)
				case Worse:
					assert.Positive(t, st.Low)
				default:
					assert.Positive(t, st.Seeds)
					assert.Greater(t, st.Seeds, seeds, "so many did not decide it")
				}
			}
		}
	}
}

func TestVerdictWithoutHeldOutLoss(t *testing.T) {
	s := lossSet(6, []string{"rank=8", "rank=64"}, []float64{3.1, 3}, []float64{1, 1})
	for i := range s.Arms {
		for _, r := range s.Arms[i].Runs {
			r.Values["train-loss"] = r.Values[evalLoss]
			delete(r.Values, evalLoss)
		}
	}
	s.Units = []record.Unit{{Name: "train-loss", Better: "lower"}, {Name: evalLoss, Better: "lower"}}
	a, err := Analyze(s, Options{})
	require.NoError(t, err)
	assert.Equal(t, "train-loss", a.Verdict.Unit)
	assert.Contains(t, a.Verdict.Text, "There is no held-out loss (eval-loss) to judge by: this rests on train-loss, the training loss, which says nothing about text that was not trained on.")

	s = newSet(2)
	s.add(samples, [][]float64{{1, 2}, {3, 4}})
	a, err = Analyze(s, Options{})
	require.NoError(t, err)
	assert.Equal(t, "Cannot tell which rank is enough: the runs have no loss (eval-loss, train-loss, loss).", a.Verdict.Text[0])
	assert.Len(t, a.Verdict.Costs, 1, "what a rank costs is known all the same")

	// An arm alone with a held-out loss: the loss that both have decides.
	s = lossSet(6, []string{"rank=8", "rank=64"}, []float64{3.1, 3}, []float64{1, 1})
	for i := range s.Arms {
		for _, r := range s.Arms[i].Runs {
			r.Values["loss"] = r.Values[evalLoss]
			if i == 1 {
				delete(r.Values, evalLoss)
			}
		}
	}
	s.Units = append(s.Units, record.Unit{Name: "loss", Better: "lower"})
	a, err = Analyze(s, Options{})
	require.NoError(t, err)
	assert.Equal(t, "loss", a.Verdict.Unit)
}

// What each larger rank costs, in numbers and in words; a figure that is not there makes no words.
func TestCosts(t *testing.T) {
	s := lossSet(6, []string{"rank=8", "rank=64", "rank=full"}, []float64{3, 3, 3}, []float64{1, 1, 1})
	s.Config = []Config{{"target-loss", "3.3"}}
	s.Exact = []string{adapterBytes}
	for _, u := range []string{samples, peakGPU, adapterBytes, secToLoss} {
		better := results.Better(u)
		s.Units = append(s.Units, record.Unit{Name: u, Better: better})
	}
	for i := range s.Arms {
		for k, r := range s.Arms[i].Runs {
			r.Values[samples] = []float64{40, 38, 20}[i] * wobble(i, k, 2)
			r.Values[peakGPU] = []float64{2, 2, 8}[i]
			r.Values[adapterBytes] = []float64{1 << 20, 1 << 23, 1 << 30}[i]
			if i < 2 && k < 6-2*i {
				r.Values[secToLoss] = 100 * wobble(i, k, 1)
			}
		}
	}
	a, err := Analyze(s, Options{})
	require.NoError(t, err)
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
		"A held-out loss of 3.3 was reached by rank=8 in 1", "(only 4 of 6 runs did) and rank=full never (none of 6 runs did) (median training time).",
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

func TestCarriedOverMemory(t *testing.T) {
	set := func(peaks, initials []float64) *Set {
		s := newSet(len(peaks))
		for i := range peaks {
			s.Arms[i].Runs = []Run{{Seed: 1, Values: map[string]float64{peakGPU: peaks[i], initialGPU: initials[i]}}}
		}
		s.Units = []record.Unit{{Name: peakGPU, Better: "lower"}, {Name: initialGPU}}
		return s
	}
	for _, c := range []struct {
		s       *Set
		carried bool
		why     string
	}{
		{set([]float64{8.8, 9.1, 9.3}, []float64{1.2, 8.8, 9.1}), true, "each begins where the one before ended"},
		{set([]float64{8.8, 9.1}, []float64{1.2, 1.2}), false, "the peak was reset"},
		{set([]float64{8.8}, []float64{1.2}), false, "one arm"},
		{&Set{Arms: set([]float64{9.1, 8.8}, []float64{8.8, 1.2}).Arms, Units: []record.Unit{{Name: peakGPU}}, Order: []string{"rank=32", "rank=8"}}, true, "the larger rank ran first"},
		{&Set{Arms: set([]float64{9.1, 8.8}, []float64{8.8, 1.2}).Arms, Units: []record.Unit{{Name: peakGPU}}, Order: []string{"rank=8", "rank=32"}}, false, "in this order it is chance"},
	} {
		a, err := Analyze(c.s, Options{})
		require.NoError(t, err)
		assert.Equal(t, c.carried, c.s.carried() != "", c.why)
		for _, p := range a.Metrics[0].Pairs {
			assert.Equal(t, c.carried, math.IsNaN(p.Diff), c.why)
			assert.Equal(t, CannotTell, p.Call, c.why)
		}
		for _, cost := range a.Verdict.Costs {
			assert.False(t, c.carried && cost.Unit == peakGPU, c.why)
		}
	}
}

func TestAnalyzeRefuses(t *testing.T) {
	run := func(seed int64, v float64) Run { return Run{Seed: seed, Values: map[string]float64{"u": v}} }
	units := []record.Unit{{Name: "u"}}
	for _, c := range []struct {
		s    *Set
		o    Options
		want string
	}{
		{nil, Options{}, "no runs to compare"},
		{&Set{}, Options{}, "no runs to compare"},
		{&Set{Arms: []Arm{{Name: "a"}}, Units: units}, Options{}, "a has no run"},
		{&Set{Arms: []Arm{{Name: "a", Runs: []Run{run(1, 1)}}, {Name: "a", Runs: []Run{run(1, 1)}}}, Units: units}, Options{}, "the arm a is there twice"},
		{&Set{Arms: []Arm{{Name: "a", Runs: []Run{run(1, 1), run(1, 2)}}}, Units: units}, Options{}, "a has two runs of seed 1"},
		{&Set{Arms: []Arm{{Name: "a", Runs: []Run{run(3, math.NaN())}}}, Units: units}, Options{}, "a, seed 3: u is NaN, want a finite number"},
		{&Set{Arms: []Arm{{Name: "a", Runs: []Run{run(1, 1)}}}}, Options{}, "no metric that is in Set.Units"},
		{&Set{Arms: []Arm{{Name: "a", Runs: []Run{run(1, 1)}}}, Units: append(units, units...)}, Options{}, "the unit u is there twice"},
		{&Set{Arms: []Arm{{Name: "a", Runs: []Run{run(1, 1)}}}, Units: units}, Options{Alpha: 1}, "Alpha is 1 and Margin 0.01"},
		{&Set{Arms: []Arm{{Name: "a", Runs: []Run{run(1, 1)}}}, Units: units}, Options{Margin: -1}, "Margin -1"},
	} {
		_, err := Analyze(c.s, c.o)
		assert.ErrorContains(t, err, c.want)
	}
}
