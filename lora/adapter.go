package lora

import (
	"fmt"
	"math"

	"lorabench/internal/torch"
	"lorabench/opt"
)

// Adapter is LoRA, or DoRA, on the target modules of one model.
type Adapter struct {
	Config
	*Params
	model  *opt.Model
	groups []*group
	pairs  []*pair // of all groups
}

// pair is A and B of one linear layer, and what it takes to undo a merge.
type pair struct {
	linear       *opt.Linear
	at           int           // the layer's place in its group
	a, b         *torch.Tensor // [r, in], [out, r]
	aGrad, bGrad *torch.Tensor
	m, mGrad     *torch.Tensor // DoRA's magnitude [out], else nil
	original     *torch.Tensor // the base weight while merged, else nil
}

// NewAdapter puts an adapter on a model: A uniform in +-1/sqrt(in) (kaiming_uniform with a =
// sqrt 5, as PEFT), drawn from seed on the CPU so that it is the same on every device; B zero; DoRA's
// magnitudes the norms of the weight's rows.
func NewAdapter(m *opt.Model, c Config, seed int64) (*Adapter, error) {
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
func bare(m *opt.Model, c Config) (*Adapter, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	wanted, err := c.targets(m)
	if err != nil {
		return nil, err
	}
	a := &Adapter{Config: c, model: m}
	var names []string
	var shapes [][]int64
	for _, g := range m.Groups() {
		ours := &group{config: &a.Config, layers: g}
		for i, l := range g.Linears {
			if wanted[l] {
				ours.pairs = append(ours.pairs, &pair{linear: l, at: i})
			}
		}
		if len(ours.pairs) == 0 {
			continue
		}
		a.groups = append(a.groups, ours)
		// The A's of a group lie next to each other, so that they are one matrix.
		for _, p := range ours.pairs {
			names, shapes = append(names, key(p.linear.Name, "lora_A")), append(shapes, []int64{int64(c.R), p.linear.In})
		}
		for _, p := range ours.pairs {
			names, shapes = append(names, key(p.linear.Name, "lora_B")), append(shapes, []int64{p.linear.Out, int64(c.R)})
		}
		if c.UseDoRA {
			for _, p := range ours.pairs {
				names, shapes = append(names, magnitudeKey(p.linear.Name)), append(shapes, []int64{p.linear.Out})
			}
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
	if a.Params, err = newParams(names, shapes, on); err != nil {
		return nil, err
	}
	next := 0
	take := func() (value, grad *torch.Tensor) {
		next++
		return a.Tensors[next-1], a.grads[next-1]
	}
	for _, g := range a.groups {
		for _, p := range g.pairs {
			p.a, p.aGrad = take()
		}
		for _, p := range g.pairs {
			p.b, p.bGrad = take()
		}
		if c.UseDoRA {
			for _, p := range g.pairs {
				p.m, p.mGrad = take()
			}
		}
		a.pairs = append(a.pairs, g.pairs...)
		g.layers.Adapter = g.adapter()
	}
	return a, nil
}

// checkType refuses products in bfloat16 where the base has none.
func (a *Adapter) checkType() error {
	if d := a.model.DType(); a.BFloat16 && d != torch.BFloat16 {
		return fmt.Errorf("lora: the adapter's products are to be bfloat16 and the base is %v: load the base in bfloat16, or compute them in float32", d)
	}
	return nil
}

// key is a parameter's name in adapter_model.safetensors.
func key(module, matrix string) string {
	return "base_model.model." + module + "." + matrix + ".weight"
}

// magnitudeKey is that of DoRA's magnitude, which PEFT writes without the ending.
func magnitudeKey(module string) string {
	return "base_model.model." + module + ".lora_magnitude_vector"
}

// Close takes the adapter off the model and frees it.
func (a *Adapter) Close() {
	_ = a.Unmerge()
	for _, g := range a.groups {
		g.layers.Adapter = nil
	}
	a.groups, a.pairs = nil, nil
	a.Params.Close()
}

// Merge puts W + scaling B A, with DoRA m / |V| V of it, in the place of the weights of this model alone
// and takes the adapter out of the forward pass: same logits, no extra cost. Other models of the same base are untouched.
func (a *Adapter) Merge() error {
	return torch.Run(func(s *torch.Scope) error {
		for _, p := range a.pairs {
			if p.original != nil {
				continue
			}
			merged := a.scope.Layer(func(s *torch.Scope) *torch.Tensor {
				if a.UseDoRA {
					return p.mergedDoRA(s, a.Scaling())
				}
				w := s.Cast(p.linear.Weight, torch.Float32)
				delta := s.Scale(s.MatMul(p.b, p.a), a.Scaling())
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
