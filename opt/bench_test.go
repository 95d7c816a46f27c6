package opt

import (
	"strings"
	"testing"

	"lorabench/internal/torch"
)

// BenchmarkForward is one forward pass of the tiny post model over 43 tokens: nearly all of it is
// the cost of calling libtorch, not of arithmetic.
func BenchmarkForward(b *testing.B) {
	m := loadModel(b, post, torch.Float32)
	micro := pack(samples()...)
	run(b, func(s *torch.Scope) {
		s.NoGrad(func() {
			for b.Loop() {
				s.Do(func(s *torch.Scope) { m.Logits(s, m.Hidden(s, &micro, false), false) })
			}
		})
	})
}

// BenchmarkBackward is the loss and its gradient by every q_proj, the least that training has to do.
func BenchmarkBackward(b *testing.B) {
	m := loadModel(b, post, torch.Float32)
	m.ModelDropout = 0
	micro := pack(samples()...)
	run(b, func(s *torch.Scope) {
		for _, l := range m.Linears() {
			if strings.HasSuffix(l.Name, ".q_proj") {
				torch.RequireGrad(l.Weight, true)
			}
		}
		for b.Loop() {
			s.Do(func(s *torch.Scope) { torch.Backward(m.LossSum(s, &micro, true)) })
		}
	})
}
