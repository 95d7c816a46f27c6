package decoder

import (
	"fmt"
	"slices"
	"strings"

	"lorabench/internal/torch"
)

// Model is a decoder over weights that it does not own: several Models may share them, each with its own adapters.
type Model struct {
	Config
	Shape
	Embedding Embedding
	Layers    []Layer
	Head      Head

	// ModelDropout is the probability of dropout on the branches' results while training; config.json's unless changed by SetDropout.
	ModelDropout float64
	dropoutOff   bool // by SetDropout
	// Checkpoint keeps only each layer's input and its dropout masks from the forward pass and
	// computes the layer again in the backward pass (Chen et al. 2016, arXiv:1604.06174): the lowest
	// peak for about a third more time. The gradients are the same.
	Checkpoint bool
	// Watch, if not nil, is called by Gradient at each stage of a row, to attribute memory. It must not touch tensors.
	Watch func(stage Stage, row Bytes)

	weights map[string]*torch.Tensor
	groups  []*Group
}

// Shape is what the parts of a model do not hold themselves.
type Shape struct {
	VocabSize, HiddenSize, MaxPositionEmbeddings int64
	PositionOffset                               int64   // the row of the positions' table that the first token reads
	Window                                       int64   // a sequence longer than that would need a sliding window; 0 is none
	Rotary                                       *Rotary // nil is none
}

// Config is config.json of a family.
type Config interface {
	// Check refuses what the family's package does not compute.
	Check() error
	// Params lists every weight in a fixed order. A tied head is not among them.
	Params() []Param
	// Stacks lists names of weights that are to lie next to each other, so that they are one matrix product.
	Stacks() [][]string
	// Key returns the name in Params of a checkpoint's weight; "" for one that is not read.
	Key(name string) string
	// Build assembles the model.
	Build(*Builder) *Model
	// CheckTraining refuses a dropout that training does not compute.
	CheckTraining() error
	// Tied returns the name of the weight that the head shares; "" where it has its own.
	Tied() string
	// Std returns the standard deviation of generated weights.
	Std() float64
	// JSON returns the file's content, for saving.
	JSON() any
}

// Param is a weight's name in model.safetensors and its shape.
type Param struct {
	Name  string
	Shape []int64
}

