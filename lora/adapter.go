package lora

import (
	"math"

	"lorabench/internal/torch"
	"lorabench/opt"
)

// Adapter is LoRA on the target modules of one model.
type Adapter struct {
	Config
	*Params
	model *opt.Model
	pairs []*pair
}

// pair is A and B of one linear layer, and what it takes to undo a merge.
type pair struct {
	config   *Config
	linear   *opt.Linear
	a, b     *torch.Tensor // [r, in], [out, r]
	original *torch.Tensor // the base weight while merged, else nil
}

// NewAdapter puts an adapter on a model: A uniform in +-1/sqrt(in) (kaiming_uniform with a =
// sqrt 5, as PEFT), drawn from seed on the CPU so that it is the same on every device; B zero.
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
				s.NoGrad(func() { torch.Copy(p.a, init) })
			})
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
	linears, err := c.targets(m)
	if err != nil {
		return nil, err
	}
	var names []string
	var shapes [][]int64
	for _, l := range linears {
		names = append(names, key(l.Name, "lora_A"), key(l.Name, "lora_B"))
		shapes = append(shapes, []int64{int64(c.R), l.In}, []int64{l.Out, int64(c.R)})
	}
	var on torch.Device
	if err := torch.Run(func(*torch.Scope) error { on = m.Device(); return nil }); err != nil {
		return nil, err
	}
	params, err := newParams(names, shapes, on)
	if err != nil {
		return nil, err
	}
	a := &Adapter{Config: c, Params: params, model: m}
	for i, l := range linears {
		p := &pair{config: &a.Config, linear: l, a: params.Tensors[2*i], b: params.Tensors[2*i+1]}
		a.pairs = append(a.pairs, p)
		l.Adapter = p
	}
	return a, nil
}

// key is a parameter's name in adapter_model.safetensors.
func key(module, matrix string) string {
	return "base_model.model." + module + "." + matrix + ".weight"
}

// Close takes the adapter off the model and frees it.
func (a *Adapter) Close() {
	_ = a.Unmerge()
	for _, p := range a.pairs {
		p.linear.Adapter = nil
	}
	a.pairs = nil
	a.Params.Close()
}

// Forward is y + scaling B A dropout(x): x [T, in], y [T, out]. Each layer draws a mask of its
// own, as PEFT's do. The scale is applied to A x, the smallest of the products.
func (p *pair) Forward(s *torch.Scope, _ *opt.Linear, x, y *torch.Tensor, train bool) *torch.Tensor {
	if train {
		x = s.Dropout(x, p.config.LoraDropout)
	}
	h := s.Linear(s.Cast(x, torch.Float32), p.a, nil)
	delta := s.Linear(s.Scale(h, p.config.Scaling()), p.b, nil)
	return s.Add(y, s.Cast(delta, y.DType()))
}

// Merge adds scaling B A to the weights of this model alone and takes the adapter out of the
// forward pass: same logits, no extra cost. Other models of the same base are untouched.
func (a *Adapter) Merge() error {
	return torch.Run(func(s *torch.Scope) error {
		s.NoGrad(func() {
			for _, p := range a.pairs {
				if p.original != nil {
					continue
				}
				merged := a.scope.Layer(func(s *torch.Scope) *torch.Tensor {
					w := s.Cast(p.linear.Weight, torch.Float32)
					delta := s.Scale(s.MatMul(p.b, p.a), p.config.Scaling())
					return s.Cast(s.Add(w, delta), p.linear.Weight.DType())
				})
				p.original, p.linear.Weight, p.linear.Adapter = p.linear.Weight, merged, nil
			}
		})
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
			p.linear.Weight, p.linear.Adapter, p.original = p.original, p, nil
		}
		return nil
	})
}
