package opt

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/decoder"
)

// changed is a small valid config.json with one field set, or taken out where value is nil.
func changed(t *testing.T, field string, value any) []byte {
	fields := map[string]any{"model_type": "opt", "vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 2, "ffn_dim": 64,
		"num_attention_heads": 4, "max_position_embeddings": 64, "word_embed_proj_dim": 16}
	fields[field] = value
	if value == nil {
		delete(fields, field)
	}
	b, err := json.Marshal(fields)
	require.NoError(t, err)
	return b
}

func TestConfigsThatAreRefused(t *testing.T) {
	type row struct {
		why   string
		field string
		value any
		text  string
	}
	rows := []row{
		{"another kind of model", "model_type", "gpt2", `model_type is "gpt2", want "opt"`},
		{"no model's config at all", "model_type", nil, `model_type is "", want "opt"`},
		{"heads of unequal width", "num_attention_heads", 5, "hidden_size 32 is not a multiple of num_attention_heads 5"},
		{"more heads than columns", "num_attention_heads", 64, "hidden_size 32 is not a multiple of num_attention_heads 64"},
		{"an activation not computed here", "activation_function", "gelu_new", `activation_function is "gelu_new", want relu or gelu`},
		{"no activation", "activation_function", "", `activation_function is "", want relu or gelu`},
		{"a head of its own", "tie_word_embeddings", false, "tie_word_embeddings is false"},
		{"everything dropped", "dropout", 1, "dropout is 1, want 0 <= dropout < 1"},
		{"a negative probability", "dropout", -0.1, "dropout is -0.1, want 0 <= dropout < 1"},
		{"a negative deviation", "init_std", -0.02, "init_std is -0.02, want at least 0"},
		{"padding after the vocabulary", "pad_token_id", 96, "pad_token_id is 96, outside the vocabulary of 96"},
		{"padding before it", "pad_token_id", -1, "pad_token_id is -1, outside the vocabulary of 96"},
		{"text for a number", "hidden_size", "32", "hidden_size"},
		{"half a layer", "num_hidden_layers", 1.5, "num_hidden_layers"},
		{"a number for text", "activation_function", 3, "activation_function"},
		{"a word for a switch", "do_layer_norm_before", "yes", "do_layer_norm_before"},
	}
	for _, size := range []string{"vocab_size", "hidden_size", "ffn_dim", "num_attention_heads", "max_position_embeddings", "word_embed_proj_dim"} {
		rows = append(rows,
			row{"a negative size", size, -1, size + " is -1, want 1 to 16777216"},
			row{"a size whose products overflow", size, 16777217, size + " is 16777217, want 1 to 16777216"})
		if size != "word_embed_proj_dim" { // whose 0 means hidden_size
			rows = append(rows, row{"no size", size, 0, size + " is 0, want 1 to 16777216"})
		}
	}
	rows = append(rows,
		row{"no layers", "num_hidden_layers", 0, "num_hidden_layers is 0, want 1 to 1024"},
		row{"layers whose names alone would fill the memory", "num_hidden_layers", 1025, "num_hidden_layers is 1025, want 1 to 1024"})
	for _, c := range rows {
		t.Run(fmt.Sprintf("%s %v", c.field, c.value), func(t *testing.T) {
			_, err := ParseConfig(changed(t, c.field, c.value))
			require.ErrorContains(t, err, c.text, c.why)
		})
	}
	_, err := ParseConfig(changed(t, "hidden_size", 32))
	require.NoError(t, err, "or the rows above say nothing")
}

// TestFieldsThatTrainingDoesNotUse: whatever stands in them, the model is the same.
func TestFieldsThatTrainingDoesNotUse(t *testing.T) {
	want, err := ParseConfig(changed(t, "hidden_size", 32))
	require.NoError(t, err)
	for _, c := range []struct {
		field    string
		value    any
		bos, eos TokenID
	}{
		{"eos_token_id", []int{5, 7}, 2, 5},
		{"eos_token_id", 7, 2, 7},
		{"eos_token_id", []int{}, 2, 2},
		{"eos_token_id", "</s>", 2, 2},
		{"eos_token_id", []any{[]int{1}}, 2, 2},
		{"bos_token_id", json.RawMessage("null"), 2, 2},
		{"bos_token_id", map[string]int{"a": 1}, 2, 2},
		{"activation_dropout", 0.1, 2, 2}, // transformers' OPT does not read it
		{"quantization_config", []string{"x"}, 2, 2},
		{"Hidden_Size", 64, 2, 2}, // Python tells upper from lower case
	} {
		got, err := ParseConfig(changed(t, c.field, c.value))
		require.NoError(t, err, c.field)
		want.BOSTokenID, want.EOSTokenID = c.bos, c.eos
		require.Equal(t, want, got, c.field)
	}
}