// Size returns the number of elements.
func (p Param) Size() int64 {
	n := int64(1)
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// New makes a model of frozen weights, by their names in [Config.Params]. It does not take ownership.
func New(c Config, weights map[string]*torch.Tensor) (*Model, error) {
	return NewTrainable(c, weights, nil)
}

// NewTrainable is New with gradients, to which [Model.Gradient] adds: the weights that have one are trained.
func NewTrainable(c Config, weights, gradients map[string]*torch.Tensor) (*Model, error) {
	params := c.Params()
	for _, p := range params {
		t := weights[p.Name]
		if t == nil {
			return nil, fmt.Errorf("weight %s is missing", p.Name)
		}
		if got := t.Shape(); !slices.Equal(got, p.Shape) {
			return nil, fmt.Errorf("weight %s has shape %v, the config wants %v", p.Name, got, p.Shape)
		}
		if g := gradients[p.Name]; g != nil && !slices.Equal(g.Shape(), p.Shape) {
			return nil, fmt.Errorf("the gradient of %s has shape %v, the config wants %v", p.Name, g.Shape(), p.Shape)
		}
	}
	if len(weights) != len(params) {
		return nil, fmt.Errorf("%d weights given, the config has %d", len(weights), len(params))
	}
	return build(c, weights, gradients), nil
}

// build is NewTrainable for weights that are known to fit. It calls no tensor operation.
func build(c Config, weights, gradients map[string]*torch.Tensor) *Model {
	m := c.Build(&Builder{weights, gradients})
	m.Config, m.weights = c, weights
	for _, g := range []*Group{m.Embedding.In, m.Head.Out} {
		if g != nil {
			m.groups = append(m.groups, g)
		}
	}
	for _, l := range m.Layers {
		for _, sub := range l {
			m.groups = append(m.groups, sub.Branch.groups()...)
		}
	}
	return m
}

// Builder hands out a model's parts by the names of their weights.
type Builder struct{ weights, gradients map[string]*torch.Tensor }

// Group returns the linear layers called names, [out, in] each.
func (b *Builder) Group(out, in int64, names ...string) *Group {
	g := &Group{}
	for _, name := range names {
		g.Linears = append(g.Linears, b.Linear(name, out, in))
	}
	return g
}

// Linear returns the layer called name.
func (b *Builder) Linear(name string, out, in int64) *Linear {
	w, bias := name+".weight", name+".bias"
	return &Linear{Name: name, Weight: b.weights[w], Bias: b.weights[bias], In: in, Out: out,
		weightGrad: b.gradients[w], biasGrad: b.gradients[bias]}
}

// LayerNorm returns the layer norm called name.
func (b *Builder) LayerNorm(name string, eps float64) *Norm {
	w, bias := name+".weight", name+".bias"
	return &Norm{Weight: b.weights[w], Bias: b.weights[bias], Eps: eps, weightGrad: b.gradients[w], biasGrad: b.gradients[bias]}
}

// RMSNorm returns the root mean square norm called name.
func (b *Builder) RMSNorm(name string, eps float64) *Norm {
	n := b.LayerNorm(name, eps)
	n.RMS = true
	return n
}

// Embedding returns the tokens' table and, unless positions is "", the positions' table.
func (b *Builder) Embedding(tokens, positions string, in *Group, pad int64) Embedding {
	return Embedding{Tokens: b.weights[tokens], In: in, Positions: b.weights[positions], Pad: pad,
		tokensGrad: b.gradients[tokens], positionsGrad: b.gradients[positions]}
}

// Head returns the head over the weight called name.
func (b *Builder) Head(norm *Norm, out *Group, name string) Head {
	return Head{Norm: norm, Out: out, Weight: b.weights[name], weightGrad: b.gradients[name]}
}

// Share makes another model of the same weights, frozen and without adapters.
func (m *Model) Share() *Model {
	c := build(m.Config, m.weights, nil)
	c.Inherit(m)
	return c
}

// Inherit copies the training settings of another model.
func (m *Model) Inherit(of *Model) {
	m.ModelDropout, m.dropoutOff, m.Checkpoint = of.ModelDropout, of.dropoutOff, of.Checkpoint
}

// SetDropout gives the model another ModelDropout. With 0 it trains without any dropout of its own, so that config.json's
// other dropouts do not act either.
func (m *Model) SetDropout(p float64) { m.ModelDropout, m.dropoutOff = p, p == 0 }

// CheckTraining refuses a model whose config.json asks for a dropout that is not computed here.
func (m *Model) CheckTraining() error {
	if m.dropoutOff {
		return nil
	}
	return m.Config.CheckTraining()
}

// Groups lists the linear layers by what they read: those of the embedding and the head first, then layer by
// layer q, k and v together, and so on.
func (m *Model) Groups() []*Group { return m.groups }

// Linears lists the linear layers in the order of Groups.
func (m *Model) Linears() []*Linear {
	var ls []*Linear
	for _, g := range m.groups {
		ls = append(ls, g.Linears...)
	}
	return ls
}

// Weights returns the model's weights by name.
func (m *Model) Weights() map[string]*torch.Tensor { return m.weights }

// Device returns the weights' device.
func (m *Model) Device() torch.Device { return m.Embedding.Tokens.Device() }

// DType returns the weights' element type.
func (m *Model) DType() torch.DType { return m.Embedding.Tokens.DType() }

// NumParameters counts the weights, and the weights without embeddings, of which the Trainer computes total_flos
// (num_parameters(exclude_embeddings=True)).
func NumParameters(c Config) (all, withoutEmbeddings int64) {
	for _, p := range c.Params() {
		all += p.Size()
		if !embedding(p.Name) {
			withoutEmbeddings += p.Size()
		}
	}
	return all, withoutEmbeddings
}

// embedding reports whether a weight is an nn.Embedding's.
func embedding(name string) bool {
	return strings.HasSuffix(name, "embed_tokens.weight") || strings.HasSuffix(name, "embed_positions.weight")
}

// WeightBytes returns the size of the model's weights.
func (m *Model) WeightBytes() int64 {
	all, _ := NumParameters(m.Config)
	return all * m.DType().Size()
}
