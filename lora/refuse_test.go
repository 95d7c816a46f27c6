package lora_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/data"
	"lorabench/internal/checkpoint"
	"lorabench/internal/fixture"
	"lorabench/internal/torch"
	"lorabench/internal/train"
	"lorabench/lora"
)

func TestConfigsThatAreRefused(t *testing.T) {
	m := loadModel(t, post)
	for _, c := range []struct {
		why    string
		change func(c *lora.Config)
		text   string
	}{
		{"no rank", func(c *lora.Config) { c.R = 0 }, "r is 0, want at least 1"},
		{"no scale", func(c *lora.Config) { c.LoraAlpha = 0 }, "lora_alpha is 0"},
		{"everything dropped", func(c *lora.Config) { c.LoraDropout = 1 }, "lora_dropout is 1"},
		{"no target", func(c *lora.Config) { c.TargetModules = nil }, "target_modules is empty"},
		{"a target the model does not have", func(c *lora.Config) { c.TargetModules = []string{"q_proj", "c_attn"} },
			`"c_attn" names no linear layer of the model, which has fc1, fc2, k_proj, out_proj, project_in, project_out, q_proj, v_proj`},
		{"all-linear beside another", func(c *lora.Config) { c.TargetModules = []string{"q_proj", "all-linear"} }, `"all-linear" names no linear layer`},
		{"part of a name is no name", func(c *lora.Config) { c.TargetModules = []string{"proj"} }, `"proj" names no linear layer`},
	} {
		config := qv
		c.change(&config)
		_, err := lora.NewAdapter(m, config, 1)
		require.ErrorContains(t, err, c.text, c.why)
	}
}

func TestAdapterFilesThatAreRefused(t *testing.T) {
	m := loadModel(t, post)
	good, err := os.ReadFile(post + "/adapter/adapter_config.json")
	require.NoError(t, err)
	weights, err := os.ReadFile(post + "/adapter/adapter_model.safetensors")
	require.NoError(t, err)
	replace := func(old, by string) []byte {
		require.Contains(t, string(good), old)
		return []byte(strings.Replace(string(good), old, by, 1))
	}
	f := fixture.Open(t, post+"/adapter/adapter_model.safetensors")
	name := f.Names()[0]
	rewrite := func(change func(ts []checkpoint.Tensor) []checkpoint.Tensor) []byte {
		var ts []checkpoint.Tensor
		for _, n := range f.Names() {
			x, _, err := f.Tensor(n)
			require.NoError(t, err)
			ts = append(ts, x)
		}
		path := filepath.Join(t.TempDir(), "x.safetensors")
		require.NoError(t, checkpoint.Write(path, change(ts), nil))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		return b
	}
	for _, c := range []struct {
		why             string
		config, weights []byte
		text            string
	}{
		{"no JSON", []byte("{"), weights, "adapter_config.json: not an adapter config"},
		{"another method", replace(`"LORA"`, `"IA3"`), weights, `peft_type is "IA3"`},
		{"DoRA without magnitudes", replace(`"use_dora": false`, `"use_dora": true`), weights, "q_proj.lora_magnitude_vector is missing"},
		{"no switch", replace(`"use_dora": false`, `"use_dora": "no"`), weights, "not an adapter config"},
		{"another rank of a layer than the weights", replace(`"rank_pattern": {}`, `"rank_pattern": {"q_proj": 2}`), weights, "r 2 on this model wants [2 32]"},
		{"trained biases", replace(`"bias": "none"`, `"bias": "all"`), weights, `bias is "all"`},
		{"an expression of more modules than the weights", []byte(`{"r": 4, "lora_alpha": 8, "target_modules": ".*proj"}`), weights, "is missing from"},
		{"another rank than the weights", replace(`"r": 4`, `"r": 5`), weights, "has shape [4 32], r 5 on this model wants [5 32]"},
		{"a missing matrix", good, rewrite(func(ts []checkpoint.Tensor) []checkpoint.Tensor { return ts[1:] }), name + " is missing"},
		{"a matrix too many", good, rewrite(func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			extra := ts[0]
			extra.Name = "base_model.model.other"
			return append(ts, extra)
		}), "base_model.model.other is not part of the adapter"},
		{"two too many, of which the first in order is named", good, rewrite(func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			a, b := ts[0], ts[0]
			a.Name, b.Name = "base_model.model.b", "base_model.model.a"
			return append(ts, a, b)
		}), "base_model.model.a is not part of the adapter that adapter_config.json describes (2 such tensors)"},
		{"resized embeddings", good, rewrite(func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			extra := ts[0]
			extra.Name = "base_model.model.model.decoder.embed_tokens.weight"
			return append(ts, extra)
		}), "embed_tokens.weight: PEFT saved resized embeddings with the adapter, which is not supported"},
		{"a value that is no number", good, rewrite(func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			ts[0].Data = append(slices.Clone(ts[0].Data[:8]), append([]byte{0, 0, 0xc0, 0x7f}, ts[0].Data[12:]...)...)
			return ts
		}), `adapter_model.safetensors: tensor "` + name + `" of shape [4 32] has 1 elements that are NaN or infinite, the first, NaN, at 2`},
		{"a prefix", good, rewrite(func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			for i := range ts {
				ts[i].Name = "module." + ts[i].Name
			}
			return ts
		}), `take "module." off every name`},
		{"names without PEFT's prefix", good, rewrite(func(ts []checkpoint.Tensor) []checkpoint.Tensor {
			for i := range ts {
				ts[i].Name = strings.TrimPrefix(ts[i].Name, "base_model.model.")
			}
			return ts
		}), `put "base_model.model." before every name`},
		{"a cut file", good, weights[:len(weights)-5], "adapter_model.safetensors"},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "adapter_config.json"), c.config, 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "adapter_model.safetensors"), c.weights, 0o644))
			live := torch.Live()
			_, err := lora.Load(m, dir)
			require.ErrorContains(t, err, c.text)
			require.Equal(t, live, torch.Live(), "nothing is left behind")
			for _, g := range m.Groups() {
				require.Nil(t, g.Adapter)
			}
		})
	}
	doraConfig, err := os.ReadFile(post + "/dora/adapter_config.json")
	require.NoError(t, err)
	doraWeights, err := os.ReadFile(post + "/dora/adapter_model.safetensors")
	require.NoError(t, err)
	for _, c := range []struct {
		why, text string
		config    string
	}{
		{"magnitudes that use_dora does not announce", "lora_magnitude_vector is not part of the adapter", strings.Replace(string(doraConfig), `"use_dora": true`, `"use_dora": false`, 1)},
		{"a bias of B, which PEFT refuses with DoRA", "lora_bias is true", strings.Replace(string(doraConfig), `"lora_bias": false`, `"lora_bias": true`, 1)},
	} {
		require.NotEqual(t, string(doraConfig), c.config, c.why)
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "adapter_config.json"), []byte(c.config), 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "adapter_model.safetensors"), doraWeights, 0o644))
		_, err := lora.Load(m, dir)
		require.ErrorContains(t, err, c.text, c.why)
	}
	_, err = lora.Load(m, t.TempDir())
	require.ErrorContains(t, err, "adapter_config.json")
}

