package opt

import (
	"math"

	"lorabench/data"
	"lorabench/internal/torch"
)

// Hidden is the decoder's output before project_out for one micro-batch: [T, H]. train switches
// dropout on. A token id or a position outside the model's tables is an error.
func (m *Model) Hidden(s *torch.Scope, b *data.Micro, train bool) *torch.Tensor {
	return m.hidden(s, b, train, nil)
}

// hidden calls see, if given, with each layer's output: for tests against the fixtures.
func (m *Model) hidden(s *torch.Scope, b *data.Micro, train bool, see func(layer int, x *torch.Tensor)) *torch.Tensor {
	m.checkInput(b)
	drop := 0.0
	if train {
		drop = m.ModelDropout
	}
	x := s.Layer(func(s *torch.Scope) *torch.Tensor { return m.embedding(s, b, train) })
	for i := range m.layers {
		in := x
		x = s.Layer(func(s *torch.Scope) *torch.Tensor { return m.layers[i].forward(s, m, in, b.Cum, drop, train) })
		if see != nil {
			see(i, x)
		}
		// The layer's input is autograd's to keep, if a gradient needs it, and nobody else's.
		s.Drop(in)
	}
	if m.finalNorm() {
		x = m.final.forward(s, x)
	}
	return x
}

// checkInput catches what libtorch would report without a name on the CPU, and on CUDA only by
// killing the device's context.
func (m *Model) checkInput(b *data.Micro) {
	for i, id := range b.IDs {
		if id < 0 || id >= m.VocabSize {
			torch.Fail("embedding", "token id %d at %d is outside the model's vocabulary of %d: does the tokenizer belong to this model?", id, i, m.VocabSize)
		}
		if p := b.Positions[i]; p < 0 || p >= m.MaxPositionEmbeddings {
			torch.Fail("embedding", "position %d is outside the model's max_position_embeddings of %d: use a smaller -max-length", p, m.MaxPositionEmbeddings)
		}
	}
}

func (m *Model) embedding(s *torch.Scope, b *data.Micro, train bool) *torch.Tensor {
	on := m.Device()
	rows := make([]int64, len(b.Positions))
	for i, p := range b.Positions {
		rows[i] = p + positionOffset
	}
	x := s.Embedding(m.embed, s.FromInts(b.IDs, on), m.PadTokenID)
	if m.projectIn != nil {
		x = m.projectIn.forward(s, x, train)
	}
	return s.Add(x, s.Embedding(m.positions, s.FromInts(rows, on), -1))
}

// forward is one decoder layer: x [T, H] to [T, H].
func (l *layer) forward(s *torch.Scope, m *Model, x *torch.Tensor, cum []int64, drop float64, train bool) *torch.Tensor {
	residual := x
	if m.DoLayerNormBefore {
		x = l.attnNorm.forward(s, x)
	}
	x = s.Add(residual, s.Dropout(l.attention(s, m, x, cum, train), drop))
	if !m.DoLayerNormBefore {
		x = l.attnNorm.forward(s, x)
	}
	residual = x
	if m.DoLayerNormBefore {
		x = l.finalNorm.forward(s, x)
	}
	x = s.Layer(func(s *torch.Scope) *torch.Tensor {
		h := l.fc1.forward(s, x, train)
		if m.ActivationFunction == "gelu" {
			h = s.GELU(h)
		} else {
			h = s.ReLU(h)
		}
		return l.fc2.forward(s, h, train)
	})
	x = s.Add(residual, s.Dropout(x, drop))
	if !m.DoLayerNormBefore {
		x = l.finalNorm.forward(s, x)
	}
	return x
}

// attention is causal self-attention within each sequence, [T, H] to [T, H]. q is scaled by
// head_dim^-0.5 after its bias and its adapter, which is the scale of the scores.
func (l *layer) attention(s *torch.Scope, m *Model, x *torch.Tensor, cum []int64, train bool) *torch.Tensor {
	heads := func(p *Linear) *torch.Tensor {
		return s.View(p.forward(s, x, train), -1, m.NumAttentionHeads, m.HeadDim())
	}
	y := s.Attention(heads(l.q), heads(l.k), heads(l.v), cum, 1/math.Sqrt(float64(m.HeadDim())))
	return l.out.forward(s, y, train)
}

// Logits is the scores of the next token for rows of hidden states [N, H]: [N, V].
func (m *Model) Logits(s *torch.Scope, hidden *torch.Tensor, train bool) *torch.Tensor {
	if m.projOut != nil {
		hidden = m.projOut.forward(s, hidden, train)
	}
	return s.Linear(hidden, m.embed, nil)
}

// LossSum is the sum over the micro-batch's labels of the next token's cross-entropy, from float32
// logits, a scalar; the head is computed at labelled tokens only. A micro-batch without a label is
// an error: PyTorch's mean over nothing would be NaN and poison the run.
func (m *Model) LossSum(s *torch.Scope, b *data.Micro, train bool) *torch.Tensor {
	at, target := labelled(b)
	if len(at) == 0 {
		torch.Fail("cross_entropy", "records %v: a micro-batch without any label: with loss on the answer only, "+
			"-max-length cuts every answer of it away; raise -max-length or -batch", b.Records)
	}
	return s.Layer(func(s *torch.Scope) *torch.Tensor {
		on := m.Device()
		h := m.Hidden(s, b, train)
		if int64(len(at)) != h.Dim(0) {
			h = s.IndexSelect(h, 0, s.FromInts(at, on))
		}
		logits := s.Cast(m.Logits(s, h, train), torch.Float32)
		return s.CrossEntropySum(logits, s.FromInts(target, on))
	})
}

// labelled lists the tokens that carry a label, and the labels.
func labelled(b *data.Micro) (at, target []int64) {
	for i, t := range b.Targets {
		if t != data.Ignore {
			at = append(at, int64(i))
			target = append(target, t)
		}
	}
	return at, target
}
