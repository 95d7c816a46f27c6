package torch

// #include "native.h"
import "C"

import (
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// RMSNorm is w x / sqrt(mean(x^2) + eps) over the last dimension (Zhang and Sennrich 2019, arXiv:1910.07467): x [T, n H], w [H], each
// of the n pieces by itself. rstd is for RMSNormBackward.
func (s *Scope) RMSNorm(x, w *Tensor, eps float64) (y, rstd *Tensor) {
	const op = "rms_norm"
	r := s.several(op, 2, func(out *unsafe.Pointer, err **C.char) {
		C.lb_rms_norm(x.raw(op), w.raw(op), C.double(eps), out, err)
	}, x, w)
	return r[0], r[1]
}

// RMSNormBackward is x's gradient; that of w is added to dw where it is given.
func (s *Scope) RMSNormBackward(dy, x, rstd, w, dw *Tensor) *Tensor {
	const op = "rms_norm_backward"
	return s.one(op, func(err **C.char) unsafe.Pointer {
		return C.lb_rms_norm_backward(dy.raw(op), x.raw(op), rstd.raw(op), w.raw(op), dw.raw(op), err)
	}, dy, x, w)
}

// RotateIn turns each of the heads of x [T, heads D], which may be part of a wider row, by its token's angles, of which cos and sin
// [T, D/2] are given (rotary positions, Su et al. 2021, arXiv:2104.09864). back turns the other way, as the gradient wants.
func RotateIn(x, cos, sin *Tensor, heads int64, back bool) {
	const op = "rotate"
	native(op, func(err **C.char) lib.Ctensor {
		C.lb_rotate(x.raw(op), cos.raw(op), sin.raw(op), C.int64_t(heads), C.int(flag(back)), err)
		return nil
	}, x, cos)
}

// SwiGLU is silu(gate) up [T, F] of gateUp [T, 2F], gate and up side by side (Shazeer 2020, arXiv:2002.05202).
func (s *Scope) SwiGLU(gateUp *Tensor) *Tensor {
	const op = "swiglu"
	return s.one(op, func(err **C.char) unsafe.Pointer { return C.lb_swiglu(gateUp.raw(op), err) }, gateUp)
}

// SwiGLUBackward is gateUp's gradient [T, 2F].
func (s *Scope) SwiGLUBackward(dy, gateUp *Tensor) *Tensor {
	const op = "swiglu_backward"
	return s.one(op, func(err **C.char) unsafe.Pointer { return C.lb_swiglu_backward(dy.raw(op), gateUp.raw(op), err) }, dy, gateUp)
}

// Cos is the cosine of each element.
func (s *Scope) Cos(x *Tensor) *Tensor {
	lib.AtgCos(slot(), x.ptr("cos"))
	return s.made("cos", x)
}

// Sin is the sine of each element.
func (s *Scope) Sin(x *Tensor) *Tensor {
	lib.AtgSin(slot(), x.ptr("sin"))
	return s.made("sin", x)
}
