package torch

// #include "native.h"
import "C"

import (
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Numbers counts the numbers of each type that one copy to a device carries.
type Numbers struct{ Int64, Int32, Float32 int }

func (n Numbers) bytes() int64 { return 8*int64(n.Int64) + 4*int64(n.Int32) + 4*int64(n.Float32) }

// Upload is host memory for numbers on their way to a device: the caller fills the slices, then one copy
// carries all of them. For CUDA the memory is pinned, since the driver stages a copy from pageable memory and
// waits for the stream above 64 KiB (CUDA Runtime API, API synchronization behavior). libtorch's host allocator
// gives the memory out again only after the event that it records behind the copy.
//
// The slices are C's memory and are dead with the scope that made the Upload.
type Upload struct {
	Int64   []int64
	Int32   []int32
	Float32 []float32

	n    Numbers
	on   Device
	host *Tensor // [bytes] uint8
}

// NewUpload allocates memory for n numbers that are to go to device on. Their values are not set.
func (s *Scope) NewUpload(n Numbers, on Device) *Upload {
	const op = "upload"
	outsideGraph(op)
	u := &Upload{n: n, on: on}
	u.host = s.one(op, func(err **C.char) unsafe.Pointer {
		return C.lb_host_memory(C.int64_t(n.bytes()), C.int(flag(on.CUDA())), err)
	})
	p := lib.AtDataPtr(u.host.ptr(op))
	check(op)
	u.Int64 = unsafe.Slice((*int64)(p), n.Int64)
	u.Int32 = unsafe.Slice((*int32)(unsafe.Add(p, 8*n.Int64)), n.Int32)
	u.Float32 = unsafe.Slice((*float32)(unsafe.Add(p, 8*n.Int64+4*n.Int32)), n.Float32)
	return u
}

// Send copies the numbers to a new tensor [bytes] uint8 on the device, without waiting for it; on the CPU the
// result is the Upload's own memory.
func (u *Upload) Send(s *Scope) *Tensor {
	if !u.on.CUDA() {
		return u.host
	}
	t := s.Empty(UInt8, u.on, u.n.bytes())
	u.SendTo(t)
	return t
}

// SendTo is Send into a tensor that an earlier Send of as many numbers made.
func (u *Upload) SendTo(t *Tensor) {
	const op = "upload"
	native(op, func(err **C.char) lib.Ctensor { C.lb_copy_async(t.raw(op), u.host.raw(op), err); return nil }, t, u.host)
}

// Unpack returns views of the numbers in a tensor that Send made: int64, int32 and float32, each of one
// dimension.
func (s *Scope) Unpack(t *Tensor, n Numbers) (i64, i32, f32 *Tensor) {
	at := int64(0)
	view := func(count int, d DType) *Tensor {
		size := int64(count) * d.Size()
		at += size
		return s.Layer(func(s *Scope) *Tensor {
			part := s.Narrow(t, 0, at-size, size)
			lib.AtgViewDtype(slot(), part.ptr("view"), int32(d))
			return s.made("view", part)
		})
	}
	return view(n.Int64, Int64), view(n.Int32, Int32), view(n.Float32, Float32)
}