// TestDropoutThatIsNotComputed: attention_dropout and layerdrop are refused in training alone, and not without any dropout.
func TestDropoutThatIsNotComputed(t *testing.T) {
	for _, field := range []string{"attention_dropout", "layerdrop"} {
		c, err := ParseConfig(changed(t, field, 0.25))
		require.NoError(t, err, "a forward pass without dropout is the same")
		m := &decoder.Model{Config: c}
		require.ErrorContains(t, m.CheckTraining(), "config.json's "+field+" is 0.25")
		require.ErrorContains(t, m.CheckTraining(), "-model-dropout=0")
		m.SetDropout(0.2)
		other := &decoder.Model{Config: c}
		other.Inherit(m)
		require.Error(t, other.CheckTraining(), "with dropout they would act")
		m.SetDropout(0)
		other.Inherit(m)
		require.NoError(t, other.CheckTraining())
		require.Zero(t, other.ModelDropout)
	}
}

// published are the config.json of facebook/opt-*, as far as they differ from each other. heads is
// the paper's table 1 (arXiv:2205.01068), parameters what transformers counts.
var published = []struct {
	name                             string
	layers, heads, hidden, proj, ffn int64
	before                           bool
	parameters, withoutEmbeddings    int64
}{
	{"opt-125m", 12, 12, 768, 768, 3072, true, 125_239_296, 85_056_000},
	{"opt-350m", 24, 16, 1024, 512, 4096, false, 331_196_416, 303_357_952},
	{"opt-1.3b", 24, 32, 2048, 2048, 8192, true, 1_315_758_080, 1_208_602_624},
	{"opt-2.7b", 32, 32, 2560, 2560, 10240, true, 2_651_596_800, 2_517_652_480},
	{"opt-6.7b", 32, 32, 4096, 4096, 16384, true, 6_658_473_984, 6_444_163_072},
}

func TestPublishedModels(t *testing.T) {
	const vocabulary, positions = 50272, 2050 // two rows of embed_positions lie before position 0
	for _, p := range published {
		t.Run(p.name, func(t *testing.T) {
			c, err := ParseConfig(fmt.Appendf(nil, `{"_name_or_path": "facebook/%s", "activation_dropout": 0.0,
				"activation_function": "relu", "architectures": ["OPTForCausalLM"], "attention_dropout": 0.0,
				"bos_token_id": 2, "do_layer_norm_before": %v, "dropout": 0.1, "eos_token_id": 2, "ffn_dim": %d,
				"hidden_size": %d, "init_std": 0.02, "layerdrop": 0.0, "max_position_embeddings": 2048,
				"model_type": "opt", "num_attention_heads": %d, "num_hidden_layers": %d, "pad_token_id": 1,
				"prefix": "</s>", "torch_dtype": "float16", "transformers_version": "4.21.0.dev0",
				"use_cache": true, "vocab_size": 50272, "word_embed_proj_dim": %d}`,
				p.name, p.before, p.ffn, p.hidden, p.heads, p.layers, p.proj))
			require.NoError(t, err)
			require.Equal(t, Config{ModelType: "opt", VocabSize: vocabulary, HiddenSize: p.hidden, NumHiddenLayers: int(p.layers),
				FFNDim: p.ffn, NumAttentionHeads: p.heads, MaxPositionEmbeddings: 2048, WordEmbedProjDim: p.proj,
				DoLayerNormBefore: p.before, LayerNormAffine: true, EnableBias: true, TieWordEmbeddings: true,
				ActivationFunction: "relu", Dropout: 0.1, InitStd: 0.02, BOSTokenID: 2, EOSTokenID: 2, PadTokenID: 1}, c)
			require.Equal(t, p.hidden/p.heads, c.HeadDim())

			h, f := p.hidden, p.ffn
			norm := 2 * h
			want := p.layers * (4*(h*h+h) + (h*f + f) + (f*h + h) + 2*norm)
			if p.before {
				want += norm
			}
			if p.proj != h {
				want += 2 * p.proj * h
			}
			all, without := decoder.NumParameters(c)
			require.Equal(t, want, without)
			require.Equal(t, want+vocabulary*p.proj+positions*h, all)
			require.Equal(t, p.parameters, all)
			require.Equal(t, p.withoutEmbeddings, without)
		})
	}
}

func TestOurOPT350m(t *testing.T) {
	raw, err := os.ReadFile("../testdata/opt-350m/config.json")
	require.NoError(t, err)
	c, err := ParseConfig(raw)
	require.NoError(t, err)
	all, without := decoder.NumParameters(c)
	require.EqualValues(t, 331_196_416, all)
	require.EqualValues(t, 303_357_952, without)
}

