package opt

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
	x, wide := random(t, m.HiddenSize), random(t, m.FFNDim)
	dx, e := random(t, m.HiddenSize), random(n, m.WordEmbedProjDim)
	loss := s.Zeros(m.lossType(), m.Device())
	qkv := random(t, 3*m.HiddenSize)
	scale := 1 / math.Sqrt(float64(m.HeadDim()))

	products := func(s *torch.Scope) {
		for i := range m.layers {
			l := &m.layers[i]
			_, after := m.tokens(i, Size{Tokens: int(t), Labels: int(n)})
			for _, g := range []*Group{l.qkv, l.out, l.fc1, l.fc2} {
				s.Do(func(s *torch.Scope) {
					in, dy := x, dx
					switch g {
					case l.qkv:
						dy = qkv
					case l.fc1:
						dy = wide
					case l.fc2:
						in = wide
					}
					if g != l.qkv {
						in, dy = s.Narrow(in, 0, 0, after), s.Narrow(dy, 0, 0, after)
					}
					g.base(s, in)
					g.input(s, dy, nil)
				})
			}
		}
		m.headProducts(s, e)
	}
	var multiplied float64 // weights by the tokens each is multiplied with
	for i := range m.layers {
		l := &m.layers[i]
		_, after := m.tokens(i, Size{Tokens: int(t), Labels: int(n)})
		multiplied += float64(t) * float64(l.qkv.size())
		multiplied += float64(after) * float64(l.out.size()+l.fc1.size()+l.fc2.size())
	}
	head := 4 * float64(n) * float64(m.VocabSize*m.WordEmbedProjDim)
	layers, row := float64(len(m.layers)), float64(t*m.HiddenSize*m.DType().Size())
	attention := 0.0 // two causal products forward and five backward
	for i, end := range u.Sequences.Cum[1:] {
		attention += 7 * layers * float64(m.HiddenSize) * math.Pow(float64(end-u.Sequences.Cum[i]), 2)
	}
	return []Part{
		{"matmul", 4*multiplied + head, 0, products},
		{"forward", 2*multiplied + head/2, 0, func(s *torch.Scope) { m.LossSum(s, b) }},
		// Forward reads q, k, v and writes y; backward reads q, k, v, y, dy and writes dq, dk, dv.
		{"attention", attention, 12 * layers * row, func(s *torch.Scope) {
			for range m.layers {
				s.Do(func(s *torch.Scope) {
					y, lse := s.Attention(qkv, u.Sequences, m.NumAttentionHeads, scale)
					s.AttentionBackward(x, qkv, y, lse, u.Sequences, m.NumAttentionHeads, scale)
				})
			}
		}},
		{"head", head, 0, func(s *torch.Scope) { s.CrossEntropySum(e, m.embed, u.Target, nil, loss, nil, true, m.headRows()) }},
		// Forward reads x and writes y; backward reads dy and x and writes dx.
		{"norm", 0, 2 * layers * 5 * row, func(s *torch.Scope) {
			for range 2 * len(m.layers) {
				s.Do(func(s *torch.Scope) {
					n := m.layers[0].attnNorm
					var k normKept
					n.forward(s, x, &k)
					s.LayerNormBackward(dx, k.x, k.mean, k.rstd, n.weight, n.bias, nil, nil)
				})
			}
		}},
	}
}

// headProducts is the head's two products, in the chunks that the loss is computed in.
func (m *Model) headProducts(s *torch.Scope, e *torch.Tensor) {
	for at, n := int64(0), e.Dim(0); at < n; at += m.headRows() {
		s.Do(func(s *torch.Scope) {
			rows := s.Narrow(e, 0, at, min(m.headRows(), n-at))
			s.LinearBackward(s.Linear(rows, m.embed, nil), m.embed, nil)
		})
	}
}
