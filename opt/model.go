package opt

import (
	"fmt"
	"math"
	"strings"

	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

const (
	prefix    = "model.decoder."
	tokens    = prefix + "embed_tokens.weight"
	positions = prefix + "embed_positions.weight"
)

// Build assembles an OPT model as the package comment describes it.
func (c Config) Build(b *decoder.Builder) *decoder.Model {
	h, e, f := c.HiddenSize, c.WordEmbedProjDim, c.FFNDim
	m := &decoder.Model{ModelDropout: c.Dropout, Shape: decoder.Shape{VocabSize: c.VocabSize, HiddenSize: h,
		MaxPositionEmbeddings: c.MaxPositionEmbeddings, PositionOffset: positionOffset}}
	norm := func(name string) *decoder.Norm { return b.LayerNorm(name, LayerNormEps) }
	var in, out *decoder.Group
	var final *decoder.Norm
	if e != h {
		in, out = b.Group(h, e, prefix+"project_in"), b.Group(e, h, prefix+"project_out")
	}
	if c.finalNorm() {
		final = norm(prefix + "final_layer_norm")
	}
	m.Embedding, m.Head = b.Embedding(tokens, positions, in, c.PadTokenID), b.Head(final, out, tokens)
	for i := range c.NumHiddenLayers {
		l := layerName(i)
		attention := &decoder.Attention{QKV: b.Group(h, h, l+"self_attn.q_proj", l+"self_attn.k_proj", l+"self_attn.v_proj"),
			Out:   b.Group(h, h, l+"self_attn.out_proj"),
			Heads: torch.Heads{N: c.NumAttentionHeads, KV: c.NumAttentionHeads, Scale: 1 / math.Sqrt(float64(c.HeadDim()))}}
		mlp := &decoder.MLP{Up: b.Group(f, h, l+"fc1"), Down: b.Group(h, f, l+"fc2"), GELU: c.ActivationFunction == "gelu"}
		m.Layers = append(m.Layers, decoder.Layer{
			{Norm: norm(l + "self_attn_layer_norm"), NormAfter: !c.DoLayerNormBefore, Branch: attention},
			{Norm: norm(l + "final_layer_norm"), NormAfter: !c.DoLayerNormBefore, Branch: mlp},
		})
	}
	return m
}

func layerName(i int) string { return fmt.Sprintf("%slayers.%d.", prefix, i) }

// Stacks lists each layer's q, k and v, weights and biases.
func (c Config) Stacks() (stacks [][]string) {
	for i := range c.NumHiddenLayers {
		for _, kind := range []string{".weight", ".bias"} {
			a := layerName(i) + "self_attn."
			stacks = append(stacks, []string{a + "q_proj" + kind, a + "k_proj" + kind, a + "v_proj" + kind})
		}
	}
	return stacks
}

// Key adds what the published opt-350m leaves out: its keys begin with decoder, where transformers writes model.decoder.
func (Config) Key(name string) string {
	if strings.HasPrefix(name, "decoder.") {
		return "model." + name
	}
	return name
}

// Tied returns embed_tokens.weight.
func (Config) Tied() string { return tokens }

// Std returns init_std.
func (c Config) Std() float64 { return c.InitStd }

// CheckTraining refuses a config.json that asks for a dropout that is not computed here. activation_dropout is not
// read, since transformers' OPT does not use it either.
func (c Config) CheckTraining() error {
	for _, f := range []struct {
		name  string
		value float64
	}{{"attention_dropout", c.AttentionDropout}, {"layerdrop", c.LayerDrop}} {
		if f.value != 0 {
			return fmt.Errorf("config.json's %s is %v, which training would have to draw and this program does not: "+
				"give -model-dropout=0 to train without the model's own dropout", f.name, f.value)
		}
	}
	return nil
}

// JSON returns config.json as transformers reads it.
func (c Config) JSON() any {
	return struct {
		Architectures []string `json:"architectures"`
		Config
	}{[]string{"OPTForCausalLM"}, c}
}
