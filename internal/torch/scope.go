package torch

// #include "native.h"
import "C"

import (
	"sync/atomic"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Tensor is a handle on a libtorch tensor. It belongs to the scope that made it and is dead once
// that scope is freed; using a dead tensor is an [*Error].
type Tensor struct {
	c     lib.Ctensor
	owner *Scope
}

var live atomic.Int64

// Live is the number of tensor handles that Go holds now. It is the same before and after a
// training step, or something leaks.
func Live() int64 { return live.Load() }

// Scope owns tensors. It is not safe for use from several goroutines.
type Scope struct {
	tensors []*Tensor
}

// NewScope returns a scope that lives until Free: for weights, buffers, whatever outlasts a Run.
func NewScope() *Scope { return &Scope{} }

// Free frees every tensor of the scope. It may be called again.
func (s *Scope) Free() {
	for i, t := range s.tensors {
		t.free()
		s.tensors[i] = nil
	}
	s.tensors = s.tensors[:0]
}

// Len is the number of tensors the scope owns.
func (s *Scope) Len() int { return len(s.tensors) }

// Layer calls f with a scope inside s and frees that scope when f ends; the tensor f returns
// moves to s.
func (s *Scope) Layer(f func(s *Scope) *Tensor) *Tensor {
	inner := NewScope()
	defer inner.Free()
	t := f(inner)
	inner.give(t, s)
	return t
}

// Do calls f with a scope inside s and frees that scope when f ends.
func (s *Scope) Do(f func(s *Scope)) {
	inner := NewScope()
	defer inner.Free()
	f(inner)
}

// Take makes s the owner of t, whoever owned it; nil is none.
func (s *Scope) Take(t *Tensor) {
	if t != nil && t.owner != s {
		t.owner.give(t, s)
	}
}

// Drop frees those of the tensors that s owns, before it ends; nil and what another scope has taken are left alone.
func (s *Scope) Drop(ts ...*Tensor) {
	for _, t := range ts {
		if t != nil && t.owner == s {
			s.give(t, nil)
			t.free()
		}
	}
}

// Owns reports whether t belongs to s.
func (s *Scope) Owns(t *Tensor) bool { return t.owner == s }

// Held is the bytes of the scope's tensors, a view's of what it shows, as the allocator of their device counts them.
func (s *Scope) Held() (n int64) {
	for _, t := range s.tensors {
		n += t.Held()
	}
	return n
}

// Held is the bytes of the tensor's elements.
func (t *Tensor) Held() int64 { return Rounded(t.Numel()*t.DType().Size(), t.Device()) }

// Rounded is what the allocator of a device counts for n bytes. PyTorch's for CUDA takes steps of 2 MiB from the driver for 10 MiB and
// more, and splits off only what is over 1 MiB.
func Rounded(n int64, on Device) int64 {
	if over := -n & (2<<20 - 1); on.CUDA() && n >= 10<<20 && over <= 1<<20 {
		return n + over
	}
	return n
}

// give hands t, or nothing for nil, to another scope, or to none. Where s does not own it (a Layer that returns its input, say), its owner keeps it. It looks
// from the back: what is moved or dropped was made last, nearly always.
func (s *Scope) give(t *Tensor, to *Scope) {
	if t == nil || t.owner != s {
		return
	}
	for i := len(s.tensors) - 1; i >= 0; i-- {
		if s.tensors[i] == t {
			s.tensors = append(s.tensors[:i], s.tensors[i+1:]...)
			break
		}
	}
	if t.owner = to; to != nil {
		to.tensors = append(to.tensors, t)
	}
}

func (t *Tensor) free() {
	if t.c != nil {
		lib.AtFree(t.c)
		t.c = nil
		live.Add(-1)
	}
}

// out is where libtch puts a result's handle. One is enough: there is one thread. It is on the
// heap because cgo refuses a pointer into the data segment, whose extent it cannot tell.
var out = new([1]lib.Ctensor)

func slot() *lib.Ctensor {
	out[0] = nil
	return &out[0]
}

// made takes the handle out of the slot, or fails with the operation's name and its arguments'
// shapes.
func (s *Scope) made(op string, args ...*Tensor) *Tensor {
	check(op, args...)
	if out[0] == nil {
		fail(op, "libtorch gave no result", args...)
	}
	t := &Tensor{c: out[0], owner: s}
	out[0] = nil
	live.Add(1)
	s.tensors = append(s.tensors, t)
	if metering {
		C.lb_note_usage()
	}
	return t
}

// done ends an in-place operation: libtch returns a second handle on the same tensor, which
// gotch's own wrapper forgets to free.
func done(op string, args ...*Tensor) {
	check(op, args...)
	if out[0] != nil {
		lib.AtFree(out[0])
		out[0] = nil
	}
}

// ptr is the handle to pass on; nil for an optional tensor that is not given.
func (t *Tensor) ptr(op string) lib.Ctensor {
	if t == nil {
		return nil
	}
	if t.c == nil {
		fail(op, "a tensor is used after its scope ended")
	}
	return t.c
}

// raw is ptr for our own C++.
func (t *Tensor) raw(op string) unsafe.Pointer { return unsafe.Pointer(t.ptr(op)) }
