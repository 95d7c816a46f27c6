package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// drifting is samples/sec of ranks that ran one after the other while the machine's speed walked at random by so much a run: in
// blocks whose order is rotated, or all seeds of one rank before the next rank's.
func drifting(r *rand.Rand, seeds int, noise, drift float64, rotated bool, diff ...float64) [][]float64 {
	out := make([][]float64, len(diff))
	for i := range out {
		out[i] = make([]float64, seeds)
	}
	walk := 0.0
	for run := range seeds * len(diff) {
		arm, block := run/seeds, run%seeds
		if rotated {
			block = run / len(diff)
			arm = (run + block) % len(diff)
		}
		walk += drift * r.NormFloat64()
		out[arm][block] = 40 * math.Exp(math.Log1p(diff[arm])+noise*r.NormFloat64()+walk)
	}
	return out
}

// called is how often ranks with these differences of speed are called different: arm, or any where arm is "".
func called(t *testing.T, draws, seeds int, drift float64, rotated bool, arm string, diff ...float64) float64 {
	r := rand.New(rand.NewPCG(19, uint64(seeds)))
	n := 0
	for range draws {
		s := ranks(len(diff))
		add(s, samples, drifting(r, seeds, 0.01, drift, rotated, diff...)...)
		if slices.ContainsFunc(analyzed(t, s, Options{}).Metrics[0].Pairs, func(p Pair) bool {
			return (arm == "" || p.Arm == arm) && (p.Call == Higher || p.Call == Lower)
		}) {
			n++
		}
	}
	return float64(n) / float64(draws)
}

// TestSimulate prints what docs/soundness.md shows: how often nothing is called something, and something found, with a machine
// that drifts; and how often the verdict is right.
func TestSimulate(t *testing.T) {
	const draws = 2000
	t.Log("speed, 3 ranks, 1 % noise, nothing different: families called different")
	t.Logf("%-28s%10s%10s", "drift a run", "rotated", "by rank")
	for _, drift := range []float64{0, 0.005, 0.01} {
		rotated, byRank := called(t, draws, 6, drift, true, "", 0, 0, 0), called(t, draws, 6, drift, false, "", 0, 0, 0)
		t.Logf("%-28s%8.1f %%%8.1f %%", fmt.Sprintf("%.1f %%, 6 seeds", 100*drift), 100*rotated, 100*byRank)
		assert.LessOrEqual(t, rotated, 0.05)
	}
	t.Log("a true 2 %, 10 seeds, 1 % noise, drift 0.5 %, rotated: found")
	for _, c := range []struct {
		diff []float64
		why  string
	}{
		{[]float64{0, -0.02}, "2 ranks"},
		{[]float64{0, -0.02, -0.02}, "3 ranks, the third like it"},
		{[]float64{0, -0.02, -0.04}, "3 ranks, the third at 4 %"},
		{[]float64{0, -0.02, 0}, "3 ranks, the third at 0"},
	} {
		found := called(t, draws, 10, 0.005, true, "rank=32", c.diff...)
		t.Logf("%-28s%8.1f %%", c.why, 100*found)
		assert.GreaterOrEqual(t, found, 0.9, c.why)
	}
	t.Log("held-out loss, 1.80 before, rank=8 above the others by so many margins of 5 % of the gain")
	t.Logf("%-28s%10s%10s%14s", "", "right", "wrong", "cannot tell")
	for _, noise := range []float64{0.002, 0.005} {
		for _, margins := range []float64{2, 1, 0.5, 0} {
			for _, seeds := range []int{3, 6, 10} {
				right, wrong := verdicts(t, 500, seeds, noise, margins)
				t.Logf("%-28s%8.1f %%%8.1f %%%12.1f %%", fmt.Sprintf("%v, noise %.1f %%, %d seeds", margins, 100*noise, seeds), 100*right, 100*wrong, 100*(1-right-wrong))
				assert.LessOrEqual(t, wrong, 0.05)
			}
		}
	}
}

// verdicts is how often the verdict is right or wrong where rank=8 is worse than rank=32 and rank=64, which are equal, by so many margins.
// At most one margin is as good. A verdict is wrong if it names a rank that is not enough, or says that a smaller one is worse that is not.
func verdicts(t *testing.T, draws, seeds int, noise, margins float64) (right, wrong float64) {
	r := rand.New(rand.NewPCG(7, uint64(1000*margins)))
	const base, best = 1.8, 1.37
	truly := "rank=8"
	if margins > 1 {
		truly = "rank=32"
	}
	for range draws {
		s := ranks(3)
		above := margins * 0.05 * (base - best) / best
		add(s, evalLoss, truth{noise: []float64{noise, noise, noise}, seed: noise, diff: []float64{above, 0, 0}}.draw(r, seeds, best)...)
		before(s, base)
		v := analyzed(t, s, Options{}).Verdict
		bad := slices.ContainsFunc(v.Standing, func(st Pair) bool {
			worse := margins > 1 && st.Arm == "rank=8"
			return st.Call == Worse && !worse || st.Call == AsGood && worse
		})
		switch {
		case bad || v.Smallest != "" && v.Sure && v.Smallest != truly || v.Smallest == "rank=8" && truly != "rank=8":
			wrong++
		case v.Smallest == truly && v.Sure:
			right++
		}
	}
	return right / float64(draws), wrong / float64(draws)
}
