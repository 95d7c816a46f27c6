package lora_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/data"
	"lorabench/internal/checkpoint"
	"lorabench/internal/fixture"
	"lorabench/internal/torch"
	"lorabench/internal/torch/torchtest"
	"lorabench/internal/train"
	"lorabench/lora"
	"lorabench/opt"
)

const adapters = "../testdata/parity/adapters/"

// peftCases is what PEFT does with each adapter of testdata/parity/adapters.
type peftCases struct {
	IDs   []int32 `json:"ids"`
	Cases map[string]struct {
		Model   string                `json:"model"`
		Fresh   bool                  `json:"fresh"`
		Error   float64               `json:"error"` // PEFT's, whose SVD is in float32
		Modules map[string][2]float64 `json:"modules"`
		Logits  []float32             `json:"logits"`
	} `json:"cases"`
}

func readPEFTCases(t *testing.T) (c peftCases, b data.MicroBatch) {
	readJSON(t, adapters+"cases.json", &c)
	return c, data.Pack(asSamples([][]int32{c.IDs}), []int{0})
}

// TestAdaptersAreReadAsPEFTReadsThem compares modules, ranks, scalings and logits with PEFT's, for every option that is
// honoured. An adapter that nobody trained, whose initialisation changed the base, must give the base's logits.
func TestAdaptersAreReadAsPEFTReadsThem(t *testing.T) {
	devices.Each(t, testAdaptersAreReadAsPEFTReadsThem)
}

func testAdaptersAreReadAsPEFTReadsThem(t *testing.T, on torch.Device) {
	cases, b := readPEFTCases(t)
	require.Len(t, cases.Cases, 32)
	for name, c := range cases.Cases {
		t.Run(name, func(t *testing.T) {
			m := loadOn(t, on, "../testdata/parity/"+c.Model)
			base, weights := logits(t, m, &b), m.Weights()
			a, err := lora.Load(m, adapters+name)
			require.NoError(t, err)
			require.Equal(t, c.Modules, a.Modules())
			require.Less(t, fixture.Largest(t, logits(t, m, &b), c.Logits), pass(on, logitsWithin+c.Error))
			if c.Fresh {
				require.Less(t, fixture.Largest(t, base, c.Logits), pass(on, logitsWithin), "PEFT itself is the base")
			} else {
				require.Greater(t, fixture.Largest(t, base, c.Logits), 0.01, "the adapter does something")
			}
			dir := filepath.Join(t.TempDir(), "saved")
			_, err = a.Save(dir, c.Model)
			require.NoError(t, err)
			a.Close()
			require.Equal(t, base, logits(t, m, &b), "the base is as it was")
			require.Equal(t, weights, m.Weights())
			again, err := lora.Load(m, dir)
			require.NoError(t, err)
			defer again.Close()
			require.Equal(t, c.Modules, again.Modules(), "what is saved means the same modules")
			require.Less(t, fixture.Largest(t, logits(t, m, &b), c.Logits), pass(on, logitsWithin+c.Error))
		})
	}
}

// TestAdapterBesideAModel loads an adapter from a folder that has a model's weights too, and the model from there.
func TestAdapterBesideAModel(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{post + "/config.json", post + "/model.safetensors", post + "/adapter/adapter_config.json", post + "/adapter/adapter_model.safetensors"} {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(file)), b, 0o644))
	}
	m := loadModel(t, dir)
	b := batch(t, 2)
	want := loadModel(t, post)
	alone, err := lora.Load(want, post+"/adapter")
	require.NoError(t, err)
	defer alone.Close()
	a, err := lora.Load(m, dir)
	require.NoError(t, err)
	defer a.Close()
	require.Equal(t, logits(t, want, &b), logits(t, m, &b))
}

