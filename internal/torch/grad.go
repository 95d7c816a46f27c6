package torch

// #include "native.h"
import "C"

import (
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// RequireGrad makes t, a leaf, collect a gradient or stop doing so.
func RequireGrad(t *Tensor, on bool) {
	lib.AtgSetRequiresGrad(slot(), t.ptr("requires_grad_"), flag(on))
	done("requires_grad_", t)
}

// RequiresGrad tells whether t takes part in a gradient.
func RequiresGrad(t *Tensor) bool { return lib.AtRequiresGrad(t.ptr("requires_grad")) }

// Detach is t without its history.
func (s *Scope) Detach(t *Tensor) *Tensor {
	lib.AtgDetach(slot(), t.ptr("detach"))
	return s.made("detach", t)
}

// Backward adds the gradient of t, a scalar, to the .grad of every leaf below it and frees the
// graph.
func Backward(t *Tensor) {
	lib.AtBackward(t.ptr("backward"), 0, 0)
	check("backward", t)
}

// SetGrad makes g the place where t's gradient is summed: backward adds to it in place, so that
// the gradients of all parameters can lie in one buffer. nil takes the gradient away.
func SetGrad(t, g *Tensor) {
	var gp unsafe.Pointer
	if g != nil {
		gp = unsafe.Pointer(g.ptr("set_grad"))
	}
	native("set_grad", func(err **C.char) lib.Ctensor {
		C.lb_set_grad(unsafe.Pointer(t.ptr("set_grad")), gp, err)
		return nil
	}, t, g)
}

// NoGrad calls f without recording for backward and restores what was before.
func (s *Scope) NoGrad(f func()) {
	before := int32(lib.AtGradSetEnabled(0))
	defer lib.AtGradSetEnabled(int(before))
	f()
}

// Norm is the 2-norm over all the tensors' elements, a float32 scalar: the norm of each one's norm,
// as clip_grad_norm_ has it. One sum over a flat buffer was tried and refused: in float32 it is off
// by 2e-5 at 800,000 elements, and grows with rank.
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
