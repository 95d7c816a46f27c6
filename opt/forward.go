package opt

import (
	"lorabench/data"
	"lorabench/internal/torch"
)

// Hidden is the decoder's output before project_out for one micro-batch: [T, H]. train switches
// dropout on. A token id or a position outside the model's tables is an error.
func (m *Model) Hidden(s *torch.Scope, b *data.Micro, train bool) *torch.Tensor {
	return s.Layer(func(s *torch.Scope) *torch.Tensor { return m.hidden(s, m.Upload(s, b, nil), nil, train, nil) })
}

// hidden is that of all tokens, or of those that at [N] names: [N, H]. It calls see, if given, with each
// layer's output: for tests against the fixtures.
func (m *Model) hidden(s *torch.Scope, b *Batch, at *torch.Tensor, train bool, see func(layer int, x *torch.Tensor)) *torch.Tensor {
	x := m.embedding(s, b, train, nil)
	for i := range m.layers {
		in := x
		x = s.Layer(func(s *torch.Scope) *torch.Tensor { return m.layers[i].forward(s, m, in, b, m.last(i, at), train, nil) })
		if see != nil {
			see(i, x)
		}
		s.Drop(in)
	}
	if m.finalNorm() {
		in := x
		x = m.final.forward(s, in, nil)
		s.Drop(in)
	}
	return x
}

// last is at for the last layer, and nil for those below: attention has to see all of their results.
func (m *Model) last(i int, at *torch.Tensor) *torch.Tensor {
	if i < len(m.layers)-1 {
		return nil
	}
	return at
}

// tokensKept is what project_in keeps for its backward pass.
type tokensKept struct {
	Kept
	x *torch.Tensor // [T, E]
}

// embedding is tokens, projected to the hidden size where they have another, plus positions: [T, H].
// What k is given to keep belongs to s.
func (m *Model) embedding(s *torch.Scope, b *Batch, train bool, k *tokensKept) *torch.Tensor {
	outer := s
	return s.Layer(func(s *torch.Scope) *torch.Tensor {
		x := s.IndexSelect(m.embed, 0, b.IDs)
		switch {
		case m.projectIn == nil:
		case k == nil || !m.projectIn.trains():
			x = m.projectIn.forward(s, x, train, nil)
		default:
			k.x = x
			x = m.projectIn.forward(s, x, train, &k.Kept)
			for _, t := range []*torch.Tensor{k.x, k.Drawn, k.Values} {
				if t != nil {
					s.Move(t, outer)
				}
			}
		}
		torch.AddIn(x, s.IndexSelect(m.positions, 0, b.Positions))
		return x
	})
}

// dropout is the probability of the model's own.
func (m *Model) dropout(train bool) float64 {
	if train {
		return m.ModelDropout
	}
	return 0
}

// Logits is the scores of the next token for rows of hidden states [N, H]: [N, V].
func (m *Model) Logits(s *torch.Scope, hidden *torch.Tensor, train bool) *torch.Tensor {
	return s.Layer(func(s *torch.Scope) *torch.Tensor {
		if m.projOut != nil {
			hidden = m.projOut.forward(s, hidden, train, nil)
		}
		return s.Linear(hidden, m.embed, nil)
	})
}

// LossSum is the sum over the micro-batch's labels of the next token's cross-entropy, dropout off, a
// float32 scalar; the head, and the last layer after attention, are computed at labelled tokens only. A
// micro-batch without a label is an error.
func (m *Model) LossSum(s *torch.Scope, b *data.Micro) *torch.Tensor {
	if err := b.CheckLabels(); err != nil {
		torch.Fail("cross_entropy", "%v", err)
	}
	loss := s.Zeros(m.lossType(), m.Device())
	s.Do(func(s *torch.Scope) {
		u := m.Upload(s, b, nil)
		h := m.hidden(s, u, u.At, false, nil)
		if m.projOut != nil {
			h = m.projOut.forward(s, h, false, nil)
		}
		s.CrossEntropySum(h, m.embed, u.Target, nil, loss, nil, false, m.headRows())
	})
	return loss
}

// lossType is float32, and float64 for a float64 model.
func (m *Model) lossType() torch.DType {
	if m.DType() == torch.Float64 {
		return torch.Float64
	}
	return torch.Float32
}

// headBytes is what one chunk of the head's logits may take. On a CPU that is what fits its caches
// together with half of the embeddings; on CUDA chunks are larger, so that the GPU has enough to do.
func headBytes(on torch.Device) int64 {
	if on.CUDA() {
		return 256 << 20
	}
	return 32 << 20
}

// headRows is the number of labels the head is computed for at a time.
func (m *Model) headRows() int64 {
	return max(16, headBytes(m.Device())/(m.VocabSize*m.lossType().Size()))
}