// TestPiSSAFromRandomNumbersIsRefused: PEFT's own two loads of this adapter give logits that are far apart.
func TestPiSSAFromRandomNumbersIsRefused(t *testing.T) {
	_, err := lora.Load(loadModel(t, post), adapters+"niter")
	require.ErrorContains(t, err, `init_lora_weights is "pissa_niter_4"`)
	require.ErrorContains(t, err, "path_initial_model_for_weight_conversion")
	var c struct {
		Niter float64 `json:"niter"`
	}
	readJSON(t, adapters+"cases.json", &c)
	require.Greater(t, c.Niter, 1.0)
}

// TestOptionsThatAreRefused has a value for every field of PEFT 0.21's LoraConfig that is neither used nor harmless.
func TestOptionsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ field, value, text string }{
		{"fan_in_fan_out", `true`, "fan_in_fan_out is true"},
		{"modules_to_save", `["lm_head"]`, "modules_to_save is"},
		{"lora_bias", `true`, "lora_bias is true"},
		{"bias", `"lora_only"`, `bias is "lora_only"`},
		{"layer_replication", `[[0, 1], [0, 1]]`, "layer_replication is"},
		{"target_parameters", `["fc1.weight"]`, "target_parameters is"},
		{"trainable_token_indices", `[1]`, "trainable_token_indices is"},
		{"megatron_config", `{"a": 1}`, "megatron_config is"},
		{"velora_config", `{"num_groups": 64}`, "velora_config is"},
		{"kasa_config", `{"a": 1}`, "kasa_config is"},
		{"monteclora_config", `{"num_samples": 8}`, "monteclora_config is"},
		{"arrow_config", `{"top_k": 3}`, "arrow_config is"},
		{"use_bdlora", `{"nblocks": 2}`, "use_bdlora is"},
		{"use_qalora", `true`, "use_qalora is true"},
		{"alora_invocation_tokens", `[1]`, "alora_invocation_tokens is"},
		{"ensure_weight_tying", `true`, "ensure_weight_tying is true"},
		{"enable_lora", `[true, false]`, "enable_lora is"},
		{"a_field_of_tomorrow", `0`, "a_field_of_tomorrow is 0: that option is not supported"},
		{"R", `16`, "R is 16: that option is not supported"},
		{"Use_DoRA", `true`, "Use_DoRA is true"},
		{"init_lora_weights", `"corda"`, `init_lora_weights is "corda"`},
		{"init_lora_weights", `"loftq"`, `init_lora_weights is "loftq"`},
		{"init_lora_weights", `"lora_ga"`, `init_lora_weights is "lora_ga"`},
		{"init_lora_weights", `"mica"`, `init_lora_weights is "mica"`},
		{"init_lora_weights", `"PiSSA"`, `init_lora_weights is "PiSSA"`},
		{"init_lora_weights", `3`, "init_lora_weights is 3"},
		{"task_type", `"SEQ_CLS"`, `task_type is "SEQ_CLS"`},
		{"peft_type", `"ADALORA"`, `peft_type is "ADALORA"`},
		{"target_modules", `null`, "target_modules is missing or empty"},
		{"target_modules", `[]`, "target_modules is missing or empty"},
		{"target_modules", `7`, "target_modules is 7"},
		{"target_modules", `["q_proj", "lm_head"]`, "target_modules has lm_head: adapters on the head or the embeddings are not supported"},
		{"target_modules", `["embed_tokens", "q_proj"]`, "target_modules has embed_tokens"},
		{"target_modules", `".*(q_proj|embed_positions)"`, "target_modules has embed_positions"},
		{"target_modules", `".*(?=q_proj)q_proj"`, "which is not supported"},
		{"target_modules", `"(.*q_proj"`, "which is not supported"},
		{"target_modules", `"a)|(q_proj"`, "which is not supported"},
		{"exclude_modules", `"(?!x).*"`, "exclude_modules has the expression"},
		{"layers_pattern", `"layers"`, "layers_pattern is \"layers\" without layers_to_transform"},
		{"layers_to_transform", `"1"`, "layers_to_transform is"},
		{"rank_pattern", `{"q_proj": 1.5}`, `rank_pattern has no positive number for "q_proj", or for a rank no whole one`},
		{"rank_pattern", `{"q_proj": 0}`, `rank_pattern has no positive number for "q_proj"`},
		{"rank_pattern", `{"q_proj": 1, "q_proj": 2}`, "is there twice"},
		{"alpha_pattern", `{"q{,2}": 1}`, "mean something else in Python"},
		{"alpha_pattern", `[1]`, "alpha_pattern is [1]"},
	} {
		config := map[string]json.RawMessage{"r": json.RawMessage("4"), "lora_alpha": json.RawMessage("8"), "target_modules": json.RawMessage(`["q_proj"]`)}
		config[c.field] = json.RawMessage(c.value)
		dir := t.TempDir()
		var b []byte
		for k, v := range config { // json.Marshal would compact what stands twice
			b = append(b, ", \""+k+"\": "+string(v)...)
		}
		path := filepath.Join(dir, "adapter_config.json")
		require.NoError(t, os.WriteFile(path, []byte("{"+string(b[1:])+"}"), 0o644))
		_, err := lora.ReadConfig(dir)
		require.ErrorContains(t, err, c.text)
		require.ErrorContains(t, err, path, "names the file")
	}
}

