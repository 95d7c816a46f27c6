package decoder

import (
	"math"

	"lorabench/internal/torch"
)

// Rotary holds the frequencies at which positions rotate the heads of q and k (Su et al. 2021, arXiv:2104.09864): D/2 for heads of width
// D, in float32 as transformers computes them.
type Rotary struct{ Frequencies []float32 }

// NewRotary computes theta^(-2i/D) for i = 0 .. D/2-1.
func NewRotary(theta float64, width int64) *Rotary {
	r := &Rotary{}
	for i := int64(0); i < width; i += 2 {
		r.Frequencies = append(r.Frequencies, 1/float32(math.Pow(theta, float64(float32(i)/float32(width)))))
	}
	return r
}

func (r *Rotary) frequencies() []float32 {
	if r == nil {
		return nil
	}
	return r.Frequencies
}

// angles returns the cosine and sine of each token's position times each frequency, [T, D/2], in the model's type; nil without rotary
// positions.
func (b *Batch) angles(s *torch.Scope, d torch.DType) (cos, sin *torch.Tensor) {
	if b.frequencies == nil {
		return nil, nil
	}
	s.Do(func(inner *torch.Scope) {
		positions := inner.View(inner.Cast(b.Positions, torch.Float32), b.Positions.Numel(), 1)
		angle := inner.Cast(inner.Mul(positions, inner.View(b.frequencies, 1, b.frequencies.Numel())), lossType(d))
		cos, sin = inner.Cast(inner.Cos(angle), d), inner.Cast(inner.Sin(angle), d)
		s.Take(cos)
		s.Take(sin)
	})
	return cos, sin
}
