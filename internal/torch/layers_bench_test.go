package torch

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkDropout and BenchmarkResidual are of one layer's size: 512 tokens, hidden size 1024.
func BenchmarkDropout(b *testing.B) {
	for _, copies := range []int{0, 2} {
		b.Run(fmt.Sprintf("copies=%d", copies), func(b *testing.B) {
			bench(b, func(s *Scope, x *Tensor) func(s *Scope) { return func(s *Scope) { s.Dropout(x, copies, 0.1) } })
		})
	}
}

func BenchmarkResidual(b *testing.B) {
	bench(b, func(s *Scope, x *Tensor) func(s *Scope) {
		y := s.Clone(x)
		return func(s *Scope) { s.ResidualIn(x, y, nil, 0.1) }
	})
}

func BenchmarkReLUBackward(b *testing.B) {
	bench(b, func(s *Scope, x *Tensor) func(s *Scope) {
		y := s.Clone(x)
		zero := s.ReLUIn(y, true)
		return func(*Scope) { ReLUBackwardIn(y, zero) }
	})
}

func BenchmarkLayerNorm(b *testing.B) {
	bench(b, func(s *Scope, x *Tensor) func(s *Scope) {
		w, bias := s.Zeros(Float32, CPU, 1024), s.Zeros(Float32, CPU, 1024)
		_, mean, rstd := s.LayerNorm(x, w, bias, 1e-5)
		return func(s *Scope) { s.LayerNormBackward(x, x, mean, rstd, w, bias, nil, nil) }
	})
}

func BenchmarkRMSNorm(b *testing.B) {
	for _, pass := range []string{"forward", "backward"} {
		b.Run("pass="+pass, func(b *testing.B) {
			bench(b, func(s *Scope, x *Tensor) func(s *Scope) {
				w := s.Zeros(Float32, CPU, 1024)
				_, rstd := s.RMSNorm(x, w, 1e-5)
				if pass == "forward" {
					return func(s *Scope) { s.RMSNorm(x, w, 1e-5) }
				}
				return func(s *Scope) { s.RMSNormBackward(x, x, rstd, w, nil) }
			})
		})
	}
}

func BenchmarkRotate(b *testing.B) {
	bench(b, func(s *Scope, x *Tensor) func(s *Scope) {
		cos, sin := s.Zeros(Float32, CPU, 512, 32), s.Zeros(Float32, CPU, 512, 32)
		return func(*Scope) { RotateIn(x, cos, sin, 16, false) }
	})
}

func BenchmarkSwiGLU(b *testing.B) {
	for _, pass := range []string{"forward", "backward"} {
		b.Run("pass="+pass, func(b *testing.B) {
			bench(b, func(s *Scope, x *Tensor) func(s *Scope) {
				gateUp := s.Cat([]*Tensor{x, x}, 1)
				if pass == "forward" {
					return func(s *Scope) { s.SwiGLU(gateUp) }
				}
				return func(s *Scope) { s.SwiGLUBackward(x, gateUp) }
			})
		})
	}
}

func BenchmarkAttention(b *testing.B) {
	q := Sequences{CuSeqlens: []int64{0, 128, 256, 384, 512}, MaxSeqlen: 128}
	for _, c := range []string{"kernel=flash/pass=forward", "kernel=flash/pass=backward", "kernel=exact/pass=forward", "kernel=exact/pass=backward"} {
		b.Run(c, func(b *testing.B) {
			defer FlashAttention(FlashAttention(strings.Contains(c, "flash")))
			bench(b, func(s *Scope, x *Tensor) func(s *Scope) {
				qkv := s.Cat([]*Tensor{x, x, x}, 1)
				y, lse := s.Attention(qkv, q, Heads{16, 16, 0.125})
				if strings.HasSuffix(c, "forward") {
					return func(s *Scope) { s.Attention(qkv, q, Heads{16, 16, 0.125}) }
				}
				return func(s *Scope) { s.AttentionBackward(x, qkv, y, lse, q, Heads{16, 16, 0.125}) }
			})
		})
	}
}

// bench measures what prepare returns, given 512 rows of 1024 normal numbers.
func bench(b *testing.B, prepare func(s *Scope, x *Tensor) func(s *Scope)) {
	err := Run(func(s *Scope) error {
		x := s.Empty(Float32, CPU, 512, 1024)
		NormalIn(x, 0, 1)
		f := prepare(s, x)
		for b.Loop() {
			s.Do(f)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
