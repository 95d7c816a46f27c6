package torch

import (
	"fmt"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// DType is an element type, numbered as PyTorch's ScalarType.
type DType int32

// The element types in use here.
const (
	UInt8    DType = 0
	Int32    DType = 3
	Int64    DType = 4
	Float16  DType = 5
	Float32  DType = 6
	Float64  DType = 7
	Bool     DType = 11
	BFloat16 DType = 15
)

// Size is the number of bytes of one element.
func (d DType) Size() int64 {
	switch d {
	case UInt8, Bool:
		return 1
	case Float16, BFloat16:
		return 2
	case Int32, Float32:
		return 4
	case Int64, Float64:
		return 8
	}
	return 0
}

func (d DType) String() string {
	switch d {
	case UInt8:
		return "uint8"
	case Int32:
		return "int32"
	case Int64:
		return "int64"
	case Float16:
		return "float16"
	case Float32:
		return "float32"
	case Float64:
		return "float64"
	case Bool:
		return "bool"
	case BFloat16:
		return "bfloat16"
	}
	return fmt.Sprintf("dtype(%d)", int32(d))
}

// Shape is the tensor's sizes.
func (t *Tensor) Shape() []int64 {
	c := t.ptr("shape")
	n := lib.AtDim(c)
	if n == 0 {
		return []int64{}
	}
	shape := make([]int64, n)
	lib.AtShape(c, unsafe.Pointer(&shape[0]))
	return shape
}

// Dim is the size along dimension d; negative d counts from the end.
func (t *Tensor) Dim(d int) int64 {
	shape := t.Shape()
	if d < 0 {
		d += len(shape)
	}
	if d < 0 || d >= len(shape) {
		fail("size", fmt.Sprintf("no dimension %d", d), t)
	}
	return shape[d]
}

// Numel is the number of elements.
func (t *Tensor) Numel() int64 { return numel(t.Shape()) }

// DType is the element type.
func (t *Tensor) DType() DType { return DType(lib.AtScalarType(t.ptr("dtype"))) }

// Device is where the elements are.
func (t *Tensor) Device() Device {
	// at_device's result is read from 32 bits: gotch's wrapper reads 64 and takes in whatever
	// stands beside them.
	return Device(int32(lib.AtDevice(t.ptr("device"))))
}

func numel(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}

// dims is shape as libtch takes it: a pointer to the first of at least one.
func dims(shape []int64) []int64 {
	if len(shape) == 0 {
		return []int64{0}[:1]
	}
	return shape
}

// Zeros makes a tensor of zeros.
func (s *Scope) Zeros(d DType, on Device, shape ...int64) *Tensor {
	lib.AtgZeros(slot(), dims(shape), len(shape), int32(d), int32(on))
	return s.made("zeros")
}

// Empty makes a tensor whose elements are not set.
func (s *Scope) Empty(d DType, on Device, shape ...int64) *Tensor {
	lib.AtgEmpty(slot(), dims(shape), len(shape), int32(d), int32(on))
	return s.made("empty")
}

func (s *Scope) fromMemory(p unsafe.Pointer, d DType, shape []int64) *Tensor {
	outsideGraph("tensor")
	slot()
	out[0] = lib.AtTensorOfData(p, dims(shape), uint(len(shape)), uint(d.Size()), int(d))
	return s.made("tensor")
}

// FromBytes copies little-endian, row-major elements into a new CPU tensor.
func (s *Scope) FromBytes(data []byte, d DType, shape ...int64) *Tensor {
	if int64(len(data)) != numel(shape)*d.Size() {
		fail("tensor", fmt.Sprintf("%d bytes for shape %v of %v", len(data), shape, d))
	}
	if len(data) == 0 {
		return s.Empty(d, CPU, shape...)
	}
	return s.fromMemory(unsafe.Pointer(&data[0]), d, shape)
}

// FromFloats copies values into a new float32 CPU tensor.
func (s *Scope) FromFloats(v []float32, shape ...int64) *Tensor {
	if int64(len(v)) != numel(shape) {
		fail("tensor", fmt.Sprintf("%d values for shape %v", len(v), shape))
	}
	if len(v) == 0 {
		return s.Empty(Float32, CPU, shape...)
	}
	return s.fromMemory(unsafe.Pointer(&v[0]), Float32, shape)
}

// FromInts copies values into a new int64 tensor of shape [len(v)] on a device.
func (s *Scope) FromInts(v []int64, on Device) *Tensor {
	if len(v) == 0 {
		return s.Empty(Int64, on, 0)
	}
	return s.To(s.fromMemory(unsafe.Pointer(&v[0]), Int64, []int64{int64(len(v))}), Int64, on)
}

// Floats copies the elements out as float32, waiting for the device.
func (s *Scope) Floats(t *Tensor) []float32 {
	outsideGraph("copy", t)
	v := make([]float32, t.Numel())
	if len(v) == 0 {
		return v
	}
	s.Do(func(s *Scope) {
		c := s.To(t, Float32, CPU)
		lib.AtCopyData(c.ptr("copy"), unsafe.Pointer(&v[0]), uint(len(v)), 4)
		check("copy", t)
	})
	return v
}

// Bytes returns the elements as little-endian bytes, waiting for the device. Where t is contiguous on the CPU they are its own memory, so
// that writing weights to a file takes no second copy of them; elsewhere a copy that s owns. They must not be used after s is freed.
func (s *Scope) Bytes(t *Tensor) []byte {
	outsideGraph("data_ptr", t)
	lib.AtgContiguous(slot(), t.ptr("contiguous"))
	c := s.To(s.made("contiguous", t), t.DType(), CPU)
	n := c.Numel() * c.DType().Size()
	if n == 0 {
		return nil
	}
	p := lib.AtDataPtr(c.ptr("data_ptr"))
	check("data_ptr", t)
	return unsafe.Slice((*byte)(p), n)
}

// Ints copies the elements of an int64 tensor out, waiting for the device.
func (s *Scope) Ints(t *Tensor) []int64 {
	outsideGraph("copy", t)
	v := make([]int64, t.Numel())
	if len(v) == 0 {
		return v
	}
	lib.AtCopyData(t.ptr("copy"), unsafe.Pointer(&v[0]), uint(len(v)), 8)
	check("copy", t)
	return v
}

// Item is the value of a tensor of one element, waiting for the device.
func (s *Scope) Item(t *Tensor) float64 {
	outsideGraph("item", t)
	v := lib.AtDoubleValueAtIndexes(t.ptr("item"), nil, 0)
	check("item", t)
	return v
}

// To converts to an element type and a device; t itself, under a second handle, where it is
// already so.
func (s *Scope) To(t *Tensor, d DType, on Device) *Tensor {
	lib.AtgToDevice(slot(), t.ptr("to"), int32(on), int32(d), 0, 0)
	return s.made("to", t)
}

// Cast converts to an element type on the same device.
func (s *Scope) Cast(t *Tensor, d DType) *Tensor {
	lib.AtgToDtype(slot(), t.ptr("to"), int32(d), 0, 0)
	return s.made("to", t)
}

// Copy puts src's elements into dst.
func Copy(dst, src *Tensor) {
	lib.AtCopy_(dst.ptr("copy_"), src.ptr("copy_"))
	check("copy_", dst, src)
}

// ToBytes copies the elements out as little-endian bytes of element type d, waiting for the device.
func (s *Scope) ToBytes(t *Tensor, d DType) []byte {
	outsideGraph("copy", t)
	b := make([]byte, t.Numel()*d.Size())
	if len(b) == 0 {
		return b
	}
	s.Do(func(s *Scope) {
		c := s.To(t, d, CPU)
		lib.AtCopyData(c.ptr("copy"), unsafe.Pointer(&b[0]), uint(t.Numel()), uint(d.Size()))
		check("copy", t)
	})
	return b
}
