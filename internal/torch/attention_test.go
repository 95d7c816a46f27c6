package torch

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSequencesThatAreRefused: what ATen's CUDA kernels refuse is refused on the CPU, whose kernel would compute it.
func TestSequencesThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		why  string
		q    Sequences
		text string
	}{
		{"a CUDA kernel refuses a longest sequence that the row cannot hold", Sequences{CuSeqlens: []int64{0, 4}, MaxSeqlen: 5}, "MaxSeqlen is 5, more than the row's 4 tokens"},
		{"a CUDA kernel would leave its last tokens out", Sequences{CuSeqlens: []int64{0, 1, 4}, MaxSeqlen: 2}, "sequence 1 has 3 tokens, want 0 to MaxSeqlen, which is 2"},
		{"lengths that fall", Sequences{CuSeqlens: []int64{0, 3, 1, 4}, MaxSeqlen: 4}, "sequence 1 has -2 tokens"},
	} {
		err := Run(func(s *Scope) error {
			s.Attention(s.Zeros(Float32, CPU, 4, 12), c.q, Heads{2, 2, 1})
			return nil
		})
		require.ErrorContains(t, err, c.text, c.why)
	}
}

// TestExactAttentionInGraph: exact attention makes one call a sequence, of the lengths that the host has when it is
// called, and a replay would use those of the recording again.
func TestExactAttentionInGraph(t *testing.T) {
	pool, err := NewGraphPool(CPU)
	require.NoError(t, err)
	defer pool.Close()
	scope := NewScope()
	defer func() { _ = Run(func(*Scope) error { scope.Free(); return nil }) }()
	var qkv *Tensor
	run1 := func(f func(s *Scope)) error { return Run(func(s *Scope) error { f(s); return nil }) }
	require.NoError(t, run1(func(*Scope) { qkv = scope.Zeros(Float32, CPU, 4, 12) }))
	g, err := pool.Capture(func(s *Scope) { s.Attention(qkv, Sequences{CuSeqlens: []int64{0, 4}, MaxSeqlen: 4}, Heads{2, 2, 1}) })
	require.NoError(t, err)
	require.NoError(t, run1(func(*Scope) { g.Replay() }))
	defer FlashAttention(FlashAttention(false))
	require.ErrorContains(t, run1(func(*Scope) { g.Replay() }), "attention[[4 12]]: inside a graph's body")
}

// TestUpload: numbers of three types reach the device in one copy, and come out as they went in.
func TestUpload(t *testing.T) {
	run(t, func(s *Scope) {
		n := Numbers{Int64: 3, Int32: 5, Float32: 2}
		u := s.NewUpload(n, CPU)
		copy(u.Int64, []int64{1, -2, 1 << 40})
		copy(u.Int32, []int32{5, 6, 7, 8, -9})
		copy(u.Float32, []float32{0.5, -1.5})
		i64, i32, f32 := s.Unpack(u.Send(s), n)
		require.Equal(t, []int64{1, -2, 1 << 40}, s.Ints(i64))
		require.Equal(t, []float32{5, 6, 7, 8, -9}, s.Floats(i32))
		require.Equal(t, []float32{0.5, -1.5}, s.Floats(f32))

		again := s.NewUpload(n, CPU)
		copy(again.Int64, []int64{4, 5, 6})
		again.SendTo(u.Send(s))
		require.Equal(t, []int64{4, 5, 6}, s.Ints(i64), "the views are of the tensor that was copied to")

		i64, i32, f32 = s.Unpack(s.NewUpload(Numbers{}, CPU).Send(s), Numbers{})
		require.Zero(t, i64.Numel()+i32.Numel()+f32.Numel(), "no numbers")
	})
}
