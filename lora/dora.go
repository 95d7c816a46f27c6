package lora

import (
	"fmt"
	"math"

	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

// dora is a group with weight-decomposed adapters (Liu et al. 2024, arXiv:2402.09353), and computes
// what PEFT does: with V = W + scaling B A and s = m / |V|, |V| being the norms of V's rows, treated
// as constants,
//
//	y = W x + b + (s - 1) W d + s scaling B A d     d = dropout(x), the same for both
//
// that is, y = W x + b + D d with D = s V - W. A, B and the magnitude m [out] are trained; the gradient
// of V's direction is s G with G = dy^T d [out, in], and all gradients follow from it: that of m is the
// row sums of V G over |V|, that of B scaling s G A^T, that of A scaling (s B)^T G.
//
// So only the masks are saved for backward, where autograd would save d, W d and B A d of each layer; V, G and
// one product of theirs are temporary, 3 out x in values for one layer at a time. The price is G, a product of
// W's size. Saving W d [T, out] would avoid it: by count, with q_proj and v_proj of OPT-350m adapted at rank 8, a
// fifteenth of a step's products, for two sevenths more saved; at a rank of a quarter of the hidden size and rows
// of four times as many tokens it would avoid nothing, since with G the products for A and B are over out and
// in and no longer over T.
type dora struct{ *group }

// Forward turns each layer's part of y, W x + b, into the y above. Without dropout y already holds W d;
// with it, D d is one product of W's size.
func (g dora) Forward(s *torch.Scope, x, y *torch.Tensor, train bool, k *decoder.Saved) {
	s.Do(func(inner *torch.Scope) {
		x := inner.Cast(x, g.dtype())
		if !train || g.config.LoraDropout == 0 {
			h := inner.Linear(x, g.stacked(inner, false), nil)
			for i, p := range g.pairs {
				inner.Do(func(s *torch.Scope) { g.rescale(s, p, g.part(s, h, i), g.layers.Part(s, y, p.at)) })
			}
			return
		}
		dropped := g.dropped(inner, x, k)
		for i, p := range g.pairs {
			inner.Do(func(s *torch.Scope) {
				v, _, scale := p.direction(s)
				p.difference(s, v, scale)
				part, d := g.layers.Part(s, y, p.at), copyOf(s, dropped, i)
				if y.DType() == g.dtype() {
					torch.AddMM(part, d, v, false, true, 1, 1)
				} else {
					torch.AddIn(part, s.Linear(d, v, nil))
				}
			})
		}
	})
}

// rescale turns y [T, out], which is W x + b, into s (y - b) + b + scaling s B h, with h = A x [T, r]. With
// B = 0 and the initial m, s is exactly 1 and y stays as it is, bit for bit.
func (g dora) rescale(s *torch.Scope, p *pair, h, y *torch.Tensor) {
	_, _, scale := p.direction(s)
	z := s.Cast(y, g.dtype()) // y itself if the base has the adapter's type
	torch.MulIn(z, scale)
	if bias := p.linear.Bias; bias != nil {
		torch.AddIn(z, s.Mul(s.AddScalar(s.Scale(scale, -1), 1), bias))
	}
	torch.AddMM(z, h, s.Mul(p.b, column(s, scale)), false, true, 1, p.scaling)
	if y.DType() != g.dtype() {
		torch.Copy(y, z)
	}
}

// Backward adds to the gradients as above; to dx, which already holds dy W, it adds dy D, through the
// masks if there are any.
func (g dora) Backward(s *torch.Scope, x, dy, dx *torch.Tensor, k *decoder.Saved) {
	x = s.Cast(x, g.dtype())
	mask := decoder.Record[saved](k, g.group).mask
	var dropped *torch.Tensor // dropout(x) of each layer, which its gradient overwrites
	if mask != nil {
		dropped = s.DropoutWith(x, mask, len(g.pairs), g.config.LoraDropout)
	}
	for i, p := range g.pairs {
		s.Do(func(s *torch.Scope) {
			d := x
			if dropped != nil {
				d = copyOf(s, dropped, i)
			}
			part := s.Cast(g.layers.Part(s, dy, p.at), g.dtype())
			v, norms, scale := p.direction(s)
			s.Do(func(s *torch.Scope) { p.learn(s, part, d, v, norms, scale) })
			if dx == nil {
				return
			}
			p.difference(s, v, scale)
			switch {
			case dropped != nil:
				torch.AddMM(d, part, v, false, false, 0, 1)
			case dx.DType() == g.dtype():
				torch.AddMM(dx, part, v, false, false, 1, 1)
			default:
				torch.AddIn(dx, s.MatMul(part, v))
			}
		})
	}
	if dx != nil && dropped != nil {
		torch.AddIn(dx, s.SumRows(s.DropoutWith(dropped, mask, 0, g.config.LoraDropout)))
	}
}

// learn adds to the gradients of m, A and B what follows from dy [T, out] and d [T, in].
func (p *pair) learn(s *torch.Scope, dy, d, v, norms, scale *torch.Tensor) {
	grad := s.Empty(v.DType(), v.Device(), v.Shape()...)
	torch.AddMM(grad, dy, d, true, false, 0, 1)
	torch.AddIn(p.mGrad, s.Div(s.SumColumns(s.Mul(v, grad)), norms))
	torch.MulIn(grad, column(s, scale))
	torch.AddMM(p.bGrad, grad, p.a, false, true, 1, p.scaling)
	torch.AddMM(p.aGrad, p.b, grad, true, false, 1, p.scaling)
}

// direction returns V = W + scaling B A [out, in] in the adapter's type and memory of its own, the norms
// of its rows [out], and m over them [out].
func (p *pair) direction(s *torch.Scope) (v, norms, scale *torch.Tensor) {
	v = s.MatMul(p.b, p.a)
	torch.ScaleIn(v, p.scaling)
	torch.AddIn(v, p.linear.Weight)
	norms = s.RowNorms(v)
	return v, norms, s.Div(p.m, norms)
}

// difference turns v, which holds V, into D = s V - W, the difference to the frozen weight.
func (p *pair) difference(s *torch.Scope, v, scale *torch.Tensor) {
	torch.MulIn(v, column(s, scale))
	torch.SubIn(v, p.linear.Weight)
}

// mergedDoRA returns s V, the weight of a plain layer that computes the same, in the base's type.
func (p *pair) mergedDoRA(s *torch.Scope) *torch.Tensor {
	v, _, scale := p.direction(s)
	torch.MulIn(v, column(s, scale))
	return s.Cast(v, p.linear.Weight.DType())
}

// directions refuses a V with a row that has no direction, since |V| is divided by: PEFT would train
// NaN. With start set it makes these norms the magnitudes.
func (a *Adapter) directions(s *torch.Scope, start bool) error {
	for _, p := range a.pairs {
		var found []float32
		s.Do(func(s *torch.Scope) {
			_, norms, _ := p.direction(s)
			if start {
				torch.Copy(p.m, norms)
			}
			found = s.Floats(norms)
		})
		for row, v := range found {
			if !(v > 0) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("lora: row %d of %s + scaling B A has norm %v, by which use_dora divides: leave that module out of target_modules, or use_dora off",
					row, p.linear.Name+".weight", v)
			}
		}
	}
	return nil
}

var _ decoder.Adapter = dora{}

// column returns v [n] as [n, 1], which multiplies a matrix row by row.
func column(s *torch.Scope, v *torch.Tensor) *torch.Tensor { return s.View(v, v.Numel(), 1) }

// copyOf returns [T, in] number i of [n, T, in], in the same memory.
func copyOf(s *torch.Scope, of *torch.Tensor, i int) *torch.Tensor {
	shape := of.Shape()
	return s.View(s.Narrow(of, 0, int64(i), 1), shape[1], shape[2])
}
