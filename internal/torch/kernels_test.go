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
