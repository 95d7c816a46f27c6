package lora

import (
	"lorabench/internal/torch"
	"lorabench/opt"
)

// group is the pairs on linear layers that read the same input: n of them.
type group struct {
	config *Config
	layers *opt.Group
	pairs  []*pair
}

// Forward adds scaling B A dropout(x) to each layer's part of y. Without dropout the A's are one matrix
// and one product; with it each layer has a mask of its own, as PEFT's do, and the products are one
// batched call. What it keeps is A dropout(x): [T, n r] without dropout, [n, T, r] with it.
func (g *group) Forward(s *torch.Scope, x, y *torch.Tensor, train bool, k *opt.Kept) {
	h := s.Layer(func(inner *torch.Scope) *torch.Tensor {
		x := inner.Cast(x, g.dtype())
		if !train || g.config.LoraDropout == 0 {
			return inner.Linear(x, g.stacked(inner, false), nil)
		}
		dropped := g.dropped(inner, s, x, k)
		h := inner.Empty(x.DType(), x.Device(), int64(len(g.pairs)), x.Dim(0), int64(g.config.R))
		torch.AddMM(h, dropped, g.matrices(inner, false), false, true, 0, 1)
		return h
	})
	for i, p := range g.pairs {
		s.Do(func(s *torch.Scope) {
			part := g.layers.Part(s, y, p.at)
			if y.DType() == g.dtype() {
				torch.AddMM(part, g.part(s, h, i), p.b, false, true, 1, g.config.Scaling())
				return
			}
			delta := s.Scale(s.Linear(g.part(s, h, i), p.b, nil), g.config.Scaling())
			torch.AddIn(part, delta)
		})
	}
	if k == nil {
		s.Drop(h)
	} else {
		k.Values = h
	}
}

// dropped is dropout(x) for each layer [n, T, in]: by the masks in k where there are any, else by new ones,
// which go to k, if that is given, and belong to outer.
func (g *group) dropped(s, outer *torch.Scope, x *torch.Tensor, k *opt.Kept) *torch.Tensor {
	n, p := len(g.pairs), g.config.LoraDropout
	if k != nil && k.Drawn != nil {
		return s.DropoutWith(x, k.Drawn, n, p)
	}
	y, mask := s.Dropout(x, n, p)
	if k != nil {
		k.Drawn = mask
		s.Move(mask, outer)
	}
	return y
}

// Backward is the gradients of y = scaling B A dropout(x): with h = A dropout(x) and e = scaling dy B,
// dB = scaling dy^T h, dA = e^T dropout(x), dx = dropout'(e A).
func (g *group) Backward(s *torch.Scope, x, dy, dx *torch.Tensor, k *opt.Kept) {
	x = s.Cast(x, g.dtype())
	h, n, p := k.Values, len(g.pairs), g.config.LoraDropout
	e := s.Empty(x.DType(), x.Device(), h.Shape()...)
	for i, q := range g.pairs {
		s.Do(func(s *torch.Scope) {
			part := s.Cast(g.layers.Part(s, dy, q.at), g.dtype())
			torch.AddMM(q.bGrad, part, g.part(s, h, i), true, false, 1, g.config.Scaling())
			torch.AddMM(g.part(s, e, i), part, q.b, false, false, 0, g.config.Scaling())
		})
	}
	if k.Drawn == nil {
		torch.AddMM(g.stacked(s, true), e, x, true, false, 1, 1)
		if dx == nil {
			return
		}
		if dx.DType() == g.dtype() {
			torch.AddMM(dx, e, g.stacked(s, false), false, false, 1, 1)
		} else {
			torch.AddIn(dx, s.MatMul(e, g.stacked(s, false)))
		}
		return
	}
	s.Do(func(s *torch.Scope) {
		torch.AddMM(g.matrices(s, true), e, s.DropoutWith(x, k.Drawn, n, p), true, false, 1, 1)
	})
	if dx == nil {
		return
	}
	d := s.Empty(x.DType(), x.Device(), int64(n), x.Dim(0), x.Dim(1))
	torch.AddMM(d, e, g.matrices(s, false), false, false, 0, 1)
	torch.AddIn(dx, s.SumRows(s.DropoutWith(d, k.Drawn, 0, p)))
}

// adapter is what the group computes: LoRA, or DoRA.
func (g *group) adapter() opt.Adapter {
	if g.config.UseDoRA {
		return dora{g}
	}
	return g
}

// dtype is the adapter's: float32 whatever the base is, as PEFT has it.
func (g *group) dtype() torch.DType { return g.pairs[0].a.DType() }

// part is pair i's [T, r] of [T, n r] or [n, T, r].
func (g *group) part(s *torch.Scope, h *torch.Tensor, i int) *torch.Tensor {
	r := int64(g.config.R)
	if shape := h.Shape(); len(shape) == 3 {
		return s.View(s.Narrow(h, 0, int64(i), 1), shape[1], r)
	}
	return s.Narrow(h, 1, int64(i)*r, r)
}

// stacked is the A's as one matrix [n r, in], or their gradients.
func (g *group) stacked(s *torch.Scope, grad bool) *torch.Tensor {
	ts := make([]*torch.Tensor, len(g.pairs))
	for i, p := range g.pairs {
		if ts[i] = p.a; grad {
			ts[i] = p.aGrad
		}
	}
	return s.Stacked(ts...)
}

// matrices is the A's as [n, r, in], or their gradients.
func (g *group) matrices(s *torch.Scope, grad bool) *torch.Tensor {
	return s.View(g.stacked(s, grad), int64(len(g.pairs)), int64(g.config.R), g.pairs[0].linear.In)
}
