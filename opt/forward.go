package opt

import (
	"lorabench/data"
	"lorabench/internal/torch"
)

// Hidden is the decoder's output before project_out for one micro-batch: [T, H]. train switches
// dropout on. A token id or a position outside the model's tables is an error.
func (m *Model) Hidden(s *torch.Scope, b *data.Micro, train bool) *torch.Tensor {
	return s.Layer(func(s *torch.Scope) *torch.Tensor { return m.hidden(s, m.Upload(s, b, nil), train, nil) })
}

// hidden calls see, if given, with each layer's output: for tests against the fixtures.
func (m *Model) hidden(s *torch.Scope, b *Batch, train bool, see func(layer int, x *torch.Tensor)) *torch.Tensor {
	x := m.embedding(s, b, train, nil)
	for i := range m.layers {
		in := x
		x = s.Layer(func(s *torch.Scope) *torch.Tensor { return m.layers[i].forward(s, m, in, b, train, nil) })
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
// float32 scalar; the head is computed at labelled tokens only. A micro-batch without a label is an
// error.
func (m *Model) LossSum(s *torch.Scope, b *data.Micro) *torch.Tensor {
	checkLabels(b)
	loss := s.Zeros(m.lossType(), m.Device())
	s.Do(func(s *torch.Scope) {
		u := m.Upload(s, b, nil)
		h := s.IndexSelect(m.hidden(s, u, false, nil), 0, u.At)
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