func TestDefaultsAreOPTConfigs(t *testing.T) {
	c, err := ParseConfig([]byte(`{"model_type": "opt"}`))
	require.NoError(t, err)
	all, _ := decoder.NumParameters(c)
	require.EqualValues(t, 125_239_296, all, "OPTConfig's defaults are opt-125m")
	require.Equal(t, Config{ModelType: "opt", VocabSize: 50272, HiddenSize: 768, NumHiddenLayers: 12, FFNDim: 3072, NumAttentionHeads: 12,
		MaxPositionEmbeddings: 2048, WordEmbedProjDim: 768, DoLayerNormBefore: true, LayerNormAffine: true, EnableBias: true,
		TieWordEmbeddings: true, ActivationFunction: "relu", Dropout: 0.1, InitStd: 0.02, BOSTokenID: 2, EOSTokenID: 2, PadTokenID: 1}, c)
	c, err = ParseConfig(changed(t, "word_embed_proj_dim", nil))
	require.NoError(t, err)
	require.EqualValues(t, 32, c.WordEmbedProjDim, "without one the embeddings are as wide as the model")
}

func TestParamsFollowTheSwitches(t *testing.T) {
	small := func(change func(c *Config)) map[string][]int64 {
		c, err := ParseConfig(changed(t, "hidden_size", 32))
		require.NoError(t, err)
		change(&c)
		require.NoError(t, c.Check())
		shapes := map[string][]int64{}
		for _, p := range c.Params() {
			require.NotContains(t, shapes, p.Name, "listed twice")
			shapes[p.Name] = p.Shape
		}
		return shapes
	}
	base := small(func(*Config) {})
	require.Equal(t, []int64{66, 32}, base["model.decoder.embed_positions.weight"])
	require.Equal(t, []int64{32, 16}, base["model.decoder.project_in.weight"])
	require.Equal(t, []int64{16, 32}, base["model.decoder.project_out.weight"])
	require.Equal(t, []int64{64, 32}, base["model.decoder.layers.1.fc1.weight"])
	require.Equal(t, []int64{32, 64}, base["model.decoder.layers.1.fc2.weight"])
	require.Len(t, base, 2+2+2+2*16)
	for _, c := range []struct {
		why    string
		change func(c *Config)
		fewer  int
		gone   string
	}{
		{"norm after: none at the end", func(c *Config) { c.DoLayerNormBefore = false }, 2, "model.decoder.final_layer_norm.weight"},
		{"the last norm taken off", func(c *Config) { c.RemoveFinalLayerNorm = true }, 2, "model.decoder.final_layer_norm.bias"},
		{"norms without weights", func(c *Config) { c.LayerNormAffine = false }, 2 + 2*4, "model.decoder.layers.0.final_layer_norm.weight"},
		{"no biases, but the norms'", func(c *Config) { c.EnableBias = false }, 2 * 6, "model.decoder.layers.0.fc1.bias"},
		{"embeddings as wide as the model", func(c *Config) { c.WordEmbedProjDim = 32 }, 2, "model.decoder.project_in.weight"},
	} {
		got := small(c.change)
		require.Len(t, got, len(base)-c.fewer, c.why)
		require.NotContains(t, got, c.gone, c.why)
		require.Contains(t, base, c.gone, c.why)
	}
}

func FuzzParseConfig(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `{}`, `{"model_type": "opt"}`, `{"model_type": "opt", "hidden_size": 0}`, `{"model_type": "opt", "dropout": -0.0}`,
		`{"model_type": "opt", "num_hidden_layers": 1024, "num_attention_heads": 16, "hidden_size": 16777216, "ffn_dim": 16777216, "vocab_size": 16777216}`,
		`{"model_type": "opt", "hidden_size": 1024, "word_embed_proj_dim": 512, "num_attention_heads": 16, "do_layer_norm_before": false}`,
		`{"model_type": "opt", "activation_function": "gelu", "enable_bias": false, "layer_norm_elementwise_affine": false}`,
		`{"model_type": "opt", "pad_token_id": 9223372036854775807}`, `{"model_type": "opt", "init_std": 1e308}`,
		`{"model_type": "opt", "hidden_size": 1e3}`, `{"MODEL_TYPE": "opt", "_remove_final_layer_norm": true}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseConfig(b)
		if err != nil {
			require.Zero(t, c, "no half-read config beside an error")
			return
		}
		require.Equal(t, c.HiddenSize, c.HeadDim()*c.NumAttentionHeads)
		all, without := decoder.NumParameters(c)
		require.Positive(t, without)
		require.Equal(t, c.VocabSize*c.WordEmbedProjDim+(c.MaxPositionEmbeddings+2)*c.HiddenSize, all-without)
		again, err := json.Marshal(c)
		require.NoError(t, err)
		same, err := ParseConfig(again)
		require.NoError(t, err)
		require.Equal(t, c, same)
	})
}
