// Package llama describes the families built like Llama (Touvron et al. 2023, arXiv:2302.13971): Llama 2 and 3, TinyLlama, SmolLM2,
// Mistral, Qwen2 and Qwen3. Each layer is
//
//	x = x + o_proj attention(q, k, v of rms(x))          q and k rotated by position; fewer heads of k and v than of q
//	x = x + down_proj (silu(gate_proj rms(x)) up_proj rms(x))
//
// and after the last x = rms(x). Qwen2 has biases on q, k and v; Qwen3 normalises each head of q and k. Source: modeling_llama.py,
// modeling_mistral.py, modeling_qwen2.py and modeling_qwen3.py of Hugging Face transformers, whose names are used throughout.
package llama

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"lorabench/internal/checkpoint"
)

// Config is the part of config.json that training needs, by Hugging Face's field names, of transformers 4 and 5.
type Config struct {
	ModelType                     string          `json:"model_type"`
	VocabSize                     int64           `json:"vocab_size"`
	HiddenSize                    int64           `json:"hidden_size"`
	IntermediateSize              int64           `json:"intermediate_size"`
	NumHiddenLayers               int             `json:"num_hidden_layers"`
	NumAttentionHeads             int64           `json:"num_attention_heads"`
	NumKeyValueHeads              int64           `json:"num_key_value_heads"`
	HeadDim                       int64           `json:"head_dim"` // hidden_size / num_attention_heads where it is missing
	MaxPositionEmbeddings         int64           `json:"max_position_embeddings"`
	RMSNormEps                    float64         `json:"rms_norm_eps"`
	HiddenAct                     string          `json:"hidden_act"`
	AttentionBias                 bool            `json:"attention_bias"`
	MLPBias                       bool            `json:"mlp_bias"`
	TieWordEmbeddings             bool            `json:"tie_word_embeddings"`
	AttentionDropout              float64         `json:"attention_dropout"`
	InitializerRange              float64         `json:"initializer_range"`
	PadTokenID                    *int64          `json:"pad_token_id"`
	SlidingWindow                 *int64          `json:"sliding_window"`
	UseSlidingWindow              *bool           `json:"use_sliding_window"` // of Qwen
	LayerTypes                    []string        `json:"layer_types"`
	RopeTheta                     float64         `json:"rope_theta"`      // of transformers 4
	RopeScaling                   *Rope           `json:"rope_scaling"`    // of transformers 4
	RopeParameters                *Rope           `json:"rope_parameters"` // of transformers 5
	PartialRotaryFactor           float64         `json:"partial_rotary_factor"`
	OriginalMaxPositionEmbeddings float64         `json:"original_max_position_embeddings,omitempty"`
	MaxWindowLayers               int             `json:"max_window_layers"` // of Qwen: the layers below have no window
	QuantizationConfig            json.RawMessage `json:"quantization_config,omitempty"`

	raw json.RawMessage // the file
}

// Families lists the model types that this package computes.
var Families = []string{"llama", "mistral", "qwen2", "qwen3"}

