package torch

// #include "native.h"
import "C"

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Sequences says where the sequences of a row without padding are.
type Sequences struct {
	CuSeqlens []int64 // [B+1] cumulative lengths: CuSeqlens[0] = 0, CuSeqlens[B] = T
	OnDevice  *Tensor // CuSeqlens as int32 on the device, for CUDA; nil on a CPU
	MaxSeqlen int64   // no sequence is longer
}

// check refuses what ATen's CUDA kernels refuse, on the CPU too: its own kernel never looks at MaxSeqlen.
func (q Sequences) check(op string, t *Tensor, h Heads) {
	if h.KV < 1 || h.N%h.KV != 0 || t.Dim(1)%(h.N+2*h.KV) != 0 {
		fail(op, fmt.Sprintf("%d heads of queries and %d of keys do not fit", h.N, h.KV), t)
	}
	if len(q.CuSeqlens) < 2 || q.CuSeqlens[0] != 0 || q.CuSeqlens[len(q.CuSeqlens)-1] != t.Dim(0) {
		fail(op, fmt.Sprintf("cumulative lengths %v do not span the row", q.CuSeqlens), t)
	}
	for i, end := range q.CuSeqlens[1:] {
		if n := end - q.CuSeqlens[i]; n < 0 || n > q.MaxSeqlen {
			fail(op, fmt.Sprintf("sequence %d has %d tokens, want 0 to MaxSeqlen, which is %d", i, n, q.MaxSeqlen), t)
		}
	}
	if q.MaxSeqlen > t.Dim(0) {
		fail(op, fmt.Sprintf("MaxSeqlen is %d, more than the row's %d tokens", q.MaxSeqlen, t.Dim(0)), t)
	}
	if exact.Load() {
		outsideGraph(op, t) // one call a sequence, of the lengths that the host has now: a replay would use them again
	}
}

// Heads says how attention reads a row of q, k and v side by side.
type Heads struct {
	N     int64   // of the queries
	KV    int64   // of keys and values, each shared by N / KV of the queries' (grouped queries)
	Scale float64 // scores are q k^T * Scale
}

// Attention is causal self-attention within each sequence: qkv [T, (N + 2 KV) D], y [T, N D]. No attention matrix is stored, no
// token sees another sequence. lse is for AttentionBackward.
func (s *Scope) Attention(qkv *Tensor, q Sequences, h Heads) (y, lse *Tensor) {
	const op = "attention"
	q.check(op, qkv, h)
	r := s.several(op, 2, func(out *unsafe.Pointer, err **C.char) {
		C.lb_attention(qkv.raw(op), q.OnDevice.raw(op), (*C.int64_t)(unsafe.Pointer(&q.CuSeqlens[0])), C.int(len(q.CuSeqlens)-1), C.int64_t(q.MaxSeqlen),
			C.int64_t(h.N), C.int64_t(h.KV), C.double(h.Scale), out, err)
	}, qkv)
	return r[0], r[1]
}

// AttentionBackward is the gradient by qkv from that by y.
func (s *Scope) AttentionBackward(dy, qkv, y, lse *Tensor, q Sequences, h Heads) *Tensor {
	const op = "attention_backward"
	q.check(op, qkv, h)
	return s.one(op, func(err **C.char) unsafe.Pointer {
		return C.lb_attention_backward(dy.raw(op), qkv.raw(op), y.raw(op), lse.raw(op), q.OnDevice.raw(op), (*C.int64_t)(unsafe.Pointer(&q.CuSeqlens[0])),
			C.int(len(q.CuSeqlens)-1), C.int64_t(q.MaxSeqlen), C.int64_t(h.N), C.int64_t(h.KV), C.double(h.Scale), err)
	}, dy, qkv)
}

// FlashAttention chooses the kernel of Attention and returns what was chosen before. The flash
// kernels, PyTorch's default and the peer's, store no attention matrix; the CPU's exponential has
// about 20 good bits: OPT-350m's gradients differ from exact ones by up to 3e-3 in the norm of a
// single matrix. Off is for comparing with exact figures.
func FlashAttention(on bool) bool {
	exact.Store(!on)
	return C.lb_flash(C.int(flag(on))) != 0
}

// exact is true after FlashAttention(false).
var exact atomic.Bool
