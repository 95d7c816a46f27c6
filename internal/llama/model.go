package llama

import (
	"fmt"
	"math"
	"strings"

	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

const (
	tokens = "model.embed_tokens.weight"
	head   = "lm_head.weight"
)

func layerName(i int) string { return fmt.Sprintf("model.layers.%d.", i) }

// Build assembles a model as the package comment describes it.
func (c Config) Build(b *decoder.Builder) *decoder.Model {
	rotary, _ := c.rotary() // Check has seen the error
	h, f, q, kv := c.HiddenSize, c.IntermediateSize, c.NumAttentionHeads*c.HeadDim, c.NumKeyValueHeads*c.HeadDim
	pad := int64(-1)
	if c.PadTokenID != nil {
		if pad = *c.PadTokenID; pad < 0 {
			pad += c.VocabSize // as torch.nn.Embedding counts
		}
	}
	m := &decoder.Model{Shape: decoder.Shape{VocabSize: c.VocabSize, HiddenSize: h, MaxPositionEmbeddings: c.MaxPositionEmbeddings,
		Window: c.window(), Rotary: rotary}}
	norm := func(name string) *decoder.Norm { return b.RMSNorm(name, c.RMSNormEps) }
	m.Embedding = b.Embedding(tokens, "", nil, pad)
	m.Head = b.Head(norm("model.norm"), nil, head)
	if c.TieWordEmbeddings {
		m.Head = b.Head(norm("model.norm"), nil, tokens)
	}
	for i := range c.NumHiddenLayers {
		l := layerName(i)
		attention := &decoder.Attention{
			QKV: &decoder.Group{Linears: []*decoder.Linear{b.Linear(l+"self_attn.q_proj", q, h), b.Linear(l+"self_attn.k_proj", kv, h),
				b.Linear(l+"self_attn.v_proj", kv, h)}},
			Out:    b.Group(h, q, l+"self_attn.o_proj"),
			Heads:  torch.Heads{N: c.NumAttentionHeads, KV: c.NumKeyValueHeads, Scale: 1 / math.Sqrt(float64(c.HeadDim))},
			Rotary: true,
		}
		if c.ModelType == "qwen3" {
			attention.QNorm, attention.KNorm = norm(l+"self_attn.q_norm"), norm(l+"self_attn.k_norm")
		}
		mlp := &decoder.GatedMLP{Up: b.Group(f, h, l+"mlp.gate_proj", l+"mlp.up_proj"), Down: b.Group(h, f, l+"mlp.down_proj")}
		m.Layers = append(m.Layers, decoder.Layer{
			{Norm: norm(l + "input_layernorm"), Branch: attention}, {Norm: norm(l + "post_attention_layernorm"), Branch: mlp}})
	}
	return m
}

// Params lists every weight of the model in a fixed order.
func (c Config) Params() (ps []decoder.Param) {
	h, f, q, kv := c.HiddenSize, c.IntermediateSize, c.NumAttentionHeads*c.HeadDim, c.NumKeyValueHeads*c.HeadDim
	add := func(name string, shape ...int64) { ps = append(ps, decoder.Param{Name: name, Shape: shape}) }
	linear := func(name string, out, in int64, bias bool) {
		if add(name+".weight", out, in); bias {
			add(name+".bias", out)
		}
	}
	inner, outer := c.bias()
	mlp := c.MLPBias && c.ModelType == "llama"
	add(tokens, c.VocabSize, h)
	for i := range c.NumHiddenLayers {
		l := layerName(i)
		linear(l+"self_attn.q_proj", q, h, inner)
		linear(l+"self_attn.k_proj", kv, h, inner)
		linear(l+"self_attn.v_proj", kv, h, inner)
		linear(l+"self_attn.o_proj", h, q, outer)
		if c.ModelType == "qwen3" {
			add(l+"self_attn.q_norm.weight", c.HeadDim)
			add(l+"self_attn.k_norm.weight", c.HeadDim)
		}
		linear(l+"mlp.gate_proj", f, h, mlp)
		linear(l+"mlp.up_proj", f, h, mlp)
		linear(l+"mlp.down_proj", h, f, mlp)
		add(l+"input_layernorm.weight", h)
		add(l+"post_attention_layernorm.weight", h)
	}
	if add("model.norm.weight", h); !c.TieWordEmbeddings {
		add(head, c.VocabSize, h)
	}
	return ps
}

// Stacks lists each layer's q, k and v, and its gate and up, weights and biases.
func (c Config) Stacks() (stacks [][]string) {
	for i := range c.NumHiddenLayers {
		l := layerName(i)
		for _, kind := range []string{".weight", ".bias"} {
			stacks = append(stacks, []string{l + "self_attn.q_proj" + kind, l + "self_attn.k_proj" + kind, l + "self_attn.v_proj" + kind},
				[]string{l + "mlp.gate_proj" + kind, l + "mlp.up_proj" + kind})
		}
	}
	return stacks
}

// Key returns the name itself, and "" for the rotary frequencies that old checkpoints of Llama 2 also hold.
func (Config) Key(name string) string {
	if strings.HasSuffix(name, ".rotary_emb.inv_freq") {
		return ""
	}
	return name
}

// Tied returns embed_tokens.weight, if the head shares it.
func (c Config) Tied() string {
	if c.TieWordEmbeddings {
		return tokens
	}
	return ""
}

// Std returns initializer_range.
func (c Config) Std() float64 { return c.InitializerRange }

// CheckTraining refuses attention_dropout, which is not computed here.
func (c Config) CheckTraining() error {
	if c.AttentionDropout != 0 {
		return fmt.Errorf("config.json's attention_dropout is %v, which training would have to draw and this program does not: "+
			"give -model-dropout=0 to train without the model's own dropout", c.AttentionDropout)
	}
	return nil
}

// JSON returns config.json as it was read.
func (c Config) JSON() any { return c.raw }
