package lora_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/torch"
	"lorabench/internal/torch/torchtest"
	"lorabench/internal/train"
	"lorabench/lora"
)

// started returns a training with dropout that no step was taken of, and its adapter.
func started(t *testing.T, on torch.Device, graphs bool) (*train.Trainer, *lora.Adapter) {
	m := loadOn(t, on, post)
	m.ModelDropout = 0.1
	c := qv
	c.LoraDropout = 0.1
	a, err := lora.NewAdapter(m, c, 3)
	require.NoError(t, err)
	t.Cleanup(a.Close)
	o := train.DefaultOptions(train.Schedule{LR: 1e-2, Steps: 8})
	o.RowTokens, o.Graphs = 40, graphs
	tr, err := train.NewTrainer(m, a.Params, o)
	require.NoError(t, err)
	t.Cleanup(tr.Close)
	require.NoError(t, torch.Seed(3))
	return tr, a
}

func take(t *testing.T, tr *train.Trainer, n int) {
	for range n {
		require.NoError(t, tr.Step(steps4(t)))
	}
}

// TestATrainingGoesOnWhereItWasSaved takes 3 steps, saves, and takes the other 5 with another trainer, which has trained something else.
func TestATrainingGoesOnWhereItWasSaved(t *testing.T) {
	devices.Each(t, func(t *testing.T, on torch.Device) {
		for _, graphs := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "rank=2,seed=3.safetensors")
			whole, a := started(t, on, graphs)
			take(t, whole, 3)
			require.NoError(t, whole.Save(path, map[string]int{"tokens": 7}))
			take(t, whole, 5)

			again, b := started(t, on, graphs)
			take(t, again, 2)
			var more map[string]int
			require.NoError(t, again.Load(path, &more))
			require.Equal(t, map[string]int{"tokens": 7}, more)
			require.Equal(t, 3, again.Taken())
			take(t, again, 5)
			require.Equal(t, whole.Processed(), again.Processed())
			want, err := whole.Log()
			require.NoError(t, err)
			got, err := again.Log()
			require.NoError(t, err)
			for i := range want {
				torchtest.Same(t, on, []float64{want[i].Loss, want[i].GradNorm, want[i].LearningRate},
					[]float64{got[i].Loss, got[i].GradNorm, got[i].LearningRate}, "a step's loss, norm and rate")
			}
			for i := range a.Tensors {
				torchtest.Same(t, on, read(t, a.Tensors[i]), read(t, b.Tensors[i]), a.Names[i])
			}
		}
	})
}

// TestADamagedStateIsRefused flips a bit, or cuts the end off, at 1,000 places each.
func TestADamagedStateIsRefused(t *testing.T) {
	tr, _ := started(t, torch.CPU, false)
	take(t, tr, 2)
	path := filepath.Join(t.TempDir(), "state.safetensors")
	require.NoError(t, tr.Save(path, nil))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	var more any
	for range 1000 {
		flipped := append([]byte(nil), whole...)
		at, bit := rng.IntN(len(whole)), rng.IntN(8)
		flipped[at] ^= 1 << bit
		require.NoError(t, os.WriteFile(path, flipped, 0o600))
		require.Error(t, tr.Load(path, &more), "byte %d, bit %d", at, bit)
		n := rng.IntN(len(whole))
		require.NoError(t, os.WriteFile(path, whole[:n], 0o600))
		require.Error(t, tr.Load(path, &more), "%d of %d bytes", n, len(whole))
	}
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	require.NoError(t, tr.Load(path, &more))
}

func TestAStateOfAnotherTrainingIsRefused(t *testing.T) {
	tr, _ := started(t, torch.CPU, false)
	take(t, tr, 2)
	path := filepath.Join(t.TempDir(), "state.safetensors")
	require.NoError(t, tr.Save(path, nil))
	m := loadOn(t, torch.CPU, post)
	for _, c := range []struct {
		why      string
		r, steps int
		text     string
	}{
		{"more parameters", 3, 8, "exp_avg is F32 of shape"},
		{"a longer schedule", qv.R, 9, "log is F32 of shape [8 2], want F32 of [9 2]"},
		{"a schedule that has ended by then", qv.R, 1, "not the state of a training of 1 steps"},
	} {
		config := qv
		config.R = c.r
		a, err := lora.NewAdapter(m, config, 3)
		require.NoError(t, err)
		other, err := train.NewTrainer(m, a.Params, train.DefaultOptions(train.Schedule{LR: 1e-2, Steps: c.steps}))
		require.NoError(t, err)
		var more any
		require.ErrorContains(t, other.Load(path, &more), c.text, c.why)
		other.Close()
		a.Close()
	}
}
