package torch

// #include "native.h"
import "C"

import (
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Norm is the 2-norm over all the tensors' elements, a float32 scalar: the norm of each one's norm,
// as clip_grad_norm_ has it.
func (s *Scope) Norm(ts []*Tensor) *Tensor {
	const op = "_foreach_norm"
	if len(ts) == 0 {
		fail(op, "no tensors")
	}
	handles := make([]unsafe.Pointer, len(ts))
	for i, t := range ts {
		handles[i] = unsafe.Pointer(t.ptr(op))
	}
	slot()
	out[0] = native(op, func(err **C.char) lib.Ctensor {
		return lib.Ctensor(C.lb_norm(&handles[0], C.int(len(handles)), err))
	}, ts...)
	return s.made(op, ts...)
}

// AdamW is one step of AdamW (Loshchilov and Hutter, arXiv:1711.05101) over flat float32 buffers
// of equal length n: parameters p, gradients g, moments m and v; step and rate are one-element
// float32 tensors on the same device, so that a step waits for nothing and can be replayed from
// a graph. step must already count this step. PyTorch's own fused kernel: one pass over memory.
func AdamW(p, g, m, v, step, rate *Tensor, beta1, beta2, eps, decay float64) {
	const op = "_fused_adamw_"
	native(op, func(err **C.char) lib.Ctensor {
		C.lb_adamw(unsafe.Pointer(p.ptr(op)), unsafe.Pointer(g.ptr(op)), unsafe.Pointer(m.ptr(op)), unsafe.Pointer(v.ptr(op)),
			unsafe.Pointer(step.ptr(op)), unsafe.Pointer(rate.ptr(op)), C.double(beta1), C.double(beta2), C.double(eps), C.double(decay), err)
		return nil
	}, p, g, m, v)
}

func flag(b bool) int32 {
	if b {
		return 1
	}
	return 0
}
