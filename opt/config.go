package opt

import (
	"encoding/json"
	"fmt"

	"lorabench/internal/checkpoint"
	"lorabench/internal/decoder"
)

// Config is the part of an OPT model's config.json that its forward pass needs, by Hugging Face's
// field names. Fields the file leaves out have OPTConfig's defaults; only model_type has none, so
// that an adapter's or a tokenizer's config is not mistaken for an OPT-125m's.
type Config struct {
	ModelType             string  `json:"model_type"`
	VocabSize             int64   `json:"vocab_size"`
	HiddenSize            int64   `json:"hidden_size"`
	NumHiddenLayers       int     `json:"num_hidden_layers"`
	FFNDim                int64   `json:"ffn_dim"`
	NumAttentionHeads     int64   `json:"num_attention_heads"`
	MaxPositionEmbeddings int64   `json:"max_position_embeddings"`
	WordEmbedProjDim      int64   `json:"word_embed_proj_dim"`
	DoLayerNormBefore     bool    `json:"do_layer_norm_before"`
	RemoveFinalLayerNorm  bool    `json:"_remove_final_layer_norm"`
	LayerNormAffine       bool    `json:"layer_norm_elementwise_affine"`
	EnableBias            bool    `json:"enable_bias"`
	TieWordEmbeddings     bool    `json:"tie_word_embeddings"`
	ActivationFunction    string  `json:"activation_function"`
	Dropout               float64 `json:"dropout"`
	AttentionDropout      float64 `json:"attention_dropout"`
	LayerDrop             float64 `json:"layerdrop"`
	InitStd               float64 `json:"init_std"`
	BOSTokenID            TokenID `json:"bos_token_id"`
	EOSTokenID            TokenID `json:"eos_token_id"`
	PadTokenID            int64   `json:"pad_token_id"`
}

// TokenID is a token that training does not use, so any value is accepted: of a list, as generation reads it, the first;
// anything else that is not a number leaves the default.
type TokenID int64

// UnmarshalJSON never fails.
func (t *TokenID) UnmarshalJSON(b []byte) error {
	var list []int64
	if json.Unmarshal(b, (*int64)(t)) != nil && json.Unmarshal(b, &list) == nil && len(list) > 0 {
		*t = TokenID(list[0])
	}
	return nil
}

// LayerNormEps is torch.nn.LayerNorm's default, which OPT uses.
const LayerNormEps = 1e-5

// positionOffset is OPTLearnedPositionalEmbedding's: position p reads row p+2 of embed_positions.
const positionOffset = 2

func defaults() Config {
	return Config{
		VocabSize: 50272, HiddenSize: 768, NumHiddenLayers: 12, FFNDim: 3072, NumAttentionHeads: 12,
		MaxPositionEmbeddings: 2048, DoLayerNormBefore: true, LayerNormAffine: true, EnableBias: true,
		TieWordEmbeddings: true, ActivationFunction: "relu", Dropout: 0.1, InitStd: 0.02,
		BOSTokenID: 2, EOSTokenID: 2, PadTokenID: 1,
	}
}

// ParseConfig reads a config.json and checks that this package computes what it describes.
func ParseConfig(data []byte) (Config, error) {
	c := defaults()
	if _, err := checkpoint.Decode(data, &c); err != nil {
		return Config{}, fmt.Errorf("not a model config: %w", err)
	}
	if c.WordEmbedProjDim == 0 {
		c.WordEmbedProjDim = c.HiddenSize
	}
	if err := c.Check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Check refuses what this package does not compute, and sizes that no OPT has.
func (c Config) Check() error {
	if c.ModelType != "opt" { // first: the sizes of another kind's config mean nothing
		return fmt.Errorf("model_type is %q, want \"opt\": only OPT models are supported", c.ModelType)
	}
	// Far above any OPT (opt-175b has 96 layers). The limits keep NumParameters within 64 bits, and a
	// forged file from making Params a list of gigabytes.
	const most, mostLayers = 1 << 24, 1 << 10
	for _, f := range []struct {
		name        string
		value, most int64
	}{
		{"vocab_size", c.VocabSize, most}, {"hidden_size", c.HiddenSize, most},
		{"num_hidden_layers", int64(c.NumHiddenLayers), mostLayers},
		{"ffn_dim", c.FFNDim, most}, {"num_attention_heads", c.NumAttentionHeads, most},
		{"max_position_embeddings", c.MaxPositionEmbeddings, most}, {"word_embed_proj_dim", c.WordEmbedProjDim, most},
	} {
		if f.value < 1 || f.value > f.most {
			return fmt.Errorf("%s is %d, want 1 to %d", f.name, f.value, f.most)
		}
	}
	switch {
	case c.HiddenSize%c.NumAttentionHeads != 0:
		return fmt.Errorf("hidden_size %d is not a multiple of num_attention_heads %d", c.HiddenSize, c.NumAttentionHeads)
	case c.ActivationFunction != "relu" && c.ActivationFunction != "gelu":
		return fmt.Errorf("activation_function is %q, want relu or gelu", c.ActivationFunction)
	case !c.TieWordEmbeddings:
		return fmt.Errorf("tie_word_embeddings is false: every published OPT ties lm_head to embed_tokens, and only that is supported")
	case c.Dropout < 0 || c.Dropout >= 1:
		return fmt.Errorf("dropout is %v, want 0 <= dropout < 1", c.Dropout)
	case c.InitStd < 0:
		return fmt.Errorf("init_std is %v, want at least 0", c.InitStd)
	case c.PadTokenID < 0 || c.PadTokenID >= c.VocabSize:
		return fmt.Errorf("pad_token_id is %d, outside the vocabulary of %d", c.PadTokenID, c.VocabSize)
	}
	return nil
}

// HeadDim returns the width of one attention head.
func (c Config) HeadDim() int64 { return c.HiddenSize / c.NumAttentionHeads }

// finalNorm reports whether the decoder ends in a layer norm.
func (c Config) finalNorm() bool { return c.DoLayerNormBefore && !c.RemoveFinalLayerNorm }

// Params lists every weight of the model in a fixed order. lm_head.weight is not among them: it
// is embed_tokens.weight.
func (c Config) Params() (ps []decoder.Param) {
	h, e, f := c.HiddenSize, c.WordEmbedProjDim, c.FFNDim
	add := func(name string, shape ...int64) { ps = append(ps, decoder.Param{Name: name, Shape: shape}) }
	norm := func(name string) {
		if c.LayerNormAffine {
			add(name+".weight", h)
			add(name+".bias", h)
		}
	}
	linear := func(name string, out, in int64) {
		if add(name+".weight", out, in); c.EnableBias {
			add(name+".bias", out)
		}
	}
	add(tokens, c.VocabSize, e)
	add(positions, c.MaxPositionEmbeddings+positionOffset, h)
	if e != h {
		add(prefix+"project_out.weight", e, h)
		add(prefix+"project_in.weight", h, e)
	}
	if c.finalNorm() {
		norm(prefix + "final_layer_norm")
	}
	for i := range c.NumHiddenLayers {
		l := layerName(i)
		for _, p := range []string{"k_proj", "v_proj", "q_proj", "out_proj"} {
			linear(l+"self_attn."+p, h, h)
		}
		norm(l + "self_attn_layer_norm")
		linear(l+"fc1", f, h)
		linear(l+"fc2", h, f)
		norm(l + "final_layer_norm")
	}
	return ps
}
