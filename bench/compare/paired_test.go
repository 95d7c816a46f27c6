package compare

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	moremath "github.com/aclements/go-moremath/stats"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/results"
	"lorabench/bench/stats"
)

// one is a metric's comparison with the first arm, of arms with seeds 1, 2, ...
func one(t *testing.T, o Options, unit string, values ...[]float64) Metric {
	t.Helper()
	s := ranks(len(values))
	add(s, unit, values...)
	a, err := Analyze(s, o)
	require.NoError(t, err)
	require.Len(t, a.Metrics, 1)
	return a.Metrics[0]
}

// With two arms everything is the paired t test of the logarithms; moremath has one of its own.
func TestTwoArmsAreThePairedTTest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		n := 2 + r.IntN(9)
		x := truth{noise: []float64{0.02, 0.01}, seed: 0.05, diff: []float64{0, 0.01}}.draw(r, n, 40)
		logs := [2][]float64{}
		for i := range x {
			for _, v := range x[i] {
				logs[i] = append(logs[i], math.Log(v))
			}
		}
		want, err := moremath.PairedTTest(logs[1], logs[0], 0, moremath.LocationDiffers)
		require.NoError(t, err)
		p := one(t, Options{}, samples, x...).Pairs[0]
		assert.InDelta(t, want.P, p.P, 1e-9)
		assert.Equal(t, p.P, p.Corrected, "one comparison needs no correction")
		assert.Equal(t, n, p.N)
		assert.Less(t, p.Low, p.Diff)
		assert.Less(t, p.Diff, p.High)
		if n >= few {
			assert.Equal(t, p.P <= 0.05, p.Call != NoDifference)
		}
		assert.Equal(t, p.P <= 0.05, p.Low > 0 || p.High < 0, "interval and test say the same")
	}
}

// Units and the direction of the comparison do not matter.
func TestInvariance(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	x := truth{noise: []float64{0.01, 0.01, 0.02}, seed: 0.02, diff: []float64{0, 0.03, 0.01}}.draw(r, 7, 40)
	scaled := make([][]float64, 3)
	inverse := make([][]float64, 3)
	for i := range x {
		for _, v := range x[i] {
			scaled[i] = append(scaled[i], 1e9*v)
			inverse[i] = append(inverse[i], 1/v)
		}
	}
	a, b, c := one(t, Options{}, "a", x...), one(t, Options{}, "a", scaled...), one(t, Options{}, "a", inverse...)
	for i := range a.Pairs {
		assert.InDelta(t, a.Pairs[i].Diff, b.Pairs[i].Diff, 1e-9)
		assert.InDelta(t, a.Pairs[i].Corrected, b.Pairs[i].Corrected, 1e-9)
		assert.InDelta(t, a.Pairs[i].Corrected, c.Pairs[i].Corrected, 1e-9)
		assert.InDelta(t, 1+a.Pairs[i].Diff, 1/(1+c.Pairs[i].Diff), 1e-9)
	}
	turned := one(t, Options{}, "a", x[1], x[0])
	straight := one(t, Options{}, "a", x[0], x[1])
	assert.InDelta(t, 1+straight.Pairs[0].Diff, 1/(1+turned.Pairs[0].Diff), 1e-9)
	assert.InDelta(t, straight.Pairs[0].P, turned.Pairs[0].P, 1e-12)
}

func TestCalls(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		unit  string
		x, y  []float64
		call  Call
		exact bool
		diff  float64
		why   string
	}{
		{"u", []float64{100}, []float64{105}, CannotTell, false, 0.05, "single runs prove nothing"},
		{"u", []float64{100}, []float64{100}, CannotTell, false, 0, "equal single runs neither"},
		{"u", []float64{100, 101, 99, 100}, []float64{110, 111, 109, 110}, Higher, false, 0.1, "ten times the noise"},
		{"u", []float64{110, 111, 109, 110}, []float64{100, 101, 99, 100}, Lower, false, -0.0909, "and the other way"},
		{"u", []float64{100, 103, 98, 101}, []float64{101, 99, 102, 100}, NoDifference, false, 0.0001, "within the noise"},
		{"u", []float64{100, 103, 98}, []float64{101, 99, 102}, CannotTell, false, 0.003, "three seeds are few"},
		{"u", []float64{100, 100.1, 99.9}, []float64{150, 150, 150.1}, Higher, false, 0.5, "but enough for a large difference"},
		{"u", []float64{7, 7, 7, 7}, []float64{8, 8, 8, 8}, Higher, true, 1.0 / 7, "no spread at all: exact, without dividing by 0"},
		{"u", []float64{7, 7, 7, 7}, []float64{7, 7, 7, 7}, NoDifference, true, 0, "exactly equal"},
		{"u", []float64{1, 2, 3, 4}, []float64{1, 2, 3, 4}, NoDifference, true, 0, "the same seed by seed, as on a CPU"},
		{"u", []float64{1, 2, 3, 4}, []float64{2, 4, 6, 8}, Higher, true, 1, "twice, seed by seed"},
		{"u", []float64{7, 7, 7}, []float64{8, 8, 8}, CannotTell, false, 1.0 / 7, "three runs may agree by rounding"},
		{"u", []float64{0, 0, 0, 0}, []float64{0, 0, 0, 0}, NoDifference, true, 0, "zeros have no logarithm"},
		{"u", []float64{0, 0, 0, 0}, []float64{1, 1, 1, 1}, Higher, true, nan, "nothing is a fraction of 0"},
		{"u", []float64{-1, -1.1, -0.9, -1}, []float64{-2, -2.1, -2, -2}, Lower, false, -1.025, "negative values: a fraction of their size"},
		{"u", []float64{1, 0.5, 0, 1, 0.2}, []float64{0, 1, 0.4, 0.1, 0.9}, NoDifference, false, -0.1111, "a zero among them"},
		{adapterBytes, []float64{3e6}, []float64{48e6}, Higher, true, 15, "a file's size needs no second run"},
		{adapterBytes, []float64{3e6, 3e6}, []float64{3e6, 3e6}, NoDifference, true, 0, "the same size"},
		{adapterBytes, []float64{3e6, 3.5e6}, []float64{4e6, 4e6}, CannotTell, false, 0.234, "a size that varies is not exact"},
	} {
		t.Run(c.why, func(t *testing.T) {
			m := one(t, Options{}, c.unit, c.x, c.y)
			p := m.Pairs[0]
			assert.Equal(t, c.call, p.Call)
			assert.Equal(t, c.exact, p.Exact)
			if math.IsNaN(c.diff) {
				assert.True(t, math.IsNaN(p.Diff))
			} else {
				assert.InDelta(t, c.diff, p.Diff, 1e-3)
			}
			if c.exact || p.N < 2 {
				assert.True(t, math.IsNaN(p.P), "no test, no p")
				assert.True(t, math.IsNaN(p.Detectable))
			}
			for _, v := range []float64{p.Diff, p.Low, p.High, p.P, p.Corrected, p.Detectable} {
				assert.False(t, math.IsInf(v, 0))
			}
		})
	}
}

