package opt

import (
	"fmt"

	"lorabench/internal/torch"
)

// Adapter changes what a Linear computes. Forward is given the layer, its input x [T, in] and
// its own result y [T, out], and returns the adapted result [T, out].
type Adapter interface {
	Forward(s *torch.Scope, l *Linear, x, y *torch.Tensor, train bool) *torch.Tensor
}

// Linear is y = x Weight^T + Bias, and what its Adapter, if any, makes of it.
type Linear struct {
	Name    string // the module's name, e.g. model.decoder.layers.0.self_attn.q_proj
	Weight  *torch.Tensor
	Bias    *torch.Tensor // nil where the model has none
	In, Out int64
	Adapter Adapter
}

func (l *Linear) forward(s *torch.Scope, x *torch.Tensor, train bool) *torch.Tensor {
	y := s.Linear(x, l.Weight, l.Bias)
	if l.Adapter == nil {
		return y
	}
	return l.Adapter.Forward(s, l, x, y, train)
}

type norm struct{ weight, bias *torch.Tensor }

func (n norm) forward(s *torch.Scope, x *torch.Tensor) *torch.Tensor {
	return s.LayerNorm(x, n.weight, n.bias, LayerNormEps)
}

type layer struct {
	q, k, v, out, fc1, fc2 *Linear
	attnNorm, finalNorm    norm
}

// Model is an OPT model over weights that somebody else owns: several Models may share them, each
// with adapters of its own.
type Model struct {
	Config
	// ModelDropout is the probability of dropout on the attention's and fc2's output while
	// training; config.json's dropout unless changed.
	ModelDropout float64

	weights            map[string]*torch.Tensor
	embed, positions   *torch.Tensor
	projectIn, projOut *Linear
	final              norm
	layers             []layer
	linears            []*Linear
}

// New makes a model of weights by their names in [Config.Params]; it does not take ownership.
func New(c Config, weights map[string]*torch.Tensor) (*Model, error) {
	params := c.Params()
	for _, p := range params {
		t := weights[p.Name]
		if t == nil {
			return nil, fmt.Errorf("weight %s is missing", p.Name)
		}
		if got := t.Shape(); !sameShape(got, p.Shape) {
			return nil, fmt.Errorf("weight %s has shape %v, the config wants %v", p.Name, got, p.Shape)
		}
	}
	if len(weights) != len(params) {
		return nil, fmt.Errorf("%d weights given, the config has %d", len(weights), len(params))
	}
	return build(c, weights), nil
}

// build is New for weights that are known to fit. It touches no tensor.
func build(c Config, weights map[string]*torch.Tensor) *Model {
	const d = "model.decoder."
	m := &Model{Config: c, ModelDropout: c.Dropout, weights: weights,
		embed: weights[d+"embed_tokens.weight"], positions: weights[d+"embed_positions.weight"]}
	bare := func(name string, out, in int64) *Linear {
		return &Linear{Name: name, Weight: weights[name+".weight"], Bias: weights[name+".bias"], In: in, Out: out}
	}
	linear := func(name string, out, in int64) *Linear {
		l := bare(name, out, in)
		m.linears = append(m.linears, l)
		return l
	}
	ln := func(name string) norm { return norm{weights[name+".weight"], weights[name+".bias"]} }
	h, e, f := c.HiddenSize, c.WordEmbedProjDim, c.FFNDim
	if e != h {
		m.projectIn, m.projOut = linear(d+"project_in", h, e), linear(d+"project_out", e, h)
	}
	if c.finalNorm() {
		m.final = ln(d + "final_layer_norm")
	}
	for i := range c.NumHiddenLayers {
		l := fmt.Sprintf("%slayers.%d.", d, i)
		m.layers = append(m.layers, layer{
			q: linear(l+"self_attn.q_proj", h, h), k: linear(l+"self_attn.k_proj", h, h),
			v: linear(l+"self_attn.v_proj", h, h), out: linear(l+"self_attn.out_proj", h, h),
			fc1: linear(l+"fc1", f, h), fc2: linear(l+"fc2", h, f),
			attnNorm: ln(l + "self_attn_layer_norm"), finalNorm: ln(l + "final_layer_norm"),
		})
	}
	return m
}

// Share makes another model of the same weights, without adapters.
func (m *Model) Share() *Model {
	c := build(m.Config, m.weights)
	c.ModelDropout = m.ModelDropout
	return c
}

// Linears lists the linear layers in the order of the forward pass, project_in and project_out
// first.
func (m *Model) Linears() []*Linear { return m.linears }

// Weights is the model's weights by name.
func (m *Model) Weights() map[string]*torch.Tensor { return m.weights }

// Device is where the weights are.
func (m *Model) Device() torch.Device { return m.embed.Device() }

// DType is the weights' element type.
func (m *Model) DType() torch.DType { return m.embed.DType() }

func sameShape(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