func TestTrainingsThatAreRefused(t *testing.T) {
	m := loadModel(t, post)
	a, err := lora.NewAdapter(m, qv, 1)
	require.NoError(t, err)
	defer a.Close()
	for _, c := range []struct {
		why  string
		s    train.Schedule
		text string
	}{
		{"no steps", train.Schedule{LR: 1}, "training for 0 steps"},
		{"warm-up longer than the training", train.Schedule{LR: 1, Steps: 2, Warmup: 3}, "warm-up of 3 steps, want 0 to 2"},
		{"a negative rate", train.Schedule{LR: -1, Steps: 2}, "learning rate -1"},
	} {
		_, err := train.NewTrainer(m, a.Params, train.DefaultOptions(c.s))
		require.ErrorContains(t, err, c.text, c.why)
	}
	tr, err := train.NewTrainer(m, a.Params, train.DefaultOptions(train.Schedule{LR: 1, Steps: 1}))
	require.NoError(t, err)
	defer tr.Close()
	require.ErrorContains(t, tr.Step(nil), "step 1 has no micro-batch")
	b := batch(t, 2)
	for i := range b.Targets {
		b.Targets[i] = -100
	}
	b.Labels, b.LabelIndex = 0, nil
	err = tr.Step([]data.MicroBatch{b})
	require.ErrorContains(t, err, "step 1: records [0 1]: a micro-batch without any label")
	tr.RowTokens = 1000
	err = tr.Step([]data.MicroBatch{batch(t, 2), b})
	require.ErrorContains(t, err, "step 1: records [0 1]: a micro-batch without any label", "joined with one that has labels")
	require.Equal(t, 0, tr.Taken())
}

func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		why  string
		s    train.Schedule
		step int
		want float64
	}{
		{"the first step has the full rate", train.Schedule{LR: 1, Steps: 4}, 0, 1},
		{"then a straight line", train.Schedule{LR: 1, Steps: 4}, 3, 0.25},
		{"to 0 after the last", train.Schedule{LR: 1, Steps: 4}, 4, 0},
		{"and 0 for good", train.Schedule{LR: 1, Steps: 4}, 9, 0},
		{"warm-up starts at 0", train.Schedule{LR: 1, Steps: 6, Warmup: 2}, 0, 0},
		{"rises", train.Schedule{LR: 1, Steps: 6, Warmup: 2}, 1, 0.5},
		{"and falls from the full rate", train.Schedule{LR: 1, Steps: 6, Warmup: 2}, 2, 1},
		{"along its own line", train.Schedule{LR: 1, Steps: 6, Warmup: 2}, 5, 0.25},
	} {
		require.InDelta(t, c.want, c.s.At(c.step), 1e-15, c.why)
	}
}
