package lora

import (
	"slices"

	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

// group holds the n pairs on linear layers that read the same input.
type group struct {
	config *Config
	layers *decoder.Group
	pairs  []*pair
}

// saved holds what a group keeps of its forward pass.
type saved struct {
	h    *torch.Tensor // A dropout(x)
	mask *torch.Tensor // of dropout; nil without
}

// Forward adds scaling B A dropout(x) to each layer's part of y. Without dropout the A's are one matrix
// and one product; with it each layer has a mask of its own, as PEFT's do, and the products are one
// batched call, if they have one rank. It saves A dropout(x): [T, n r] without dropout, [n, T, r] with it; with different
// ranks [T, sum of r] in either case.
func (g *group) Forward(s *torch.Scope, x, y *torch.Tensor, train bool, k *decoder.Saved) {
	s.Do(func(inner *torch.Scope) {
		a, bs := g.factors(inner)
		h := inner.Layer(func(inner *torch.Scope) *torch.Tensor {
			x := inner.Cast(x, g.dtype())
			if !train || g.config.LoraDropout == 0 {
				return inner.Linear(x, a, nil)
			}
			dropped := g.dropped(inner, x, k)
			if !g.even() {
				h := inner.Empty(x.DType(), x.Device(), x.Dim(0), g.ranks(len(g.pairs)))
				for i, p := range g.pairs {
					torch.AddMM(g.part(inner, h, i), copyOf(inner, dropped, i), inner.Narrow(a, 0, g.ranks(i), p.r), false, true, 0, 1)
				}
				return h
			}
			h := inner.Empty(x.DType(), x.Device(), int64(len(g.pairs)), x.Dim(0), g.pairs[0].r)
			torch.AddMM(h, dropped, g.matrices(inner, a), false, true, 0, 1)
			return h
		})
		for i, p := range g.pairs {
			inner.Do(func(s *torch.Scope) {
				part := g.layers.Part(s, y, p.at)
				if y.DType() == g.dtype() {
					torch.AddMM(part, g.part(s, h, i), bs[i], false, true, 1, p.scaling)
					return
				}
				delta := s.Scale(s.Linear(g.part(s, h, i), bs[i], nil), p.scaling)
				torch.AddIn(part, delta)
			})
		}
		decoder.Record[saved](k, g).h = h
		k.Save(h)
	})
}

// dropped returns dropout(x) for each layer [n, T, in]: by the masks in k if there are any, else by new
// ones, which k saves.
func (g *group) dropped(s *torch.Scope, x *torch.Tensor, k *decoder.Saved) *torch.Tensor {
	n, p, r := len(g.pairs), g.config.LoraDropout, decoder.Record[saved](k, g)
	if r.mask != nil {
		return s.DropoutWith(x, r.mask, n, p)
	}
	y, mask := s.Dropout(x, n, p)
	r.mask = mask
	k.SaveRandom(mask)
	return y
}

// Backward adds the gradients of y = scaling B A dropout(x): with h = A dropout(x) and e = scaling dy B,
// dB = scaling dy^T h, dA = e^T dropout(x), dx = dropout'(e A).
func (g *group) Backward(s *torch.Scope, x, dy, dx *torch.Tensor, k *decoder.Saved) {
	a, bs := g.factors(s)
	x = s.Cast(x, g.dtype())
	r, n, p := decoder.Record[saved](k, g), len(g.pairs), g.config.LoraDropout
	h := r.h
	e := s.Empty(x.DType(), x.Device(), h.Shape()...)
	for i, q := range g.pairs {
		s.Do(func(s *torch.Scope) {
			part := s.Cast(g.layers.Part(s, dy, q.at), g.dtype())
			torch.AddMM(q.bGrad, part, g.part(s, h, i), true, false, 1, q.scaling)
			torch.AddMM(g.part(s, e, i), part, bs[i], false, false, 0, q.scaling)
		})
	}
	if r.mask == nil {
		torch.AddMM(g.stacked(s, true), e, x, true, false, 1, 1)
		if dx == nil {
			return
		}
		if dx.DType() == g.dtype() {
			torch.AddMM(dx, e, a, false, false, 1, 1)
		} else {
			torch.AddIn(dx, s.MatMul(e, a))
		}
		return
	}
	s.Do(func(s *torch.Scope) {
		dropped := s.DropoutWith(x, r.mask, n, p)
		if g.even() {
			torch.AddMM(g.matrices(s, g.stacked(s, true)), e, dropped, true, false, 1, 1)
			return
		}
		for i, q := range g.pairs {
			torch.AddMM(q.aGrad, g.part(s, e, i), copyOf(s, dropped, i), true, false, 1, 1)
		}
	})
	if dx == nil {
		return
	}
	d := s.Empty(x.DType(), x.Device(), int64(n), x.Dim(0), x.Dim(1))
	if g.even() {
		torch.AddMM(d, e, g.matrices(s, a), false, false, 0, 1)
	} else {
		for i, q := range g.pairs {
			torch.AddMM(copyOf(s, d, i), g.part(s, e, i), s.Narrow(a, 0, g.ranks(i), q.r), false, false, 0, 1)
		}
	}
	torch.AddIn(dx, s.SumRows(s.DropoutWith(d, r.mask, 0, p)))
}

var _ decoder.Adapter = (*group)(nil)

// adapter returns what the group computes: LoRA, or DoRA.
func (g *group) adapter() decoder.Adapter {
	if g.config.UseDoRA {
		return dora{g}
	}
	return g
}

// dtype returns the type that products are computed in. A, B, their gradients and moments are float32
// whatever it and the base's type are, as in PEFT.
func (g *group) dtype() torch.DType {
	if g.config.BFloat16 {
		return torch.BFloat16
	}
	return g.pairs[0].a.DType()
}

// factors returns the A's as one matrix [n r, in] and each B [out, r] in the type of the products. In bfloat16
// they are copies, made by a single cast, since A's and B's of a group lie next to each other.
func (g *group) factors(s *torch.Scope) (a *torch.Tensor, bs []*torch.Tensor) {
	a = g.stacked(s, false)
	for _, p := range g.pairs {
		bs = append(bs, p.b)
	}
	if !g.config.BFloat16 {
		return a, bs
	}
	all := append([]*torch.Tensor{a}, bs...)
	flat := make([]*torch.Tensor, len(all))
	for i, t := range all {
		flat[i] = s.View(t, t.Numel())
	}
	copied, at := s.Cast(s.Stacked(flat...), torch.BFloat16), int64(0)
	for i, t := range all {
		all[i] = s.View(s.Narrow(copied, 0, at, t.Numel()), t.Shape()...)
		at += t.Numel()
	}
	return all[0], all[1:]
}

// part returns pair i's [T, r] of [T, n r] or [n, T, r].
func (g *group) part(s *torch.Scope, h *torch.Tensor, i int) *torch.Tensor {
	if len(h.Shape()) == 3 {
		return copyOf(s, h, i)
	}
	return s.Narrow(h, 1, g.ranks(i), g.pairs[i].r)
}

// ranks returns the sum of the first n pairs' ranks.
func (g *group) ranks(n int) (r int64) {
	for _, p := range g.pairs[:n] {
		r += p.r
	}
	return r
}

// even reports whether all pairs have the same rank, so that their products are one batched call.
func (g *group) even() bool {
	return !slices.ContainsFunc(g.pairs, func(p *pair) bool { return p.r != g.pairs[0].r })
}

// stacked returns the A's as one matrix [n r, in], or their gradients.
func (g *group) stacked(s *torch.Scope, grad bool) *torch.Tensor {
	ts := make([]*torch.Tensor, len(g.pairs))
	for i, p := range g.pairs {
		if ts[i] = p.a; grad {
			ts[i] = p.aGrad
		}
	}
	return s.Stacked(ts...)
}

// matrices returns a, the A's as one matrix or their gradients, as [n, r, in].
func (g *group) matrices(s *torch.Scope, a *torch.Tensor) *torch.Tensor {
	return s.View(a, int64(len(g.pairs)), g.pairs[0].r, g.pairs[0].linear.In)
}
