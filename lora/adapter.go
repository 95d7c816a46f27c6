package lora

import (
	"fmt"
	"math"
	"strings"

	"lorabench/internal/decoder"
	"lorabench/internal/torch"
	"lorabench/internal/train"
)

// Adapter is LoRA, or DoRA, on the target modules of one model.
type Adapter struct {
	Config
	*train.Params
	model  *decoder.Model
	scope  *torch.Scope // owns merged weights, and those that InitLoRAWeights puts in place of the model's
	groups []*group
	pairs  []*pair // of all groups
}

// pair holds A and B of one linear layer, and what is needed to undo a merge.
type pair struct {
	linear       *decoder.Linear
	at           int // the layer's place in its group
	r            int64
	scaling      float64       // the factor of B A
	a, b         *torch.Tensor // [r, in], [out, r]
	aGrad, bGrad *torch.Tensor
	m, mGrad     *torch.Tensor // DoRA's magnitude [out], else nil
	original     *torch.Tensor // the base weight while merged, else nil
	shared       *torch.Tensor // the model's own weight where InitLoRAWeights put another in its place, else nil
}

// NewAdapter puts an adapter on a model: A uniform in +-1/sqrt(in) (kaiming_uniform with a =
// sqrt 5, as PEFT), drawn from seed on the CPU so that it is the same on every device; B zero; DoRA's
// magnitudes the norms of the weight's rows.
func NewAdapter(m *decoder.Model, c Config, seed int64) (*Adapter, error) {
	a, err := bare(m, c)
	if err != nil {
		return nil, err
	}
	err = torch.Run(func(s *torch.Scope) error {
		if err := torch.Seed(seed); err != nil {
			return err
		}
		for _, p := range a.pairs {
			s.Do(func(s *torch.Scope) {
				init := s.Empty(torch.Float32, torch.CPU, p.a.Shape()...)
				bound := 1 / math.Sqrt(float64(p.linear.In))
				torch.UniformIn(init, -bound, bound)
				torch.Copy(p.a, init)
			})
		}
		if c.UseDoRA {
			return a.directions(s, true)
		}
		return nil
	})
	if err == nil {
		err = a.Remember()
	}
	if err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// bare puts an adapter of zeros on the model.
func bare(m *decoder.Model, c Config) (*Adapter, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c = c.named(m)
	wanted, err := c.targets(m)
	if err != nil {
		return nil, err
	}
	a := &Adapter{Config: c, model: m, scope: torch.NewScope()}
	for _, g := range m.Groups() {
		ours := &group{config: &a.Config, layers: g}
		for i, l := range g.Linears {
			if wanted[l] {
				own := c.of(l.Name)
				ours.pairs = append(ours.pairs, &pair{linear: l, at: i, r: int64(own.R), scaling: own.Scaling()})
			}
		}
		if len(ours.pairs) > 0 {
			a.groups, a.pairs = append(a.groups, ours), append(a.pairs, ours.pairs...)
		}
	}
	var on torch.Device
	err = torch.Run(func(*torch.Scope) error {
		on = m.Device()
		return a.checkType()
	})
	if err != nil {
		return nil, err
	}
	return a, a.place(on)
}

// place makes the parameters. The A's of a group lie next to each other, so that they are one matrix.
func (a *Adapter) place(on torch.Device) (err error) {
	var names []string
	var shapes [][]int64
	var to []func(value, grad *torch.Tensor)
	for _, g := range a.groups {
		for _, p := range g.pairs {
			names, shapes = append(names, key(p.linear.Name, "lora_A")), append(shapes, []int64{p.r, p.linear.In})
			to = append(to, func(value, grad *torch.Tensor) { p.a, p.aGrad = value, grad })
		}
		for _, p := range g.pairs {
			names, shapes = append(names, key(p.linear.Name, "lora_B")), append(shapes, []int64{p.linear.Out, p.r})
			to = append(to, func(value, grad *torch.Tensor) { p.b, p.bGrad = value, grad })
		}
		for _, p := range g.pairs {
			if a.UseDoRA {
				names, shapes = append(names, magnitudeKey(p.linear.Name)), append(shapes, []int64{p.linear.Out})
				to = append(to, func(value, grad *torch.Tensor) { p.m, p.mGrad = value, grad })
			}
		}
	}
	if a.Params, err = train.NewParams(names, shapes, on); err != nil {
		return err
	}
	for i, set := range to {
		set(a.Tensors[i], a.Gradient(i))
	}
	for _, g := range a.groups {
		g.layers.Adapter = g.adapter()
	}
	return nil
}

// checkType refuses products in bfloat16 if the base is not bfloat16.
func (a *Adapter) checkType() error {
	if d := a.model.DType(); a.BFloat16 && d != torch.BFloat16 {
		return fmt.Errorf("lora: the adapter's products are to be bfloat16 and the base is %v: load the base in bfloat16, or compute them in float32", d)
	}
	return nil
}

// key returns a parameter's name in adapter_model.safetensors.
func key(module, matrix string) string {
	return "base_model.model." + module + "." + matrix + ".weight"
}

// magnitudeKey returns the name of DoRA's magnitude, which PEFT writes without .weight.
func magnitudeKey(module string) string {
	return "base_model.model." + module + ".lora_magnitude_vector"
}

// module returns the module of the parameter called name.
func module(name string) string {
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "base_model.model."), ".lora_")
	return name
}

// Close removes the adapter from the model and frees it.
func (a *Adapter) Close() {
	_ = a.Unmerge()
	for _, g := range a.groups {
		g.layers.Adapter = nil
	}
	for _, p := range a.pairs {
		if p.shared != nil {
			p.linear.Weight = p.shared
		}
	}
	a.groups, a.pairs = nil, nil
	_ = torch.Run(func(*torch.Scope) error { a.scope.Free(); return nil })
	a.Params.Close()
}

// Merge replaces the weights of this model alone by W + scaling B A, with DoRA by m / |V| V of it,
// and takes the adapter out of the forward pass: same logits, no extra cost. Other models of the same base are untouched.
func (a *Adapter) Merge() error {
	return torch.Run(func(s *torch.Scope) error {
		for _, p := range a.pairs {
			if p.original != nil {
				continue
			}
			merged := a.scope.Layer(func(s *torch.Scope) *torch.Tensor {
				if a.UseDoRA {
					return p.mergedDoRA(s)
				}
				w := s.Cast(p.linear.Weight, torch.Float32)
				delta := s.Scale(s.MatMul(p.b, p.a), p.scaling)
				return s.Cast(s.Add(w, delta), p.linear.Weight.DType())
			})
			p.original, p.linear.Weight = p.linear.Weight, merged
		}
		for _, g := range a.groups {
			g.layers.Adapter = nil
		}
		return nil
	})
}

// Unmerge puts the base weights back, bit for bit, and the adapter into the forward pass.
func (a *Adapter) Unmerge() error {
	return torch.Run(func(*torch.Scope) error {
		for _, p := range a.pairs {
			if p.original == nil {
				continue
			}
			a.scope.Drop(p.linear.Weight)
			p.linear.Weight, p.original = p.original, nil
		}
		for _, g := range a.groups {
			g.layers.Adapter = g.adapter()
		}
		return nil
	})
}

// FLOPs returns total_flos as Hugging Face's Trainer counts it: 6 floating-point operations for each
// parameter, adapter included and embeddings not, and each token, padding included.
func FLOPs(m *decoder.Model, adapter *Adapter, paddedTokens int64) float64 {
	_, n := decoder.NumParameters(m.Config)
	if adapter != nil {
		n += adapter.N()
	}
	return 6 * float64(n) * float64(paddedTokens)
}
