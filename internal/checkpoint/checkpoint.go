// Package checkpoint reads and writes named tensors as the Hugging Face hub
// stores them: safetensors, PyTorch's zip format (torch.save, PyTorch 1.6 and
// later) and both of these cut into shards with an index file.
//
// No code in a file is executed: the pickle inside a torch.save file is read
// by an interpreter that knows only what a state dict needs.
package checkpoint

import (
	"fmt"
	"math"
)

// DType is an element type, by the name safetensors gives it.
type DType string

// The element types of safetensors that have a whole number of bytes and that
// PyTorch's classic storages or this package's callers can hold.
const (
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	F64  DType = "F64"
	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U64  DType = "U64"
	U32  DType = "U32"
	U16  DType = "U16"
	U8   DType = "U8"
	Bool DType = "BOOL"
)

// Size returns the bytes of one element, 0 for an unknown type.
func (d DType) Size() int {
	switch d {
	case F64, I64, U64:
		return 8
	case F32, I32, U32:
		return 4
	case F16, BF16, I16, U16:
		return 2
	case I8, U8, Bool:
		return 1
	}
	return 0
}

// Tensor is a named tensor on the CPU.
type Tensor struct {
	Name  string
	DType DType
	// Shape is empty for a scalar.
	Shape []int64
	// Data holds the elements, little endian, row major and contiguous. It is
	// read-only: it may be a view of a memory-mapped file, which is valid until
	// the File is closed (writing to it, or reading it later, is a fault that
	// Go cannot recover from). It need not be aligned to the element size.
	Data []byte
	// Source is the path of the file the tensor is in.
	Source string
}

// byteSize returns the size in bytes of a tensor of this type and shape.
func byteSize(d DType, shape []int64) (int64, error) {
	size := int64(d.Size())
	if size == 0 {
		return 0, fmt.Errorf("unknown dtype %q", string(d))
	}
	n := size
	empty := false
	for i, s := range shape {
		if s < 0 {
			return 0, fmt.Errorf("shape %v: size %d of dimension %d is negative", shape, s, i)
		}
		if s == 0 {
			empty = true
			continue
		}
		if n > math.MaxInt64/s {
			return 0, fmt.Errorf("shape %v of %s: more than 2^63 bytes", shape, d)
		}
		n *= s
	}
	if empty {
		return 0, nil
	}
	return n, nil
}

// check returns an error unless Data is as long as DType and Shape say.
func (t Tensor) check() error {
	n, err := byteSize(t.DType, t.Shape)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if int64(len(t.Data)) != n {
		return fmt.Errorf("tensor %q: %s of shape %v takes %d bytes, but Data has %d", t.Name, t.DType, t.Shape, n, len(t.Data))
	}
	return nil
}
