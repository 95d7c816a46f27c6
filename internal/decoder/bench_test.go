package decoder_test

import (
	"testing"

	"lorabench/internal/torch"
)

// BenchmarkForward is one forward pass of the tiny post model over 43 tokens: nearly all of it is
// the cost of calling libtorch, not of arithmetic.
func BenchmarkForward(b *testing.B) {
	m := loadModel(b, post, torch.Float32)
	micro := pack(samples()...)
	run(b, func(s *torch.Scope) {
		for b.Loop() {
			s.Do(func(s *torch.Scope) { m.Logits(s, m.Hidden(s, &micro, false), false) })
		}
	})
}
