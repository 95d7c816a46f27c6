package decoder

import (
	"math"

	"lorabench/data"
	"lorabench/internal/torch"
)

// Part is a piece of a training step that can be timed by itself.
type Part struct {
	Name  string
	FLOPs float64 // of its matrix products; 0 is not counted
	Bytes float64 // that it must read and write, were every kernel perfect; 0 is not counted
	Run   func(s *torch.Scope)
}

// Parts are the pieces of the work on one micro-batch, of this model's own weights and size; s owns what
// they need. matmul is the frozen layers' matrix products alone, forward and for the gradient: what a
// step cannot be faster than on this machine.
func (m *Model) Parts(s *torch.Scope, b *data.Micro) []Part {
	u := m.Upload(s, b, nil)
	t, n := int64(len(b.IDs)), int64(len(b.At))
	random := func(rows, columns int64) *torch.Tensor {
		x := s.Empty(m.DType(), m.Device(), rows, columns)
		torch.NormalIn(x, 0, 1)
		return x
	}
	var products []func(s *torch.Scope)
	var multiplied float64 // weights by the tokens that each is multiplied with
	widths := map[int64]*torch.Tensor{}
	of := func(width int64) *torch.Tensor {
		if widths[width] == nil {
			widths[width] = random(t, width)
		}
		return widths[width]
	}
	var attention []func(s *torch.Scope)
	var norms []*Norm
	squares := 0.0 // of the sequences' lengths
	for i, end := range u.Cum[1:] {
		squares += math.Pow(float64(end-u.Cum[i]), 2)
	}
	scores, moved := 0.0, 0.0
	for i, l := range m.Layers {
		rows := t
		for _, sub := range l {
			norms = append(norms, sub.Norm)
			a, isAttention := sub.Branch.(*Attention)
			for _, g := range sub.Branch.groups() {
				if i == len(m.Layers)-1 && !(isAttention && g == a.QKV) {
					rows = n // of the last layer, what comes after attention
				}
				in, dy := s.Narrow(of(g.Linears[0].In), 0, 0, rows), s.Narrow(of(g.out()), 0, 0, rows)
				products = append(products, func(s *torch.Scope) { g.base(s, in); g.input(s, dy, nil) })
				multiplied += float64(rows) * float64(g.size())
			}
			if isAttention {
				qkv, dy := of(a.QKV.out()), of(a.Out.Linears[0].In)
				attention = append(attention, func(s *torch.Scope) {
					y, lse := s.Attention(qkv, u.Sequences, a.Heads)
					s.AttentionBackward(dy, qkv, y, lse, u.Sequences, a.Heads)
				})
				// Two causal products forward and five backward. Forward reads q, k, v and writes y; backward reads q, k, v, y, dy
				// and writes dq, dk, dv.
				scores += 7 * float64(a.Out.Linears[0].In) * squares
				moved += float64(t * m.DType().Size() * (3*a.QKV.out() + 3*a.Out.Linears[0].In))
			}
		}
	}
	x, dx, e := of(m.HiddenSize), random(t, m.HiddenSize), random(n, m.Head.Weight.Dim(1))
	loss := s.Zeros(lossType(m.DType()), m.Device())
	head := 4 * float64(n) * float64(m.Head.Weight.Numel())
	each := func(fs []func(s *torch.Scope)) func(s *torch.Scope) {
		return func(s *torch.Scope) {
			for _, f := range fs {
				s.Do(f)
			}
		}
	}
	return []Part{
		{"matmul", 4*multiplied + head, 0, func(s *torch.Scope) { each(products)(s); m.headProducts(s, e) }},
		{"forward", 2*multiplied + head/2, 0, func(s *torch.Scope) { m.LossSum(s, b) }},
		{"attention", scores, moved, each(attention)},
		{"head", head, 0, func(s *torch.Scope) {
			s.CrossEntropySum(e, m.Head.Weight, u.Target, nil, loss, nil, true, m.Head.rows())
		}},
		// Forward reads x and writes y; backward reads dy and x and writes dx.
		{"norm", 0, float64(len(norms)) * 5 * float64(x.Numel()*m.DType().Size()), func(s *torch.Scope) {
			for _, norm := range norms {
				s.Do(func(s *torch.Scope) {
					k := NewSaved()
					defer k.Free()
					norm.forward(s, s.Narrow(x, 0, 0, x.Dim(0)), k)
					norm.backward(s, dx, k)
				})
			}
		}},
	}
}

// headProducts is the head's two products, in the chunks that the loss is computed in.
func (m *Model) headProducts(s *torch.Scope, e *torch.Tensor) {
	for at, n := int64(0), e.Dim(0); at < n; at += m.Head.rows() {
		s.Do(func(s *torch.Scope) {
			rows := s.Narrow(e, 0, at, min(m.Head.rows(), n-at))
			s.LinearBackward(s.Linear(rows, m.Head.Weight, nil), m.Head.Weight, nil)
		})
	}
}
