package torch

// The directory link, made by internal/setup and ignored by git, holds a symbolic link to
// libtorch and the CUDA part: flags with paths of one machine cannot stand in a committed file. Without
// -fopenmp at::parallel_for is a loop on one thread.

// #cgo CXXFLAGS: -std=c++17 -O3 -fopenmp -w -I${SRCDIR}/link/libtorch/include -I${SRCDIR}/link/libtorch/include/torch/csrc/api/include
// #cgo LDFLAGS: -L${SRCDIR}/link/libtorch/lib -ltorch_cpu -lc10 -lgomp -lstdc++ -ldl -Wl,--allow-shlib-undefined -Wl,-rpath,${SRCDIR}/link/libtorch/lib -Wl,-rpath,${SRCDIR}/link
// #include "native.h"
// #include <stdlib.h>
import "C"

import (
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// native calls one of our own C++ functions and fails with the message it leaves.
func native(op string, f func(err **C.char) lib.Ctensor, args ...*Tensor) lib.Ctensor {
	var msg *C.char
	c := f(&msg)
	if msg != nil {
		text := firstLines(C.GoString(msg))
		C.free(unsafe.Pointer(msg))
		fail(op, text, args...)
	}
	return c
}

// one is native for a function that returns a new tensor.
func (s *Scope) one(op string, f func(err **C.char) unsafe.Pointer, args ...*Tensor) *Tensor {
	slot()
	out[0] = native(op, func(err **C.char) lib.Ctensor { return lib.Ctensor(f(err)) }, args...)
	return s.made(op, args...)
}

// several is native for a function that fills n places with new tensors.
func (s *Scope) several(op string, n int, f func(out *unsafe.Pointer, err **C.char), args ...*Tensor) []*Tensor {
	places := make([]unsafe.Pointer, n)
	native(op, func(err **C.char) lib.Ctensor { f(&places[0], err); return nil }, args...)
	ts := make([]*Tensor, n)
	for i, p := range places {
		slot()
		out[0] = lib.Ctensor(p)
		ts[i] = s.made(op, args...)
	}
	return ts
}

// nativeError is native for what happens outside a Run: it returns the error.
func nativeError(op string, f func(err **C.char)) error {
	var msg *C.char
	f(&msg)
	if msg == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(msg))
	return &Error{Op: op, Reason: firstLines(C.GoString(msg))}
}

// prepareThread switches autograd off for good on this thread.
func prepareThread() { C.lb_thread() }

// Version is libtorch's own, e.g. 2.11.0.
func Version() string { return C.GoString(C.lb_version()) }

// Seed seeds the generators of the CPU and of every CUDA device.
func Seed(seed int64) error {
	return nativeError("manual_seed", func(err **C.char) { C.lb_seed(C.int64_t(seed), err) })
}

// RandomState returns the state of on's generator, a uint8 tensor on the CPU.
func (s *Scope) RandomState(on Device) *Tensor {
	return s.one("get_state", func(err **C.char) unsafe.Pointer { return C.lb_random_state(C.int(on), err) })
}

// SetRandomState puts back what RandomState returned.
func SetRandomState(on Device, state *Tensor) {
	p := state.ptr("set_state")
	native("set_state", func(err **C.char) lib.Ctensor {
		C.lb_set_random_state(C.int(on), unsafe.Pointer(p), err)
		return nil
	}, state)
}

// Threads is the number of threads an operation may use on the CPU.
func Threads() int { return int(C.lb_threads()) }

// SetThreads sets that number, at least 1, and returns what it was. Two threads that share a core with another process
// compute a tiny model ten times slower than one.
func SetThreads(n int) (was int, err error) {
	err = Run(func(*Scope) error {
		was = Threads()
		return nativeError("set_num_threads", func(err **C.char) { C.lb_set_threads(C.int(n), err) })
	})
	return was, err
}
