package torch

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseKernels(t *testing.T) {
	now := Kernels{LibTorch, LibTorch, "float32", "float32"}
	for _, c := range []struct {
		text string
		want Kernels
		err  string
		why  string
	}{
		{now.String(), now, "", "what String writes is read"},
		{"head=libtorch", now, "", "one alone leaves the others"},
		{"layers=mkl", now, `layers is "mkl": this processor has `, "a library that there is not"},
		{"attention=float16", now, `attention is "float16": this processor has float32`, "a type that there is not"},
		{"tail=own", now, `"tail=own": want layers, head, bf16, attention`, "a name that there is not"},
		{"", now, `"": want layers`, "nothing"},
	} {
		got, err := ParseKernels(c.text, now)
		require.Equal(t, c.want, got, c.why)
		if c.err == "" {
			require.NoError(t, err, c.why)
		} else {
			require.ErrorContains(t, err, c.err, c.why)
		}
	}
}

// TestAttentionInBFloat16: computed in float32 or with bfloat16's kernel, attention is that of the same numbers within bfloat16's
// rounding, forward and backward.
func TestAttentionInBFloat16(t *testing.T) {
	run(t, func(s *Scope) {
		require.NoError(t, Seed(1))
		q := Sequences{CuSeqlens: []int64{0, 9, 40}, MaxSeqlen: 31}
		heads := Heads{N: 4, KV: 2, Scale: 0.25}
		qkv, dy := s.Empty(BFloat16, CPU, 40, 8*16), s.Empty(BFloat16, CPU, 40, 4*16)
		NormalIn(qkv, 0, 1)
		NormalIn(dy, 0, 1)
		wide := s.Cast(qkv, Float64)
		y64, lse64 := s.Attention(wide, q, heads)
		d64 := s.AttentionBackward(s.Cast(dy, Float64), wide, y64, lse64, q, heads)
		for _, half := range types {
			k := CurrentKernels()
			k.Attention = half
			defer SetKernels(SetKernels(k))
			y, lse := s.Attention(qkv, q, heads)
			require.Equal(t, BFloat16, y.DType(), half)
			rounded(t, s, y64, y, 1.0/32)
			rounded(t, s, d64, s.AttentionBackward(dy, qkv, y, lse, q, heads), 1.0/16)
		}
	})
}

// TestLlamaPassesInBFloat16: the norm, rotation and gate of bfloat16, and their gradients, are those of the same numbers within
// bfloat16's rounding.
func TestLlamaPassesInBFloat16(t *testing.T) {
	run(t, func(s *Scope) {
		require.NoError(t, Seed(1))
		draw := func(shape ...int64) *Tensor { x := s.Empty(BFloat16, CPU, shape...); NormalIn(x, 0, 1); return x }
		wide := func(x *Tensor) *Tensor { return s.Cast(x, Float64) }
		x, dy, w := draw(7, 70), draw(7, 70), draw(35)
		y, rstd := s.RMSNorm(x, w, 1e-5)
		y64, rstd64 := s.RMSNorm(wide(x), wide(w), 1e-5)
		rounded(t, s, y64, y, 1.0/64)
		rounded(t, s, s.RMSNormBackward(wide(dy), wide(x), rstd64, wide(w), nil), s.RMSNormBackward(dy, x, rstd, w, nil), 1.0/64)
		angles := draw(7, 5)
		cos, sin := s.Cos(angles), s.Sin(angles)
		turned, turned64 := s.Clone(x), wide(x)
		RotateIn(s.Narrow(turned, 1, 0, 60), cos, sin, 6, true)
		RotateIn(s.Narrow(turned64, 1, 0, 60), wide(cos), wide(sin), 6, true)
		rounded(t, s, turned64, turned, 1.0/64)
		half := draw(7, 35)
		rounded(t, s, s.SwiGLU(wide(x)), s.SwiGLU(x), 1.0/64)
		rounded(t, s, s.SwiGLUBackward(wide(half), wide(x)), s.SwiGLUBackward(half, x), 1.0/64)
	})
}