// TestHeadThatIsNotAdapted: PEFT leaves the head out of all-linear, and what is excluded is no target.
func TestHeadThatIsNotAdapted(t *testing.T) {
	for _, c := range []struct{ why, fields string }{
		{"all-linear", `"target_modules": "all-linear"`},
		{"excluded", `"target_modules": ["q_proj", "lm_head"], "exclude_modules": ["lm_head"]`},
		{"in no layer", `"target_modules": ["q_proj", "embed_tokens"], "layers_to_transform": 0`},
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "adapter_config.json"), []byte("{"+c.fields+"}"), 0o644))
		_, err := lora.ReadConfig(dir)
		require.NoError(t, err, c.why)
	}
}

// TestConflicts: a flag that was given must agree with the file, any other is the file's business.
func TestConflicts(t *testing.T) {
	p, err := lora.ReadConfig(adapters + "both-rslora") // r 4, alpha 8, dropout 0.05, rslora
	require.NoError(t, err)
	require.Equal(t, []string{"q_proj", "v_proj", "out_proj"}, p.Targets, "as they stand")
	same := lora.Config{R: 4, LoraAlpha: 8, LoraDropout: 0.05, UseRSLoRA: true, TargetModules: []string{"v_proj", "q_proj", "out_proj"}}
	all := func(string) bool { return true }
	require.NoError(t, p.Conflict(same, all))
	for _, c := range []struct {
		flag, text string
		change     func(c *lora.Config)
	}{
		{"ranks", "-ranks contradicts the adapter, whose r is 4 and not 8: leave -ranks out", func(c *lora.Config) { c.R = 8 }},
		{"alpha", "whose scaling is lora_alpha 8, use_rslora true and not lora_alpha 16, use_rslora true", func(c *lora.Config) { c.LoraAlpha = 16 }},
		{"alpha", "use_rslora true and not lora_alpha 8, use_rslora false", func(c *lora.Config) { c.UseRSLoRA = false }},
		{"dropout", "whose lora_dropout is 0.05 and not 0.1", func(c *lora.Config) { c.LoraDropout = 0.1 }},
		{"dora", "whose use_dora is false and not true", func(c *lora.Config) { c.UseDoRA = true }},
		{"targets", "whose target_modules is out_proj,q_proj,v_proj and not fc1", func(c *lora.Config) { c.TargetModules = []string{"fc1"} }},
	} {
		changed := same
		c.change(&changed)
		require.ErrorContains(t, p.Conflict(changed, func(flag string) bool { return flag == c.flag }), c.text)
		require.NoError(t, p.Conflict(changed, func(flag string) bool { return flag != c.flag }))
	}
}

// TestOverridesTrain: modules of one group with ranks of their own train with dropout on, repeatably, and Checks has no complaint.
func TestOverridesTrain(t *testing.T) { devices.Each(t, testOverridesTrain) }