// ParseConfig reads a config.json and checks that this package computes what it describes.
func ParseConfig(data []byte) (Config, error) {
	var given struct {
		ModelType             string          `json:"model_type"`
		NumKeyValueHeads      json.RawMessage `json:"num_key_value_heads"`
		MaxPositionEmbeddings json.RawMessage `json:"max_position_embeddings"`
	}
	_, err := checkpoint.Decode(data, &given)
	c := Config{RMSNormEps: 1e-6, HiddenAct: "silu", InitializerRange: 0.02, RopeTheta: 1e4, PartialRotaryFactor: 1, MaxWindowLayers: 28,
		raw: bytes.Clone(data)}
	switch given.ModelType { // transformers' defaults
	case "llama":
		c.MaxPositionEmbeddings = 2048 // and as many heads of keys as of queries
	case "mistral":
		c.MaxPositionEmbeddings, c.NumKeyValueHeads = 131072, 8
	default:
		c.MaxPositionEmbeddings, c.NumKeyValueHeads = 32768, 32
	}
	if window := int64(4096); given.ModelType != "llama" {
		c.SlidingWindow = &window // the default of the other families, where null is none
	}
	if err == nil {
		_, err = checkpoint.Decode(data, &c)
	}
	if err != nil {
		return Config{}, fmt.Errorf("not a model config: %w", err)
	}
	// As many as heads: for Llama if it is missing, for each family if it is null.
	if kv := string(given.NumKeyValueHeads); kv == "null" || kv == "" && c.ModelType == "llama" {
		c.NumKeyValueHeads = c.NumAttentionHeads
	}
	if string(given.MaxPositionEmbeddings) == "null" {
		c.MaxPositionEmbeddings = 0 // which Check refuses, as transformers does
	}
	if c.HeadDim == 0 && c.NumAttentionHeads > 0 {
		if c.HeadDim = c.HiddenSize / c.NumAttentionHeads; c.ModelType == "qwen3" {
			c.HeadDim = 128 // Qwen3Config's default
		}
	}
	if err := c.Check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Check refuses what this package does not compute, and sizes that no model of these families has.
func (c Config) Check() error {
	if !slices.Contains(Families, c.ModelType) {
		return fmt.Errorf("model_type is %q, want one of %q", c.ModelType, Families)
	}
	// These limits keep the number of parameters within 64 bits, and a forged file from making Params a list of gigabytes.
	const most, mostLayers = 1 << 24, 1 << 10
	for _, f := range []struct {
		name        string
		value, most int64
	}{
		{"vocab_size", c.VocabSize, most}, {"hidden_size", c.HiddenSize, most}, {"intermediate_size", c.IntermediateSize, most},
		{"num_hidden_layers", int64(c.NumHiddenLayers), mostLayers}, {"num_attention_heads", c.NumAttentionHeads, most},
		{"num_key_value_heads", c.NumKeyValueHeads, most}, {"head_dim", c.HeadDim, 1 << 12}, {"max_position_embeddings", c.MaxPositionEmbeddings, 1 << 31},
	} {
		if f.value < 1 || f.value > f.most {
			return fmt.Errorf("%s is %d, want 1 to %d", f.name, f.value, f.most)
		}
	}
	switch {
	case c.NumAttentionHeads%c.NumKeyValueHeads != 0:
		return fmt.Errorf("num_attention_heads %d is not a multiple of num_key_value_heads %d", c.NumAttentionHeads, c.NumKeyValueHeads)
	case c.HeadDim%2 != 0:
		return fmt.Errorf("head_dim is %d, want an even number: rotary positions turn halves of a head", c.HeadDim)
	case c.HiddenAct != "silu":
		return fmt.Errorf("hidden_act is %q, want silu", c.HiddenAct)
	case c.PartialRotaryFactor != 1:
		return fmt.Errorf("partial_rotary_factor is %v, want 1: rotary positions of a part of a head are not supported", c.PartialRotaryFactor)
	case !(c.RMSNormEps > 0):
		return fmt.Errorf("rms_norm_eps is %v, want a positive number", c.RMSNormEps)
	case c.InitializerRange < 0:
		return fmt.Errorf("initializer_range is %v, want at least 0", c.InitializerRange)
	case c.PadTokenID != nil && (*c.PadTokenID >= c.VocabSize || *c.PadTokenID < -c.VocabSize):
		return fmt.Errorf("pad_token_id is %d, outside the vocabulary of %d", *c.PadTokenID, c.VocabSize)
	case len(c.QuantizationConfig) > 0 && string(c.QuantizationConfig) != "null":
		return fmt.Errorf("quantization_config is there: weights must be float32, float16 or bfloat16, and quantised ones are not supported")
	}
	for i, kind := range c.LayerTypes {
		if kind != "full_attention" && kind != "sliding_attention" {
			return fmt.Errorf("layer_types has %q for layer %d, want full_attention or sliding_attention", kind, i)
		}
	}
	_, err := c.rotary()
	return err
}

// window returns how many tokens attention looks back; 0 is all. Qwen's acts only if use_sliding_window says so.
func (c Config) window() int64 {
	acts := c.ModelType == "mistral"
	if strings.HasPrefix(c.ModelType, "qwen") && c.UseSlidingWindow != nil && *c.UseSlidingWindow {
		acts = slices.Contains(c.LayerTypes, "sliding_attention") || c.LayerTypes == nil && c.MaxWindowLayers < c.NumHiddenLayers
	}
	if !acts || c.SlidingWindow == nil {
		return 0
	}
	return *c.SlidingWindow
}

// bias reports which linear layers have one: q, k and v, and the attention's output.
func (c Config) bias() (qkv, out bool) {
	switch c.ModelType {
	case "qwen2":
		return true, false
	case "mistral":
		return false, false
	}
	return c.AttentionBias, c.AttentionBias
}
