package lora_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/fixture"
	"lorabench/internal/torch"
	"lorabench/lora"
)

// TestFamiliesAdaptersAgreeWithTrainer: adapters on every linear layer and DoRA, of models other than OPT: logits, loss, gradients,
// 20 steps and what they end with.
func TestFamiliesAdaptersAgreeWithTrainer(t *testing.T) {
	devices.Each(t, testFamiliesAdaptersAgreeWithTrainer)
}

func testFamiliesAdaptersAgreeWithTrainer(t *testing.T, on torch.Device) {
	seen := 0
	for _, dir := range families(t) {
		for _, kind := range []string{"all", "dora"} {
			path := filepath.Join(dir, kind+".safetensors")
			if found, err := filepath.Glob(path); err != nil || found == nil {
				continue
			}
			seen++
			t.Run(filepath.Base(dir)+" "+kind, func(t *testing.T) {
				var fx figures
				readJSON(t, filepath.Join(dir, kind+".json"), &fx)
				rows, f := fixture.Open(t, filepath.Join(dir, "fixture.safetensors")), fixture.Open(t, path)
				m := loadOn(t, on, dir)
				a, err := lora.Load(m, filepath.Join(dir, kind))
				require.NoError(t, err)
				defer a.Close()
				b, real := fixture.Rows(t, rows, "")
				require.Less(t, fixture.Padded(logits(t, m, &b), fixture.Floats(t, f, "logits"), real), pass(on, logitsWithin))
				require.InDelta(t, fx.Loss, mean(t, m, &b), pass(on, lossWithin))
				for i, name := range a.Names {
					require.Less(t, fixture.Largest(t, read(t, a.Gradient(i)), fixture.Floats(t, f, "grad."+name)), pass(on, gradWithin), name)
				}
				require.NoError(t, a.Restore())
				steps(t, m, a.Params, readFixture(t, dir).IDs, fx.Steps)
				for i, name := range a.Names {
					require.Less(t, fixture.Largest(t, read(t, a.Tensors[i]), fixture.Floats(t, f, "final."+name)), several(on, adapterWithin), name)
				}
			})
		}
	}
	require.Greater(t, seen, 10)
}

// TestFamiliesAdaptersAreSavedAsPEFTNamesThem: what is saved loads again, with PEFT's names of these families' modules.
func TestFamiliesAdaptersAreSavedAsPEFTNamesThem(t *testing.T) {
	for _, dir := range families(t) {
		m := loadModel(t, dir)
		a, err := lora.Load(m, filepath.Join(dir, "adapter"))
		require.NoError(t, err)
		b, _ := fixture.Rows(t, fixture.Open(t, filepath.Join(dir, "fixture.safetensors")), "")
		want, saved := logits(t, m, &b), t.TempDir()
		_, err = a.Save(saved, dir)
		require.NoError(t, err)
		names := strings.Join(a.Names, " ")
		a.Close()
		a, err = lora.Load(m, saved)
		require.NoError(t, err)
		require.Equal(t, want, logits(t, m, &b), dir)
		require.Equal(t, names, strings.Join(a.Names, " "))
		require.Contains(t, names, "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight")
		a.Close()
	}
}
