package torch

// #include "native.h"
import "C"

import (
	"fmt"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Linear is x W^T + b: x [.., in], w [out, in], b [out] or nil, result [.., out].
func (s *Scope) Linear(x, w, b *Tensor) *Tensor {
	const op = "linear"
	return s.one(op, func(err **C.char) unsafe.Pointer { return C.lb_linear(x.raw(op), w.raw(op), b.raw(op), err) }, x, w, b)
}

// WarmProducts makes cuBLAS allocate its workspace on a CUDA device, which it keeps: the first product of a process
// would otherwise count it as its own memory. Both kinds of product take part, with a bias (cuBLASLt's) and without.
func (d Device) WarmProducts() error {
	if !d.CUDA() {
		return nil
	}
	return Run(func(s *Scope) error {
		for _, t := range []DType{Float32, BFloat16} {
			x := s.Zeros(t, d, 32, 32)
			s.Linear(x, x, s.Zeros(t, d, 32))
			s.MatMul(x, x)
		}
		return nil
	})
}

// LinearBackward is dy W, the gradient of Linear's x: dy [T, out], w [out, in], result [T, in]. Where dx
// is given it is added to that, which is the result.
func (s *Scope) LinearBackward(dy, w, dx *Tensor) *Tensor {
	const op = "linear_backward"
	if dx != nil {
		native(op, func(err **C.char) lib.Ctensor {
			C.lb_linear_backward(dy.raw(op), w.raw(op), dx.raw(op), err)
			return nil
		}, dy, w, dx)
		return dx
	}
	return s.one(op, func(err **C.char) unsafe.Pointer { return C.lb_linear_backward(dy.raw(op), w.raw(op), nil, err) }, dy, w)
}

// AddMM makes y beta y + alpha a b, in place: matrices, or [n, .., ..] of them. ta and tb transpose
// a and b. y may be part of a wider tensor, and float32 where a and b are bfloat16.
func AddMM(y, a, b *Tensor, ta, tb bool, beta, alpha float64) {
	const op = "addmm_"
	native(op, func(err **C.char) lib.Ctensor {
		C.lb_addmm(y.raw(op), a.raw(op), b.raw(op), C.int(flag(ta)), C.int(flag(tb)), C.double(beta), C.double(alpha), err)
		return nil
	}, y, a, b)
}

// LayerNorm normalises the last dimension of x [T, H]; w and b [H] may be nil. mean and rstd [T, 1]
// are for LayerNormBackward.
func (s *Scope) LayerNorm(x, w, b *Tensor, eps float64) (y, mean, rstd *Tensor) {
	const op = "layer_norm"
	r := s.several(op, 3, func(out *unsafe.Pointer, err **C.char) {
		C.lb_layer_norm(x.raw(op), w.raw(op), b.raw(op), C.double(eps), out, err)
	}, x, w, b)
	return r[0], r[1], r[2]
}

// LayerNormBackward is x's gradient; those of w and b are added to dw and db where these are given.
func (s *Scope) LayerNormBackward(dy, x, mean, rstd, w, b, dw, db *Tensor) *Tensor {
	const op = "layer_norm_backward"
	return s.one(op, func(err **C.char) unsafe.Pointer {
		return C.lb_layer_norm_backward(dy.raw(op), x.raw(op), mean.raw(op), rstd.raw(op), w.raw(op), b.raw(op), dw.raw(op), db.raw(op), err)
	}, dy, x, w)
}

// ReLUIn makes x max(x, 0) in place. Where mask is asked for, it returns which elements are 0,
// for ReLUBackwardIn: a bit each on a CPU, a byte on CUDA.
func (s *Scope) ReLUIn(x *Tensor, mask bool) *Tensor {
	const op = "relu_"
	if !mask {
		native(op, func(err **C.char) lib.Ctensor { C.lb_relu(x.raw(op), 0, err); return nil }, x)
		return nil
	}
	return s.one(op, func(err **C.char) unsafe.Pointer { return C.lb_relu(x.raw(op), 1, err) }, x)
}

// ReLUBackwardIn makes dy the gradient of ReLU's input.
func ReLUBackwardIn(dy, zero *Tensor) {
	const op = "relu_backward"
	native(op, func(err **C.char) lib.Ctensor { C.lb_relu_backward(dy.raw(op), zero.raw(op), err); return nil }, dy, zero)
}

// GELU is x Phi(x), with the error function.
func (s *Scope) GELU(x *Tensor) *Tensor {
	lib.AtgGelu(slot(), x.ptr("gelu"), "none")
	return s.made("gelu", x)
}

// GELUBackward is the gradient of GELU's input x.
func (s *Scope) GELUBackward(dy, x *Tensor) *Tensor {
	const op = "gelu_backward"
	return s.one(op, func(err **C.char) unsafe.Pointer { return C.lb_gelu_backward(dy.raw(op), x.raw(op), err) }, dy, x)
}

// Dropout zeroes each element with probability p > 0 and scales the rest by 1/(1-p). The result is
// [copies, ..], each copy with a mask of its own, or x's shape where copies is 0. mask is for
// DropoutWith: bits on a CPU, a byte an element on CUDA.
func (s *Scope) Dropout(x *Tensor, copies int, p float64) (y, mask *Tensor) {
	const op = "dropout"
	r := s.several(op, 2, func(out *unsafe.Pointer, err **C.char) {
		C.lb_dropout(x.raw(op), nil, C.int64_t(copies), C.double(p), out, err)
	}, x)
	return r[0], r[1]
}

// DropoutWith applies a mask that Dropout drew, to x or to its gradient: forward and backward are
// the same function. copies is Dropout's for x, 0 for the gradient.
func (s *Scope) DropoutWith(x, mask *Tensor, copies int, p float64) *Tensor {
	const op = "dropout"
	return s.several(op, 1, func(out *unsafe.Pointer, err **C.char) {
		var two [2]unsafe.Pointer
		C.lb_dropout(x.raw(op), mask.raw(op), C.int64_t(copies), C.double(p), &two[0], err)
		*out = two[0]
	}, x, mask)[0]
}

// ResidualIn makes y x + dropout(y) in place. It returns the mask it drew; nil where p is 0 or a mask
// is given.
func (s *Scope) ResidualIn(x, y, mask *Tensor, p float64) *Tensor {
	const op = "residual"
	if p == 0 || mask != nil {
		native(op, func(err **C.char) lib.Ctensor {
			C.lb_residual(x.raw(op), y.raw(op), mask.raw(op), C.double(p), err)
			return nil
		}, x, y, mask)
		return nil
	}
	return s.one(op, func(err **C.char) unsafe.Pointer { return C.lb_residual(x.raw(op), y.raw(op), nil, C.double(p), err) }, x, y)
}

// ZeroRowsIn sets the rows of t [T, H] whose id in ids [T] is id to 0.
func ZeroRowsIn(t, ids *Tensor, id int64) {
	const op = "masked_fill_"
	native(op, func(err **C.char) lib.Ctensor { C.lb_zero_rows(t.raw(op), ids.raw(op), C.int64_t(id), err); return nil }, t, ids)
}

// Stacked is the tensors as one along their first dimension, without a copy, where they lie one
// after the other in the same memory; else nil.
func (s *Scope) Stacked(ts ...*Tensor) *Tensor {
	const op = "stacked"
	handles := make([]unsafe.Pointer, len(ts))
	for i, t := range ts {
		if t == nil {
			return nil
		}
		handles[i] = t.raw(op)
	}
	slot()
	out[0] = native(op, func(err **C.char) lib.Ctensor { return lib.Ctensor(C.lb_stacked(&handles[0], C.int(len(ts)), err)) }, ts...)
	if out[0] == nil {
		return nil
	}
	return s.made(op, ts...)
}

// CrossEntropySum sums the next token's -log softmax(h W^T)[target] over the labels and computes the
// gradient, a chunk of rows at a time: h [L, E], w [V, E], target [L] int64, negative where a row
// has no label.
//
// It adds the sum, each row weighted by scale [L] (nil is 1), to loss, a float32 scalar. Where dh is
// asked for it returns that sum's gradient by h; where dw is given it adds the gradient by w to it.
// chunk is the number of rows computed at a time: memory is chunk x V float32, whatever L is.
func (s *Scope) CrossEntropySum(h, w, target, scale, loss, dw *Tensor, dh bool, chunk int64) *Tensor {
	const op = "cross_entropy"
	if chunk < 1 {
		fail(op, fmt.Sprintf("chunks of %d rows", chunk), h, w)
	}
	call := func(out *unsafe.Pointer, err **C.char) {
		C.lb_head(h.raw(op), w.raw(op), target.raw(op), scale.raw(op), loss.raw(op), dw.raw(op), C.int(flag(dh)), C.int64_t(chunk), out, err)
	}
	if !dh {
		native(op, func(err **C.char) lib.Ctensor {
			var none unsafe.Pointer
			call(&none, err)
			return nil
		}, h, w, target)
		return nil
	}
	return s.several(op, 1, call, h, w, target)[0]
}
