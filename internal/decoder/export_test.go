package decoder

import "lorabench/internal/torch"

var LossType = lossType

func (m *Model) LowestTrained() int { return m.lowestTrained() }

func (m *Model) HiddenOf(s *torch.Scope, b *Batch, at *torch.Tensor, train bool, see func(layer int, x *torch.Tensor)) *torch.Tensor {
	return m.hidden(s, b, at, train, see)
}

func (m *Model) EmbeddingOf(s *torch.Scope, b *Batch) *torch.Tensor {
	return m.Embedding.forward(s, b, false, nil)
}

func (g *Group) WeightOf(s *torch.Scope) (w, b *torch.Tensor) { return g.weight(s) }

func (g *Group) ForwardOf(s *torch.Scope, x *torch.Tensor) *torch.Tensor {
	return g.forward(s, x, false, nil)
}

// Fastest is the choice among kernels.
var Fastest = fastest
