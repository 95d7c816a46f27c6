package lora

import "lorabench/opt"

// Bytes is what the buffers of trained parameters take, as their number predicts it.
type Bytes struct{ Adapter, Gradients, Optimizer int64 }

// Predict is the buffers' size for n float32 parameters: AdamW keeps two moments of each.
func Predict(n int64) Bytes { return Bytes{4 * n, 4 * n, 8 * n} }

// Keeps is the bytes of A dropout(x) of T tokens.
func (g *group) Keeps(t int64) int64 { return 4 * t * int64(len(g.pairs)) * int64(g.config.R) }

// Masks is the elements of the dropout masks of T tokens: one for each pair.
func (g *group) Masks(t int64) int64 {
	if g.config.LoraDropout == 0 {
		return 0
	}
	return t * int64(len(g.pairs)) * g.pairs[0].linear.In
}

// Needs is the bytes of Backward's h B, and with dropout of x dropped out for each pair, or the gradient
// of that twice.
func (g *group) Needs(t int64) int64 {
	n, in := int64(len(g.pairs)), g.pairs[0].linear.In
	b := 4 * t * n * int64(g.config.R)
	if g.config.LoraDropout > 0 {
		b += 4 * t * in * (2*n + 1)
	}
	return b
}

var _ opt.Adapter = (*group)(nil)
