package checkpoint

import (
	"fmt"
	"math/bits"
)

// maxExpanded is the limit in bytes for a tensor with repeated elements (stride 0, made by expand), or
// its file's length where that is more. Without a limit a file of a few bytes could ask for any amount
// of memory.
const maxExpanded = 1 << 20

// prepare checks that the tensor lies within its storage's bytes and returns a
// function that makes its contiguous bytes: a view if it is contiguous already,
// otherwise a copy. fileSize limits the size of an expanded tensor.
func (t *tensorRef) prepare(data []byte, fileSize int) (func() []byte, error) {
	width := int64(t.storage.dtype.Size())
	if hi, lo := bits.Mul64(uint64(t.storage.count), uint64(width)); hi != 0 || lo != uint64(len(data)) {
		return nil, fmt.Errorf("storage %q of %d %s elements has %d bytes; download the file again", t.storage.key, t.storage.count, t.storage.dtype, len(data))
	}
	size, err := byteSize(t.storage.dtype, t.shape)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		return func() []byte { return []byte{} }, nil
	}
	last, err := t.last()
	if err != nil {
		return nil, err
	}
	if last >= t.storage.count {
		return nil, fmt.Errorf("its last element is number %d of storage %q, which has %d (offset %d, size %v, stride %v)",
			last, t.storage.key, t.storage.count, t.offset, t.shape, t.stride)
	}
	if t.contiguous() {
		begin := t.offset * width
		return func() []byte { return data[begin : begin+size : begin+size] }, nil
	}
	if limit := int64(max(fileSize, maxExpanded)); size > limit {
		return nil, fmt.Errorf("size %v with stride %v would expand to %d bytes, more than %d; save tensor.contiguous()", t.shape, t.stride, size, limit)
	}
	return func() []byte {
		out := make([]byte, 0, size)
		return t.gather(out, data, t.offset, 0)
	}, nil
}

// last returns the number of the last element in the storage.
func (t *tensorRef) last() (int64, error) {
	last := uint64(t.offset)
	for i, n := range t.shape {
		hi, step := bits.Mul64(uint64(n-1), uint64(t.stride[i]))
		if last += step; hi != 0 || step > 1<<62 || last > 1<<62 {
			return 0, fmt.Errorf("size %v with stride %v at offset %d is beyond any storage", t.shape, t.stride, t.offset)
		}
	}
	return int64(last), nil
}

// contiguous reports whether the elements lie row major without gaps.
func (t *tensorRef) contiguous() bool {
	want := int64(1)
	for i := len(t.shape) - 1; i >= 0; i-- {
		if t.shape[i] == 1 {
			continue // its stride is never used, and torch leaves it arbitrary
		}
		if t.stride[i] != want {
			return false
		}
		want *= t.shape[i]
	}
	return true
}

// gather appends the elements of dimensions dim and later to out, the first of
// which is element at of data. The recursion is at most maxDims deep.
func (t *tensorRef) gather(out, data []byte, at int64, dim int) []byte {
	width := int64(t.storage.dtype.Size())
	if dim == len(t.shape) {
		return append(out, data[at*width:(at+1)*width]...)
	}
	n, stride := t.shape[dim], t.stride[dim]
	if dim == len(t.shape)-1 {
		if stride == 1 {
			return append(out, data[at*width:(at+n)*width]...)
		}
		for range n {
			out = append(out, data[at*width:(at+1)*width]...)
			at += stride
		}
		return out
	}
	for range n {
		out = t.gather(out, data, at, dim+1)
		at += stride
	}
	return out
}
