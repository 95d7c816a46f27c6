package llama

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/decoder"
)

const families = "../../testdata/parity/families/"

// changed is a family's config.json with some fields set, or with nil taken out.
func changed(t *testing.T, family string, fields map[string]any) []byte {
	raw, err := os.ReadFile(filepath.Join(families, family, "config.json"))
	require.NoError(t, err)
	var c map[string]any
	require.NoError(t, json.Unmarshal(raw, &c))
	for name, v := range fields {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	raw, err = json.Marshal(c)
	require.NoError(t, err)
	return raw
}

// TestConfigsThatAreRefused: each is a model that would be computed wrongly.
func TestConfigsThatAreRefused(t *testing.T) {
	rope := func(kind string, more map[string]any) map[string]any {
		r := map[string]any{"rope_type": kind, "rope_theta": 1e4}
		maps.Copy(r, more)
		return map[string]any{"rope_parameters": r}
	}
	for _, c := range []struct {
		why, family string
		fields      map[string]any
		text        string
	}{
		{"another family", "llama2", map[string]any{"model_type": "gemma"}, `model_type is "gemma"`},
		{"no sizes", "llama2", map[string]any{"hidden_size": nil}, "hidden_size is 0"},
		{"heads that do not share keys evenly", "llama3", map[string]any{"num_key_value_heads": 3}, "num_attention_heads 4 is not a multiple of num_key_value_heads 3"},
		{"halves of an odd head", "llama2", map[string]any{"head_dim": 7}, "head_dim is 7"},
		{"another activation", "qwen2", map[string]any{"hidden_act": "gelu"}, `hidden_act is "gelu"`},
		{"a part of a head turned", "llama2", map[string]any{"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5"},
		{"quantised weights", "llama2", map[string]any{"quantization_config": map[string]any{"bits": 4}}, "quantization_config is there"},
		{"a kind of layer", "qwen3", map[string]any{"layer_types": []string{"full_attention", "linear_attention"}}, `layer_types has "linear_attention" for layer 1`},
		{"yarn", "qwen2", rope("yarn", map[string]any{"factor": 4.0}), `rope_parameters has rope_type "yarn"`},
		{"dynamic, of transformers 4", "llama2", map[string]any{"rope_parameters": nil, "rope_theta": 1e4,
			"rope_scaling": map[string]any{"type": "dynamic", "factor": 2.0}}, `rope_scaling has rope_type "dynamic"`},
		{"two that differ", "llama2", map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 2.0}}, "rope_scaling and rope_parameters differ"},
		{"two whose theta differs, where rope_scaling's is the default", "llama2", map[string]any{"rope_theta": nil,
			"rope_parameters": map[string]any{"rope_type": "linear", "factor": 2.0, "rope_theta": 5e5}, "rope_scaling": map[string]any{"type": "linear", "factor": 2.0}},
			"rope_scaling and rope_parameters differ"},
		{"two original lengths", "llama3", map[string]any{"original_max_position_embeddings": 32}, "original_max_position_embeddings is 32, and 64 in rope_parameters"},
		{"an original length at the top alone", "llama3", map[string]any{"original_max_position_embeddings": 64, "rope_parameters": map[string]any{"rope_type": "llama3",
			"rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}}, "rope_parameters has low_freq_factor 1, high_freq_factor 4 and original_max_position_embeddings 0"},
		{"one for each kind of layer", "qwen3", map[string]any{"rope_parameters": map[string]any{"full_attention": map[string]any{"rope_type": "yarn"}}},
			"full_attention is not supported"},
		{"a part of a head in it", "llama2", rope("default", map[string]any{"partial_rotary_factor": 0.5}), "partial_rotary_factor is 0.5"},
		{"padding far outside", "llama2", map[string]any{"pad_token_id": -97}, "pad_token_id is -97"},
		{"Qwen's default heads of keys", "qwen2", map[string]any{"num_key_value_heads": nil}, "num_attention_heads 4 is not a multiple of num_key_value_heads 32"},
		{"positions of null, which transformers refuses too", "llama2", map[string]any{"max_position_embeddings": json.RawMessage("null")}, "max_position_embeddings is 0"},
		{"no factor", "llama3", rope("llama3", nil), "rope_parameters has factor 0"},
		{"frequencies the wrong way round", "llama3", rope("llama3", map[string]any{"factor": 8.0, "low_freq_factor": 4.0,
			"high_freq_factor": 1.0, "original_max_position_embeddings": 64}), "want 0 < low < high"},
		{"no theta", "llama2", rope("default", map[string]any{"rope_theta": -1.0}), "rope_theta is -1"},
		{"padding outside", "smollm2", map[string]any{"pad_token_id": 96}, "pad_token_id is 96"},
	} {
		_, err := ParseConfig(changed(t, c.family, c.fields))
		require.ErrorContains(t, err, c.text, c.why)
	}
}

// TestSlidingWindow: it acts where the family and its switch say so, and where a sequence is longer.
func TestSlidingWindow(t *testing.T) {
	for _, c := range []struct {
		why, family string
		fields      map[string]any
		want        int64
	}{
		{"Mistral's", "mistral", map[string]any{"sliding_window": 32}, 32},
		{"none, as null", "mistral", map[string]any{}, 0},
		{"Mistral's, which no switch of Qwen's switches off", "mistral", map[string]any{"sliding_window": 32, "use_sliding_window": true}, 32},
		{"Mistral's where it is missing", "mistral", map[string]any{"sliding_window": nil}, 4096},
		{"Qwen's, switched on", "qwen2", map[string]any{"sliding_window": 16, "use_sliding_window": true, "layer_types": nil, "max_window_layers": 1}, 16},
		{"Qwen's, whose layers are all below it", "qwen2", map[string]any{"sliding_window": 16, "use_sliding_window": true, "layer_types": nil,
			"max_window_layers": 2}, 0},
		{"Qwen's, in no layer", "qwen2", map[string]any{"sliding_window": 16, "use_sliding_window": true}, 0},
		{"Qwen's, where it is missing", "qwen3", map[string]any{"sliding_window": nil, "use_sliding_window": true,
			"layer_types": []string{"full_attention", "sliding_attention"}}, 4096},
		{"Qwen's, switched off", "qwen2", map[string]any{"sliding_window": 16, "use_sliding_window": false}, 0},
		{"Qwen's, whose switch is off where it is missing", "qwen3", map[string]any{"sliding_window": 16, "use_sliding_window": nil}, 0},
		{"of Llama, which has none", "llama2", map[string]any{"sliding_window": 16}, 0},
	} {
		got, err := ParseConfig(changed(t, c.family, c.fields))
		require.NoError(t, err, c.why)
		require.Equal(t, c.want, got.window(), c.why)
	}
}

// TestLinearScaling slows every frequency down alike.
func TestLinearScaling(t *testing.T) {
	c, err := ParseConfig(changed(t, "llama2", map[string]any{"rope_parameters": map[string]any{"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}}))
	require.NoError(t, err)
	r, err := c.rotary()
	require.NoError(t, err)
	for i, f := range decoder.NewRotary(1e4, c.HeadDim).Frequencies {
		require.InDelta(t, f/4, r.Frequencies[i], 1e-9)
	}
}

// TestRopeTheta: the value inside of a dictionary counts before the one at the top level, as in transformers 5.
func TestRopeTheta(t *testing.T) {
	inside, without := map[string]any{"type": "linear", "factor": 1.0, "rope_theta": 5e5}, map[string]any{"type": "linear", "factor": 1.0}
	for _, c := range []struct {
		why    string
		fields map[string]any
		want   float64
	}{
		{"transformers 4's alone", map[string]any{"rope_parameters": nil, "rope_theta": 2e4, "rope_scaling": nil}, 2e4},
		{"inside of rope_scaling", map[string]any{"rope_parameters": nil, "rope_theta": 2e4, "rope_scaling": inside}, 5e5},
		{"beside a rope_scaling without", map[string]any{"rope_parameters": nil, "rope_theta": 2e4, "rope_scaling": without}, 2e4},
		{"inside of rope_parameters", map[string]any{"rope_parameters": inside, "rope_theta": 2e4, "rope_scaling": nil}, 5e5},
		{"both versions' fields, which say the same", map[string]any{"rope_theta": 5e5, "rope_scaling": without,
			"rope_parameters": map[string]any{"rope_type": "linear", "factor": 1.0, "rope_theta": 5e5}}, 5e5},
	} {
		parsed, err := ParseConfig(changed(t, "llama2", c.fields))
		require.NoError(t, err, c.why)
		got, err := parsed.rotary()
		require.NoError(t, err, c.why)
		require.Equal(t, decoder.NewRotary(c.want, parsed.HeadDim).Frequencies, got.Frequencies, c.why)
	}
}

// TestMissingSizes have the defaults of transformers' configuration classes.
func TestMissingSizes(t *testing.T) {
	for _, c := range []struct {
		family          string
		positions, keys int64
	}{{"llama2", 2048, 64}, {"mistral", 131072, 8}, {"qwen2", 32768, 32}, {"qwen3", 32768, 32}} {
		got, err := ParseConfig(changed(t, c.family, map[string]any{"max_position_embeddings": nil, "num_key_value_heads": nil,
			"num_attention_heads": 64, "head_dim": 2}))
		require.NoError(t, err, c.family)
		require.Equal(t, c.positions, got.MaxPositionEmbeddings, c.family)
		require.Equal(t, c.keys, got.NumKeyValueHeads, c.family)
	}
}

// TestParameterCounts are those that transformers counts.
func TestParameterCounts(t *testing.T) {
	for family, want := range map[string]int64{"llama2": 96*32*2 + 2*(4*32*32+3*48*32+2*32) + 32, "qwen3": 96*32 + 2*(2*64*32+2*32*32+2*16+3*48*32+2*32) + 32} {
		raw, err := os.ReadFile(filepath.Join(families, family, "config.json"))
		require.NoError(t, err)
		c, err := ParseConfig(raw)
		require.NoError(t, err)
		all, without := decoder.NumParameters(c)
		require.Equal(t, want, all, family)
		require.Equal(t, want-96*32, without, family)
	}
}

// TestHeadsOfKeys: null is as many as heads in each family, and missing in Llama alone.
func TestHeadsOfKeys(t *testing.T) {
	for family, value := range map[string]any{"llama2": nil, "mistral": json.RawMessage("null"), "qwen3": json.RawMessage("null")} {
		c, err := ParseConfig(changed(t, family, map[string]any{"num_key_value_heads": value}))
		require.NoError(t, err, family)
		require.Equal(t, c.NumAttentionHeads, c.NumKeyValueHeads, family)
	}
}

// TestConfigIsSavedAsItWas: with fields that training does not read, and no number that the file did not have.
func TestConfigIsSavedAsItWas(t *testing.T) {
	raw := changed(t, "llama3", nil)
	c, err := ParseConfig(raw)
	require.NoError(t, err)
	saved, err := json.Marshal(c.JSON())
	require.NoError(t, err)
	require.JSONEq(t, string(raw), string(saved))
}

func FuzzParseConfig(f *testing.F) {
	files, err := filepath.Glob(families + "*/config*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseConfig(raw)
		if err == nil {
			require.NoError(t, c.Check())
			require.NotEmpty(t, c.Params())
		}
	})
}
