package lora_test

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/smollm2"
	"lorabench/internal/torch"
	"lorabench/internal/train"
	"lorabench/lora"
)

// entry is a value by its index.
type entry [2]float64

// realFigures is testdata/parity/smollm2.json, as smollm2.py describes it.
type realFigures struct {
	R      int       `json:"r"`
	Alpha  float64   `json:"alpha"`
	Std    float64   `json:"std"`
	IDs    [][]int32 `json:"ids"`
	Prompt []int     `json:"prompt"`
	Steps  table     `json:"steps"`
	Passes []struct {
		Loss     float64 `json:"loss"`
		LossBase float64 `json:"loss_base"`
		Logits   []struct {
			At      [2]int  `json:"at"`
			Largest []entry `json:"largest"`
		} `json:"logits"`
		GradNorm map[string]float64 `json:"grad_norm"`
		Grad     map[string][]entry `json:"grad"`
	} `json:"batches"`
}

// TestSmolLM2AgreesWithTrainer: logits, loss, gradients and ten steps of an adapter on real pre-trained weights.
func TestSmolLM2AgreesWithTrainer(t *testing.T) {
	dir, err := smollm2.Folder()
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	devices.Each(t, func(t *testing.T, on torch.Device) { testSmolLM2(t, on, dir) })
}

func testSmolLM2(t *testing.T, on torch.Device, dir string) {
	var fx realFigures
	readJSON(t, "../testdata/parity/smollm2.json", &fx)
	m := loadOn(t, on, dir)
	samples := asSamples(fx.IDs)
	for i := 4; i < 8; i++ { // their answers alone are labels
		samples[i].Labels = slices.Concat(slices.Repeat([]int32{-100}, fx.Prompt[i]), fx.IDs[i][fx.Prompt[i]:])
	}
	micros := []data.MicroBatch{data.Pack(samples, indexes(0, 4, 8)), data.Pack(samples, indexes(4, 4, 8))}
	for k, want := range fx.Passes {
		base, err := train.Evaluate(m, samples[4*k:4*k+4], 4)
		require.NoError(t, err)
		t.Logf("batch %d, without adapter, relative: loss %.1e", k, base/want.LossBase-1)
		require.InEpsilon(t, want.LossBase, base, pass(on, lossWithin))
	}
	a, err := lora.NewAdapter(m, lora.Config{R: fx.R, LoraAlpha: fx.Alpha, TargetModules: []string{"q_proj", "v_proj"}}, 1)
	require.NoError(t, err)
	defer a.Close()
	require.NoError(t, torch.Run(func(s *torch.Scope) error {
		for i, name := range a.Names {
			x := a.Tensors[i]
			torch.Copy(x, s.FromFloats(decoder.HashValues(name, int(x.Numel()), 1, fx.Std), x.Shape()...))
		}
		return nil
	}))
	require.NoError(t, a.Remember())
	for k, want := range fx.Passes {
		b := &micros[k]
		require.NoError(t, a.Restore())
		loss := mean(t, m, b)
		norms, entries := 0.0, 0.0
		require.ElementsMatch(t, a.Names, slices.Collect(maps.Keys(want.GradNorm)))
		for i, name := range a.Names {
			g := read(t, a.Gradient(i))
			sum := 0.0
			for _, x := range g {
				sum += float64(x) * float64(x)
			}
			norms = max(norms, math.Abs(math.Sqrt(sum)/want.GradNorm[name]-1))
			for _, e := range want.Grad[name] {
				entries = max(entries, math.Abs(float64(g[int(e[0])])/e[1]-1))
			}
		}
		ids, values := 0.0, 0.0
		all, v := logits(t, m, b), int(m.VocabSize)
		for _, l := range want.Logits {
			row := all[(int(b.CuSeqlens[l.At[0]])+l.At[1])*v:][:v]
			sorted := slices.Sorted(slices.Values(row))
			for i, e := range l.Largest {
				ids = max(ids, math.Abs(float64(row[int(e[0])])/e[1]-1))
				values = max(values, math.Abs(float64(sorted[v-1-i])/e[1]-1))
			}
		}
		t.Logf("batch %d, relative: loss %.1e, logits %.1e, norms of gradients %.1e, their entries %.1e", k,
			loss/want.Loss-1, max(ids, values), norms, entries)
		require.InEpsilon(t, want.Loss, loss, pass(on, lossWithin))
		require.Less(t, ids, pass(on, 2e-4), "the largest logits")
		require.Less(t, values, pass(on, 2e-4), "other logits are larger")
		require.Less(t, norms, pass(on, 1e-4))
		require.Less(t, entries, pass(on, 1e-4))
	}
	require.NoError(t, a.Restore())
	stepsWithin(t, m, a.Params, fx.IDs, fx.Steps, several(on, 1e-4), several(on, 1e-4))
}
