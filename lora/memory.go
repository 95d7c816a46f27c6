package lora

import (
	"lorabench/internal/torch"
	"lorabench/opt"
)

// Bytes is what the buffers of trained parameters take, as their number predicts it.
type Bytes struct{ Adapter, Gradients, Optimizer int64 }

// Predict is the buffers' size for n float32 parameters: AdamW keeps two moments of each.
func Predict(n int64) Bytes { return Bytes{4 * n, 4 * n, 8 * n} }

// Keeps is the bytes of A dropout(x) of T tokens.
func (g *group) Keeps(t int64) int64 {
	return g.config.size() * t * g.ranks(len(g.pairs))
}

// Masks is the elements of the dropout masks of T tokens: one for each pair.
func (g *group) Masks(t int64) int64 {
	if g.config.LoraDropout == 0 {
		return 0
	}
	return t * int64(len(g.pairs)) * g.pairs[0].linear.In
}

// Needs is the bytes of Backward's h B, and with dropout of x dropped out for each pair, or the gradient
// of that twice; in bfloat16 also of the copies of A and B.
func (g *group) Needs(t int64) int64 {
	n, in, each := int64(len(g.pairs)), g.pairs[0].linear.In, g.config.size()
	b := each * t * g.ranks(len(g.pairs))
	if g.config.LoraDropout > 0 {
		b += each * t * in * (2*n + 1)
	}
	if g.config.BFloat16 {
		for _, p := range g.pairs {
			b += each * p.r * (in + p.linear.Out)
		}
	}
	return b
}

// size is the bytes of an element that products are computed from.
func (c Config) size() int64 {
	if c.BFloat16 {
		return torch.BFloat16.Size()
	}
	return torch.Float32.Size()
}

var _ opt.Adapter = (*group)(nil)