func testOverridesTrain(t *testing.T, on torch.Device) {
	c := qv
	c.LoraDropout = 0.1
	c.TargetModules = []string{"q_proj", "k_proj", "v_proj"}
	c.Overrides = map[string]lora.Override{"model.decoder.layers.0.self_attn.k_proj": {R: 1, LoraAlpha: 4}, "model.decoder.layers.1.self_attn.v_proj": {R: 7, LoraAlpha: 8}}
	var first []float64
	for range 2 {
		m := loadOn(t, on, post)
		a, err := lora.NewAdapter(m, c, 1)
		require.NoError(t, err)
		require.EqualValues(t, (4*4+1+7)*2*32, a.N())
		losses := lossesOf(t, m, a.Params, 1, 6)
		a.Close()
		require.Less(t, losses[5], losses[0])
		if first != nil {
			torchtest.Same(t, on, first, losses, "losses")
		}
		first = losses
	}
	b := batch(t, 2)
	found, err := lora.Checks(loadOn(t, on, post), c, &b)
	require.NoError(t, err)
	for _, f := range found {
		require.True(t, f.OK, "%s: %s", f.Name, f.Found)
	}
}

// TestInitialAdapterOfABFloat16Base: what is left of the base is rounded to its type, as PEFT does, and nothing else is.
func TestInitialAdapterOfABFloat16Base(t *testing.T) {
	m := rounded(t, post, torch.BFloat16)
	_, b := readPEFTCases(t)
	base := logits(t, m, &b)
	a, err := lora.Load(m, adapters+"pissa-fresh")
	require.NoError(t, err)
	defer a.Close()
	require.Less(t, fixture.Largest(t, logits(t, m, &b), base), 0.05*fixture.Largest(t, base, make([]float32, len(base))))
	before := read(t, a.Tensors[0])
	lossesOf(t, m, a.Params, 1, 2)
	require.NotEqual(t, before, read(t, a.Tensors[0]))
}

// TestInitialAdapterOfTooHighARank is an error and no panic of the matrix package.
func TestInitialAdapterOfTooHighARank(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "adapter_config.json"),
		[]byte(`{"r": 33, "lora_alpha": 8, "target_modules": ["model.decoder.layers.0.fc1"], "init_lora_weights": "olora"}`), 0o644))
	zeros := func(name string, rows, columns int64) checkpoint.Tensor {
		return checkpoint.Tensor{Name: "base_model.model.model.decoder.layers.0.fc1." + name + ".weight", DType: checkpoint.F32,
			Shape: []int64{rows, columns}, Data: make([]byte, 4*rows*columns)}
	}
	require.NoError(t, checkpoint.Write(filepath.Join(dir, "adapter_model.safetensors"), []checkpoint.Tensor{zeros("lora_A", 33, 32), zeros("lora_B", 64, 33)}, nil))
	live := torch.Live()
	m := loadModel(t, post)
	made := torch.Live()
	_, err := lora.Load(m, dir)
	require.ErrorContains(t, err, "init_lora_weights olora of model.decoder.layers.0.fc1: r is 33 and the weight has a rank of 32 at most")
	require.Equal(t, made, torch.Live())
	require.Less(t, live, made)
}

// TestTrainingDropoutThatIsNotComputed: no trainer is made for a model that would have to drop what it cannot.
func TestTrainingDropoutThatIsNotComputed(t *testing.T) {
	m := loadModel(t, post)
	c := m.Config.(opt.Config)
	c.AttentionDropout = 0.1
	m.Config = c
	a, err := lora.NewAdapter(m, qv, 1)
	require.NoError(t, err)
	defer a.Close()
	_, err = train.NewTrainer(m, a.Params, train.DefaultOptions(train.Schedule{LR: 1, Steps: 1}))
	require.ErrorContains(t, err, "attention_dropout is 0.1")
	m.SetDropout(0)
	tr, err := train.NewTrainer(m, a.Params, train.DefaultOptions(train.Schedule{LR: 1, Steps: 1}))
	require.NoError(t, err)
	tr.Close()
}
