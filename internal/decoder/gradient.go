package decoder

import (
	"lorabench/data"
	"lorabench/internal/torch"
)

// Stage is a point in Gradient's work on a row of tokens.
type Stage int

// The stages in order: before the forward pass, and after the forward pass, the head with the loss, and the backward pass.
const (
	Started Stage = iota
	Forward
	Scored
	Backward
)

// Bytes is the memory that a row uses.
type Bytes struct {
	Activations int64 // saved by the forward pass
	Head        int64 // used by the head and the loss, besides Activations
	Workspace   int64 // used by the backward pass where that is more than Head; Watch's rows do not have it
}

// Peak returns the sum.
func (b Bytes) Peak() int64 { return b.Activations + b.Head + b.Workspace }

// Gradient trains on one micro-batch: it adds the sum over labels of the next token's cross-entropy,
// each weighted by weights [L], to loss, a float32 scalar, and that sum's gradients to those of
// everything that is trained: adapters, and weights that NewTrainable was given gradients for. Dropout
// is on.
func (m *Model) Gradient(s *torch.Scope, b *data.MicroBatch, weights []float32, loss *torch.Tensor) {
	if err := b.CheckLabels(); err != nil {
		torch.Fail("cross_entropy", "%v", err)
	}
	s.Do(func(s *torch.Scope) { m.GradientOf(s, m.Upload(s, b, weights), loss) })
}

// GradientOf is Gradient for a batch that is on the device already. It waits for nothing and reads nothing from
// the host, so that a CUDA graph can record it.
func (m *Model) GradientOf(s *torch.Scope, b *Batch, loss *torch.Tensor) {
	lowest := m.lowestTrained()
	saved := make([]*Saved, len(m.Layers))
	below := NewSaved() // of the embedding
	defer func() {
		below.Free()
		for _, k := range saved {
			k.Free()
		}
	}()
	m.reached(Started, Bytes{})
	var row Bytes
	s.Do(func(s *torch.Scope) {
		p := m.pass(s, b, true)
		x := m.Embedding.forward(s, b, true, below)
		for i, l := range m.Layers {
			if i >= lowest {
				saved[i] = NewSaved()
			}
			in := x
			x = s.Layer(func(s *torch.Scope) *torch.Tensor {
				return l.forward(s, in, p.in(i, m, b.LabelIndex), saved[i], m.again(i, saved))
			})
			if m.Checkpoint && saved[i] != nil {
				saved[i].keepInput(in)
			}
			s.Drop(in)
		}
		if m.Watch != nil {
			row = Bytes{Activations: x.Held() + below.bytes(), Head: m.Head.bytes(b.LabelIndex.Numel(), m.HiddenSize)}
			for _, k := range saved {
				row.Activations += k.bytes()
			}
		}
		m.reached(Forward, row)
		d := s.Layer(func(s *torch.Scope) *torch.Tensor { return m.Head.loss(s, b, x, loss, lowest < len(m.Layers)) })
		s.Drop(x)
		m.reached(Scored, row)
		for i := len(m.Layers) - 1; i >= max(lowest, 0); i-- {
			dy := d
			d = s.Layer(func(s *torch.Scope) *torch.Tensor {
				return m.back(s, p.in(i, m, b.LabelIndex), i, saved, dy, i > lowest)
			})
			saved[i].Free()
			if d != dy {
				s.Drop(dy)
			}
		}
		if lowest < 0 {
			m.Embedding.backward(s, b, d, below)
		}
	})
	m.reached(Backward, row)
}

func (m *Model) reached(st Stage, row Bytes) {
	if m.Watch != nil {
		m.Watch(st, row)
	}
}

// lowestTrained returns the index of the lowest layer that trains: -1 where the embedding does, the number of
// layers where none does.
func (m *Model) lowestTrained() int {
	if m.Embedding.trains() {
		return -1
	}
	for i, l := range m.Layers {
		if l.trains() {
			return i
		}
	}
	return len(m.Layers)
}

// again reports whether the backward pass can compute layer i's input from what the layer below saved.
func (m *Model) again(i int, saved []*Saved) bool {
	return !m.Checkpoint && i > 0 && saved[i-1] != nil && m.Layers[i-1].normAfter()
}

// back runs layer i's backward pass.
func (m *Model) back(s *torch.Scope, p pass, i int, saved []*Saved, dy *torch.Tensor, wanted bool) *torch.Tensor {
	l, k := m.Layers[i], saved[i]
	if m.Checkpoint {
		s.Do(func(s *torch.Scope) { l.forward(s, k.input, p, k, false) })
	}
	input := func(s *torch.Scope) *torch.Tensor {
		under := m.Layers[i-1]
		return under[len(under)-1].Norm.again(s, saved[i-1])
	}
	return l.backward(s, dy, p, k, input, wanted)
}
