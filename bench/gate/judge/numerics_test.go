package judge

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

// training is a simulated side: ten seeds of three ranks, forty steps each, on a CPU, whose losses a seed decides. A mask that
// the gradient is wrong in changes every loss from the third step on by a hundred-millionth, up or down.
type training struct {
	noise *rand.Rand // of speed and memory
	mask  float64    // the change of losses; 0 is the right gradient
}

func (tr training) folder(t *testing.T) string {
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString(lorabench)
	for seed := int64(42); seed < 52; seed++ {
		fmt.Fprintf(&b, "seed: %d\n", seed)
		for _, rank := range []string{"8", "128", "256"} {
			losses := rand.New(rand.NewPCG(uint64(seed), uint64(len(rank))))
			r := &record.Record{Schema: record.Schema, Name: "rank=" + rank, Rank: rank, Seed: seed, GlobalStep: 40, Runtime: 1, Trainable: 8, AdapterBytes: 32}
			for step := range 40 {
				loss := 1.8 - 0.003*float64(step) + 0.1*losses.Float64()
				if step >= 2 {
					loss *= 1 + tr.mask
				}
				r.Steps = append(r.Steps, record.Step{Step: step + 1, Loss: loss})
				r.TrainLoss += loss / 40
			}
			require.NoError(t, r.Save(dir))
			noisy := func(centre float64) float64 { return centre * (1 + 0.01*tr.noise.NormFloat64()) }
			fmt.Fprintf(&b, "BenchmarkRank/rank=%s-2 40 %v train-loss %v samples/sec %v peak-RSS-GB\n", rank, r.TrainLoss, noisy(300), noisy(0.2))
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bench.txt"), []byte(b.String()), 0o644))
	return dir
}

// TestWrongGradientsAreFound is that a gradient wrong in one mask is found every time, whichever sign its digits take, ten
// times each way, and that unchanged code passes ten times.
func TestWrongGradientsAreFound(t *testing.T) {
	noise := rand.New(rand.NewPCG(7, 11))
	base := training{noise, 0}.folder(t)
	for _, c := range []struct {
		mask float64
		want Status
	}{{1e-8, Worse}, {-1e-8, Worse}, {0, Pass}} {
		for i := range 10 {
			v := compared(t, base, training{noise, c.mask}.folder(t))
			require.Equal(t, c.want, v.Status, "%g, %d of 10: %s", c.mask, i+1, v.Text)
			if c.want == Pass {
				assert.Regexp(t, `It would have found a slowdown of 3\.\d+ %, memory growth of 3\.\d+ % and a loss change of a digit`, v.Text)
				continue
			}
			r := of(t, v, "train-loss")
			assert.Equal(t, CallNumerics, r.Call)
			require.Len(t, r.Causes, 1)
			assert.Regexp(t, `^Rank/rank=8 parts from the baseline at step 3, seed 42: loss \d\.\d+ instead of `, r.Causes[0])
			assert.Contains(t, v.Text, "Numerics changed: train-loss of Rank/rank=8 9.5e-7 % "+map[bool]string{true: "higher", false: "lower"}[c.mask > 0])
		}
	}
}

// TestAcceptedLossesAreTested is that accepting other digits lets rounding pass, and no loss that got worse.
func TestAcceptedLossesAreTested(t *testing.T) {
	noise := rand.New(rand.NewPCG(8, 11))
	base := training{noise, 0}.folder(t)
	for _, c := range []struct {
		why  string
		mask float64
		want Status
		note string
	}{
		{"other digits", -1e-8, Pass, "Losses of the same seed have other digits, which commit 0ff21c3 accepts: they are tested."},
		{"a loss that is 2 % higher", 0.02, Worse, "accepts"},
		{"nothing to accept", 0, Pass, ""},
	} {
		old, new := ReadBoth(base, training{noise, c.mask}.folder(t))
		v := Judge(old, new, Options{Accept: "commit 0ff21c3"})
		assert.Equal(t, c.want, v.Status, "%s: %s", c.why, v.Text)
		assert.Equal(t, c.mask == 0, of(t, v, "train-loss").Exact, c.why)
		assert.Contains(t, strings.Join(v.Notes, "\n"), c.note, c.why)
		assert.Equal(t, c.mask == 0, len(v.Notes) == 0, c.why)
	}
}

// TestWhereLossesPart is what is said where records cannot tell the step.
func TestWhereLossesPart(t *testing.T) {
	const form = "BenchmarkRank/rank=8 1 %v eval-loss"
	old, changed := lorabench+lines(form, 1.5), lorabench+lines(form, 1.25)
	v := judged(t, old, changed, "", Options{})
	assert.Contains(t, strings.Join(causes(v), "\n"), "At which step the losses of Rank/rank=8 part cannot be told: both sides need run records")
	v = compared(t, folder(t, old, "", map[string]int64{}, 8), folder(t, changed, "", map[string]int64{}, 8))
	assert.Contains(t, strings.Join(causes(v), "\n"), "The training losses of Rank/rank=8 are the same in every step")
}
