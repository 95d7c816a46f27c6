package torch

// #include "native.h"
import "C"

import (
	"fmt"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Embedding is the rows of w [V, H] that ids [T] name: [T, H]. The row padding, where it is not
// negative, gets no gradient from here.
func (s *Scope) Embedding(w, ids *Tensor, padding int64) *Tensor {
	lib.AtgEmbedding(slot(), w.ptr("embedding"), ids.ptr("embedding"), padding, 0, 0)
	return s.made("embedding", w, ids)
}

// LayerNorm normalises the last dimension: x [T, H], w and b [H] (both may be nil).
func (s *Scope) LayerNorm(x, w, b *Tensor, eps float64) *Tensor {
	size := []int64{x.Dim(-1)}
	lib.AtgLayerNorm(slot(), x.ptr("layer_norm"), size, 1, w.ptr("layer_norm"), b.ptr("layer_norm"), eps, 1)
	return s.made("layer_norm", x, w, b)
}

// ReLU is max(x, 0).
func (s *Scope) ReLU(x *Tensor) *Tensor {
	lib.AtgRelu(slot(), x.ptr("relu"))
	return s.made("relu", x)
}

// GELU is x Phi(x), with the error function.
func (s *Scope) GELU(x *Tensor) *Tensor {
	lib.AtgGelu(slot(), x.ptr("gelu"), "none")
	return s.made("gelu", x)
}

// Dropout zeroes each element with probability p and scales the rest by 1/(1-p); x itself where
// p is 0.
func (s *Scope) Dropout(x *Tensor, p float64) *Tensor {
	if p == 0 {
		return x
	}
	lib.AtgDropout(slot(), x.ptr("dropout"), p, 1)
	return s.made("dropout", x)
}

// Attention is causal self-attention within each sequence of a row without padding: q, k, v
// [T, heads, D], cum [B+1] the cumulative lengths (cum[0]=0, cum[B]=T), result [T, heads*D].
// Scores are q k^T * scale. No attention matrix is stored.
func (s *Scope) Attention(q, k, v *Tensor, cum []int64, scale float64) *Tensor {
	const op = "scaled_dot_product_attention"
	if len(cum) < 2 || cum[0] != 0 || cum[len(cum)-1] != q.Dim(0) {
		fail(op, fmt.Sprintf("cumulative lengths %v do not span the row", cum), q, k, v)
	}
	slot()
	out[0] = native(op, func(err **C.char) lib.Ctensor {
		return lib.Ctensor(C.lb_attention(unsafe.Pointer(q.ptr(op)), unsafe.Pointer(k.ptr(op)), unsafe.Pointer(v.ptr(op)),
			(*C.int64_t)(unsafe.Pointer(&cum[0])), C.int(len(cum)-1), C.double(scale), err))
	}, q, k, v)
	return s.made(op, q, k, v)
}

// FlashAttention chooses the kernel of Attention on the CPU and returns what was chosen before.
// The flash kernel, PyTorch's default and the peer's, stores no attention matrix, and its
// exponential has about 20 good bits: OPT-350m's gradients differ from exact ones by up to 3e-3 in
// the norm of a single matrix. Off is for comparing with exact figures.
func FlashAttention(on bool) bool { return C.lb_flash(C.int(flag(on))) != 0 }

// CrossEntropySum is the sum over rows of -log softmax(logits)[target], in float32: logits
// [N, V], target [N] int64.
func (s *Scope) CrossEntropySum(logits, target *Tensor) *Tensor {
	const sum = 2 // at::Reduction::Sum
	lib.AtgCrossEntropyLoss(slot(), logits.ptr("cross_entropy"), target.ptr("cross_entropy"), nil, sum, -100, 0)
	return s.made("cross_entropy", logits, target)
}
