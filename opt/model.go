package opt

import (
	"fmt"

	"lorabench/internal/torch"
)

// Linear is y = x Weight^T + Bias.
type Linear struct {
	Name    string // the module's name, e.g. model.decoder.layers.0.self_attn.q_proj
	Weight  *torch.Tensor
	Bias    *torch.Tensor // nil where the model has none
	In, Out int64

	weightGrad, biasGrad *torch.Tensor // where training sums the gradients; nil where frozen
}

type norm struct{ weight, bias, weightGrad, biasGrad *torch.Tensor }

type layer struct {
	qkv, out, fc1, fc2  *Group
	attnNorm, finalNorm norm
}

// Model is an OPT model over weights that somebody else owns: several Models may share them, each
// with adapters of its own.
type Model struct {
	Config
	// ModelDropout is the probability of dropout on the attention's and fc2's output while
	// training; config.json's dropout unless changed by SetDropout.
	ModelDropout float64
	// Checkpoint keeps only each layer's input and its dropout masks from the forward pass and
	// computes the layer again in the backward pass (Chen et al. 2016, arXiv:1604.06174): the lowest
	// peak for about a third more time. The gradients are the same.
	Checkpoint bool
	// Watch, if not nil, is called by Gradient at the end of each stage of its work on a row of so many
	// tokens: for telling memory apart. It must not touch tensors.
	Watch func(stage Stage, row Row)

	weights                  map[string]*torch.Tensor
	embed, positions         *torch.Tensor
	embedGrad, positionsGrad *torch.Tensor
	projectIn, projOut       *Group
	final                    norm
	layers                   []layer
	groups                   []*Group
}

// New makes a model of frozen weights by their names in [Config.Params]; it does not take ownership.
func New(c Config, weights map[string]*torch.Tensor) (*Model, error) {
	return NewTrainable(c, weights, nil)
}

// NewTrainable makes a model of which every weight that has a gradient is trained: [Model.Gradient]
// adds to it.
func NewTrainable(c Config, weights, gradients map[string]*torch.Tensor) (*Model, error) {
	params := c.Params()
	for _, p := range params {
		t := weights[p.Name]
		if t == nil {
			return nil, fmt.Errorf("weight %s is missing", p.Name)
		}
		if got := t.Shape(); !sameShape(got, p.Shape) {
			return nil, fmt.Errorf("weight %s has shape %v, the config wants %v", p.Name, got, p.Shape)
		}
		if g := gradients[p.Name]; g != nil && !sameShape(g.Shape(), p.Shape) {
			return nil, fmt.Errorf("the gradient of %s has shape %v, the config wants %v", p.Name, g.Shape(), p.Shape)
		}
	}
	if len(weights) != len(params) {
		return nil, fmt.Errorf("%d weights given, the config has %d", len(weights), len(params))
	}
	return build(c, weights, gradients), nil
}

// build is NewTrainable for weights that are known to fit. It touches no tensor.
func build(c Config, weights, gradients map[string]*torch.Tensor) *Model {
	const d = "model.decoder."
	const tokens, positions = d + "embed_tokens.weight", d + "embed_positions.weight"
	m := &Model{Config: c, ModelDropout: c.Dropout, weights: weights, embed: weights[tokens], positions: weights[positions],
		embedGrad: gradients[tokens], positionsGrad: gradients[positions]}
	group := func(out, in int64, names ...string) *Group {
		g := &Group{}
		for _, name := range names {
			w, b := name+".weight", name+".bias"
			g.Linears = append(g.Linears, &Linear{Name: name, Weight: weights[w], Bias: weights[b], In: in, Out: out,
				weightGrad: gradients[w], biasGrad: gradients[b]})
		}
		m.groups = append(m.groups, g)
		return g
	}
	ln := func(name string) norm {
		w, b := name+".weight", name+".bias"
		return norm{weights[w], weights[b], gradients[w], gradients[b]}
	}
	h, e, f := c.HiddenSize, c.WordEmbedProjDim, c.FFNDim
	if e != h {
		m.projectIn, m.projOut = group(h, e, d+"project_in"), group(e, h, d+"project_out")
	}
	if c.finalNorm() {
		m.final = ln(d + "final_layer_norm")
	}
	for i := range c.NumHiddenLayers {
		l := fmt.Sprintf("%slayers.%d.", d, i)
		m.layers = append(m.layers, layer{
			qkv: group(h, h, l+"self_attn.q_proj", l+"self_attn.k_proj", l+"self_attn.v_proj"), out: group(h, h, l+"self_attn.out_proj"),
			fc1: group(f, h, l+"fc1"), fc2: group(h, f, l+"fc2"),
			attnNorm: ln(l + "self_attn_layer_norm"), finalNorm: ln(l + "final_layer_norm"),
		})
	}
	return m
}

// Share makes another model of the same weights, frozen and without adapters.
func (m *Model) Share() *Model {
	c := build(m.Config, m.weights, nil)
	c.ModelDropout, c.Checkpoint = m.ModelDropout, m.Checkpoint
	return c
}

// SetDropout gives the model another ModelDropout. With 0 it trains without any dropout of its own, so that config.json's
// attention_dropout and layerdrop do not act either.
func (m *Model) SetDropout(p float64) {
	if m.ModelDropout = p; p == 0 {
		m.AttentionDropout, m.LayerDrop = 0, 0
	}
}

// CheckTraining refuses a model whose config.json asks for a dropout that is not computed here. activation_dropout is not
// read, since transformers' OPT does not use it either.
func (m *Model) CheckTraining() error {
	for _, f := range []struct {
		name  string
		value float64
	}{{"attention_dropout", m.AttentionDropout}, {"layerdrop", m.LayerDrop}} {
		if f.value != 0 {
			return fmt.Errorf("config.json's %s is %v, which training would have to draw and this program does not: "+
				"give -model-dropout=0 to train without the model's own dropout", f.name, f.value)
		}
	}
	return nil
}

// Groups lists the linear layers by what they read: project_in and project_out first, then layer by
// layer q, k and v together, out_proj, fc1, fc2.
func (m *Model) Groups() []*Group { return m.groups }

// Linears lists the linear layers in the order of Groups.
func (m *Model) Linears() []*Linear {
	var ls []*Linear
	for _, g := range m.groups {
		ls = append(ls, g.Linears...)
	}
	return ls
}

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
