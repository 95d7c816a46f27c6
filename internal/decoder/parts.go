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
func (m *Model) Parts(s *torch.Scope, b *data.MicroBatch) []Part {
	u := m.Upload(s, b, nil)
	w := &work{m: m, s: s, batch: u, random: map[int64]*torch.Tensor{}}
	for i, l := range m.Layers {
		w.layer(l, i == len(m.Layers)-1)
	}
	n := u.LabelIndex.Numel()
	x, dx, e := w.of(m.HiddenSize), s.Clone(w.of(m.HiddenSize)), s.Clone(s.Narrow(w.of(m.Head.Weight.Dim(1)), 0, 0, n))
	loss := s.Zeros(lossType(m.DType()), m.Device())
	head := 4 * float64(n) * float64(m.Head.Weight.Numel())
	return []Part{
		{"matmul", 4*w.multiplied + head, 0, func(s *torch.Scope) { each(s, w.products); m.headProducts(s, e) }},
		{"forward", 2*w.multiplied + head/2, 0, func(s *torch.Scope) { m.LossSum(s, b) }},
		{"attention", w.scores, w.moved, func(s *torch.Scope) { each(s, w.attention) }},
		{"head", head, 0, func(s *torch.Scope) {
			s.CrossEntropySum(e, m.Head.Weight, u.Target, nil, loss, nil, true, m.Head.rows())
		}},
		// Forward reads x and writes y; backward reads dy and x and writes dx.
		{"norm", 0, float64(len(w.norms)) * 5 * float64(x.Numel()*m.DType().Size()), func(s *torch.Scope) {
			for _, norm := range w.norms {
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

func each(s *torch.Scope, fs []func(s *torch.Scope)) {
	for _, f := range fs {
		s.Do(f)
	}
}

// work gathers what the layers compute of a micro-batch.
type work struct {
	m                   *Model
	s                   *torch.Scope
	batch               *Batch
	random              map[int64]*torch.Tensor // [T, width], by width
	products, attention []func(s *torch.Scope)
	norms               []*Norm
	multiplied          float64 // weights by the tokens that each is multiplied with
	scores, moved       float64 // attention's operations and bytes
}

// of is random numbers [T, width].
func (w *work) of(width int64) *torch.Tensor {
	x := w.random[width]
	if x == nil {
		x = w.s.Empty(w.m.DType(), w.m.Device(), w.batch.IDs.Numel(), width)
		torch.NormalIn(x, 0, 1)
		w.random[width] = x
	}
	return x
}

// layer adds a layer's products, attention and norms. Of the last layer what comes after attention is of labelled tokens alone.
func (w *work) layer(l Layer, last bool) {
	rows := w.batch.IDs.Numel()
	for _, sub := range l {
		w.norms = append(w.norms, sub.Norm)
		a, isAttention := sub.Branch.(*Attention)
		for _, g := range sub.Branch.groups() {
			if last && !(isAttention && g == a.QKV) {
				rows = w.batch.LabelIndex.Numel()
			}
			in, dy := w.s.Narrow(w.of(g.Linears[0].In), 0, 0, rows), w.s.Narrow(w.of(g.out()), 0, 0, rows)
			w.products = append(w.products, func(s *torch.Scope) { g.base(s, in); g.input(s, dy, nil) })
			w.multiplied += float64(rows) * float64(g.size())
		}
		if isAttention {
			w.attend(a)
		}
	}
}

// attend adds an attention without its linear layers: two causal products forward and five backward. Forward reads q, k, v and writes y;
// backward reads q, k, v, y, dy and writes dq, dk, dv.
func (w *work) attend(a *Attention) {
	width, u := a.Out.Linears[0].In, w.batch
	qkv, dy := w.of(a.QKV.out()), w.of(width)
	w.attention = append(w.attention, func(s *torch.Scope) {
		y, lse := s.Attention(qkv, u.Sequences, a.Heads)
		s.AttentionBackward(dy, qkv, y, lse, u.Sequences, a.Heads)
	})
	for i, end := range u.CuSeqlens[1:] {
		w.scores += 7 * float64(width) * math.Pow(float64(end-u.CuSeqlens[i]), 2)
	}
	w.moved += float64(u.IDs.Numel() * w.m.DType().Size() * 3 * (a.QKV.out() + width))
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