// Runs that lack a partner are not compared, and what is missing is said.
func TestOnlySharedSeedsAreCompared(t *testing.T) {
	a := analyzed(t, results.Read(files(t, "seed: 1\nBenchmarkRank/rank=8 1 100 u\nBenchmarkRank/rank=32 1 1 v\n"+
		"seed: 2\nBenchmarkRank/rank=8 1 200 u\nBenchmarkRank/rank=32 1 221 u\nseed: 3\nBenchmarkRank/rank=8 1 300 u\nBenchmarkRank/rank=32 1 329 u\n"+
		"seed: 4\nBenchmarkRank/rank=32 1 441 u\nBenchmarkRank/rank=8 1 400 u\nseed: 5\nBenchmarkRank/rank=8 1 500 u\nBenchmarkRank/rank=32 1 551 u\n"+
		"seed: 7\nBenchmarkRank/rank=64 1 1 u\nseed: 8\nBenchmarkRank/rank=64 1 2 u\n")...), Options{})
	m := a.Metrics[0]
	assert.Equal(t, 4, m.Pairs[0].N)
	assert.Equal(t, Higher, m.Pairs[0].Call, "paired by seed, 10 %% more stands out of fivefold differences between seeds")
	assert.InDelta(t, 0.1, m.Pairs[0].Diff, 0.005)
	assert.Equal(t, 0, m.Pairs[1].N)
	assert.Equal(t, CannotTell, m.Pairs[1].Call)
	assert.True(t, math.IsNaN(m.Pairs[1].Diff))
	assert.Equal(t, 1, m.Arms[1].Missing)
	assert.Contains(t, m.Notes, "rank=32 lacks it in 1 of 5 runs.")
	const shared = "Not every arm has it for every seed: only the seeds that both arms have are compared."
	assert.Contains(t, m.Notes, shared)
	assert.NotContains(t, one(t, Options{}, "u", []float64{1, 2}, []float64{3, 4}).Notes, shared)
	text := written(t, a)
	assert.NotContains(t, string(text), "NaN")
	assert.NotContains(t, string(text), "Inf")
}

// A family of groups that are apart: each is all the same, and no pair within one may be called.
func TestAllPairsWithTwoTiedGroups(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	const draws = 2000
	wrong := 0
	for range draws {
		s := ranks(4)
		add(s, "u", truth{noise: []float64{0.01, 0.01, 0.01, 0.01}, diff: []float64{0, 0, 0.5, 0.5}}.draw(r, 6, 1)...)
		st, err := newStudy(s)
		require.NoError(t, err)
		tb := st.table("u")
		var ps []float64
		for i := range 4 {
			for j := i + 1; j < 4; j++ {
				ps = append(ps, tb.diff(i, j).Difference.P())
			}
		}
		out := stats.Holm(ps)
		if out[0] <= 0.05 || out[5] <= 0.05 {
			wrong++
		}
		assert.LessOrEqual(t, out[1], 0.05, "50 %% apart")
	}
	t.Logf("%.3f", float64(wrong)/draws)
	assert.LessOrEqual(t, float64(wrong)/draws, 0.05)
}

// The comparisons of one metric are a family, corrected by Holm, however many they are.
func TestManyArms(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var noise []float64
	for range 14 {
		noise = append(noise, 0.01)
	}
	x := truth{noise: noise}.draw(r, 5, 1)
	s := newSet()
	for i := range x {
		s.Benchmarks = append(s.Benchmarks, newSet("rank="+strconv.Itoa(i+1)).Benchmarks...)
	}
	add(s, "u", x...)
	pairs := analyzed(t, s, Options{}).Metrics[0].Pairs
	var ps []float64
	for _, p := range pairs {
		ps = append(ps, p.P)
		assert.Equal(t, p.Corrected <= 0.05, p.Low >= 0 || p.High <= 0, "interval and corrected p say the same")
	}
	for i, want := range stats.Holm(ps) {
		assert.Equal(t, want, pairs[i].Corrected)
	}
}
