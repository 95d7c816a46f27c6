package opt

import (
	"lorabench/data"
	"lorabench/internal/torch"
)

// Gradient trains on one micro-batch: it adds the sum over labels of the next token's cross-entropy,
// each weighted by weights [N], to loss, a float32 scalar, and that sum's gradients to those of
// everything that is trained: adapters, and weights that NewTrainable was given gradients for. Dropout
// is on.
//
// The backward pass is written out rather than recorded by autograd: what is kept for it can be read
// off a struct, nothing is kept or computed for frozen weights or below the lowest part that is
// trained, gradients go straight into the caller's buffers, and a CUDA graph can hold all of it.
func (m *Model) Gradient(s *torch.Scope, b *data.Micro, weights []float32, loss *torch.Tensor) {
	if err := b.CheckLabels(); err != nil {
		torch.Fail("cross_entropy", "%v", err)
	}
	s.Do(func(s *torch.Scope) { m.GradientOf(s, m.Upload(s, b, weights), loss) })
}

// GradientOf is Gradient of what is on the device already. It waits for nothing and reads nothing from
// the host, so that a CUDA graph can record it.
func (m *Model) GradientOf(s *torch.Scope, b *Batch, loss *torch.Tensor) {
	lowest := m.lowestTrained()
	layers := make([]*kept, len(m.layers))
	defer func() {
		for _, k := range layers {
			if k != nil {
				k.free()
			}
		}
	}()
	m.reached(Started, b)
	s.Do(func(s *torch.Scope) {
		var tokens tokensKept
		x := m.embedding(s, b, true, &tokens)
		for i := range m.layers {
			if i >= lowest {
				layers[i] = newKept()
			}
			in := x
			x = s.Layer(func(s *torch.Scope) *torch.Tensor {
				return m.layers[i].forward(s, m, in, b, m.last(i, b.At), true, layers[i])
			})
			m.settle(s, in, i, layers)
		}
		m.reached(Forward, b)
		d := s.Layer(func(s *torch.Scope) *torch.Tensor { return m.head(s, b, x, loss, lowest < len(m.layers)) })
		s.Drop(x)
		m.reached(Head, b)
		for i := len(m.layers) - 1; i >= max(lowest, 0); i-- {
			dy := d
			d = s.Layer(func(s *torch.Scope) *torch.Tensor { return m.back(s, b, i, layers, dy, i > lowest) })
			layers[i].free()
			if d != dy {
				s.Drop(dy)
			}
		}
		if lowest < 0 {
			m.embeddingBackward(s, b, d, &tokens)
		}
	})
	m.reached(Backward, b)
}

// lowestTrained is the index of the lowest layer in which anything is trained: -1 where something
// below the layers is, the number of layers where only something above them is.
func (m *Model) lowestTrained() int {
	if m.embedGrad != nil || m.positionsGrad != nil || m.projectIn != nil && m.projectIn.trains() {
		return -1
	}
	for i := range m.layers {
		if m.layers[i].trains() {
			return i
		}
	}
	return len(m.layers)
}

// settle hands layer i's input x, which s owns, to what the layer keeps, or frees it. An input that is
// the norm of what the layer below keeps is freed: a norm again takes less than it would.
func (m *Model) settle(s *torch.Scope, x *torch.Tensor, i int, layers []*kept) {
	k := layers[i]
	switch {
	case k == nil:
		s.Drop(x)
	case k.in == x && m.normed(i, layers):
		k.in = nil
		s.Drop(x)
	case m.Checkpoint:
		k.input = x
		s.Move(x, k.drawn)
		k.forget()
	case k.in == x || k.norms[0].x == x:
		s.Move(x, k.values)
	default:
		s.Drop(x)
	}
}

// normed tells whether layer i's input can be computed from what the layer below keeps.
func (m *Model) normed(i int, layers []*kept) bool {
	return !m.Checkpoint && !m.DoLayerNormBefore && i > 0 && layers[i-1] != nil
}

// back is layer i's backward pass.
func (m *Model) back(s *torch.Scope, b *Batch, i int, layers []*kept, dy *torch.Tensor, below bool) *torch.Tensor {
	l, k := &m.layers[i], layers[i]
	if k.in == nil && l.qkv.trains() && m.normed(i, layers) {
		k.in = m.layers[i-1].finalNorm.forward(s, layers[i-1].norms[1].x, nil)
	}
	if m.Checkpoint {
		s.Do(func(s *torch.Scope) { l.forward(s, m, k.input, b, m.last(i, b.At), true, k) })
	}
	return l.backward(s, m, dy, b, m.last(i, b.At), k, below)
}

// head adds the loss of the decoder's output at labels x [N, H] to loss and returns the gradient of x; nil
// where nobody below wants it.
func (m *Model) head(s *torch.Scope, b *Batch, x, loss *torch.Tensor, below bool) *torch.Tensor {
	var kn normKept
	var kp Kept
	h := x
	if m.finalNorm() {
		h = m.final.forward(s, x, &kn)
		below = below || m.final.trains()
	}
	e := h
	wanted := below
	if m.projOut != nil {
		e = m.projOut.forward(s, h, true, &kp)
		wanted = below || m.projOut.trains()
	}
	d := s.CrossEntropySum(e, m.embed, b.Target, b.Weight, loss, m.embedGrad, wanted, m.headRows())
	if m.projOut != nil && wanted {
		d = m.projOut.backward(s, h, d, nil, below, &kp)
	}
	if !below {
		return nil
	}
	if m.finalNorm() {
		d = m.final.backward(s, d, &kn)
	}
	return d
}

// embeddingBackward adds to the gradients of what embedding is made of. The row of the padding token
// gets none, as torch.nn.Embedding's padding_idx has it.
func (m *Model) embeddingBackward(s *torch.Scope, b *Batch, d *torch.Tensor, k *tokensKept) {
	if m.positionsGrad != nil {
		torch.IndexAddIn(m.positionsGrad, b.Positions, d)
	}
	if m.projectIn != nil {
		d = m.projectIn.backward(s, k.x, d, nil, m.embedGrad != nil, &k.Kept)
	}
	if m.embedGrad != nil {
		torch.ZeroRowsIn(d, b.IDs, m.PadTokenID)
		torch.IndexAddIn(m.embedGrad, b.IDs, d)
	}
}
