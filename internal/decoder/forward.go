package decoder

import (
	"lorabench/data"
	"lorabench/internal/torch"
)

// Hidden returns the decoder's output before the head's projection for one micro-batch: [T, H]. train switches
// dropout on. A token id or a position outside the model's tables is an error.
func (m *Model) Hidden(s *torch.Scope, b *data.MicroBatch, train bool) *torch.Tensor {
	return s.Layer(func(s *torch.Scope) *torch.Tensor { return m.hidden(s, m.Upload(s, b, nil), nil, train, nil) })
}

// pass prepares a pass over b. s owns its tensors.
func (m *Model) pass(s *torch.Scope, b *Batch, train bool) pass {
	p := pass{Batch: b, train: train}
	if train {
		p.dropout = m.ModelDropout
	}
	p.cos, p.sin = b.angles(s, m.DType())
	return p
}

// in returns the pass through layer i. Only the last layer may leave out the tokens that are not in at (nil is all): attention reads
// every token of the layers below.
func (p pass) in(i int, m *Model, at *torch.Tensor) pass {
	if i == len(m.Layers)-1 {
		p.at = at
	}
	return p
}

// hidden returns the output of all tokens [T, H], or of those in at [L]: [L, H]. It calls see, if given, with each
// layer's output, which tests compare with fixtures.
func (m *Model) hidden(s *torch.Scope, b *Batch, at *torch.Tensor, train bool, see func(layer int, x *torch.Tensor)) *torch.Tensor {
	p := m.pass(s, b, train)
	x := m.Embedding.forward(s, b, train, nil)
	for i, l := range m.Layers {
		in := x
		x = s.Layer(func(s *torch.Scope) *torch.Tensor { return l.forward(s, in, p.in(i, m, at), nil, false) })
		if see != nil {
			see(i, x)
		}
		s.Drop(in)
	}
	if m.Head.Norm != nil {
		in := x
		x = m.Head.Norm.forward(s, in, nil)
		s.Drop(in)
	}
	return x
}

// Logits returns the scores of the next token for rows of hidden states [L, H]: [L, V].
func (m *Model) Logits(s *torch.Scope, hidden *torch.Tensor, train bool) *torch.Tensor {
	return s.Layer(func(s *torch.Scope) *torch.Tensor {
		return s.Linear(m.Head.project(s, hidden, train, nil), m.Head.Weight, nil)
	})
}

// LossSum returns the sum over the micro-batch's labels of the next token's cross-entropy, dropout off, a
// float32 scalar; the head, and the last layer after attention, are computed at labelled tokens only. A
// micro-batch without a label is an error.
func (m *Model) LossSum(s *torch.Scope, b *data.MicroBatch) *torch.Tensor {
	if err := b.CheckLabels(); err != nil {
		torch.Fail("cross_entropy", "%v", err)
	}
	loss := s.Zeros(lossType(m.DType()), m.Device())
	s.Do(func(s *torch.Scope) {
		u := m.Upload(s, b, nil)
		h := m.Head.project(s, m.hidden(s, u, u.LabelIndex, false, nil), false, nil)
		s.CrossEntropySum(h, m.Head.Weight, u.Target, nil, loss, nil, false, m.Head.rows())
	})
	return loss
}
