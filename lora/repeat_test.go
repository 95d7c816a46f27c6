package lora_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/torch"
	"lorabench/internal/torch/torchtest"
	"lorabench/internal/train"
	"lorabench/lora"
)

// TestSameSeedSameLosses trains twice from the same seed, with dropout and rows of several micro-batches: the same
// losses, norms and adapter, with and without graphs.
func TestSameSeedSameLosses(t *testing.T) { devices.Each(t, testSameSeedSameLosses) }

func testSameSeedSameLosses(t *testing.T, on torch.Device) {
	base := loadOn(t, on, post)
	base.ModelDropout = 0.1
	c := qv
	c.LoraDropout = 0.1
	for _, graphs := range []bool{false, true} {
		run := func() (losses, norms []float64, values []float32) {
			m := base.Share()
			a, err := lora.NewAdapter(m, c, 3)
			require.NoError(t, err)
			defer a.Close()
			o := train.DefaultOptions(train.Schedule{LR: 1e-2, Steps: 8})
			o.RowTokens, o.Graphs = 40, graphs
			tr, err := train.NewTrainer(m, a.Params, o)
			require.NoError(t, err)
			defer tr.Close()
			require.NoError(t, torch.Seed(3))
			for range o.Steps {
				require.NoError(t, tr.Step(steps4(t)))
			}
			log, err := tr.Log()
			require.NoError(t, err)
			for _, s := range log {
				losses, norms = append(losses, s.Loss), append(norms, s.GradNorm)
			}
			for _, x := range a.Tensors {
				values = append(values, read(t, x)...)
			}
			return losses, norms, values
		}
		losses, norms, values := run()
		again, normsAgain, valuesAgain := run()
		torchtest.Same(t, on, losses, again, "losses of 8 steps")
		torchtest.Same(t, on, norms, normsAgain, "gradient norms of 8 steps")
		torchtest.Same(t, on, values, valuesAgain, "the adapter after 8 steps")
	}
}
