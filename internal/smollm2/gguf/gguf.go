// Package gguf reads llama.cpp's model files, GGUF version 3: metadata, and tensors of the types F32, Q4_1 and Q8_0
// (the format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Any bytes are either read or refused.
package gguf

import "fmt"

// File is a parsed GGUF file. Its tensors refer to the bytes that Parse was given.
type File struct {
	metadata map[string]any
	Tensors  []Tensor
}

// Tensor is a named tensor as it is stored.
type Tensor struct {
	Name  string
	Shape []int64 // outermost dimension first, as PyTorch has it: GGUF stores it the other way round
	format
	data []byte
}

// Value returns the metadata of key, which must be a T: a number of the size that the file has, bool, string, or []any of these.
func Value[T any](f *File, key string) (T, error) {
	v, ok := f.metadata[key].(T)
	if !ok {
		return v, fmt.Errorf("GGUF metadata: %s is %T, and %T is expected: this is another model's file", key, f.metadata[key], v)
	}
	return v, nil
}

// List returns the array of key, whose elements must all be T.
func List[T any](f *File, key string) ([]T, error) {
	array, err := Value[[]any](f, key)
	if err != nil {
		return nil, err
	}
	list := make([]T, len(array))
	for i, v := range array {
		var ok bool
		if list[i], ok = v.(T); !ok {
			return nil, fmt.Errorf("GGUF metadata: %s[%d] is %T, and %T is expected: this is another model's file", key, i, v, list[i])
		}
	}
	return list, nil
}

// Has reports whether there is metadata of key.
func (f *File) Has(key string) bool { return f.metadata[key] != nil }

// alignment is the format's default for the start of tensors' data, in bytes. Files with another one are refused.
const alignment = 32

// Parse reads a whole file. The result refers to data.
func Parse(data []byte) (*File, error) {
	r := &reader{data: data}
	if magic := r.take(4); string(magic) != "GGUF" {
		return nil, fmt.Errorf("it starts with %q and not with GGUF: it is no GGUF file", magic)
	}
	if version := number[uint32](r); r.err == nil && version != 3 {
		return nil, fmt.Errorf("GGUF version %d: only version 3, little endian, is read", version)
	}
	tensors, keys := number[uint64](r), number[uint64](r)
	f := &File{metadata: map[string]any{}}
	for i := uint64(0); i < keys && r.err == nil; i++ {
		f.readKey(r)
	}
	names := map[string]bool{}
	var offsets []uint64
	for i := uint64(0); i < tensors && r.err == nil; i++ {
		t, offset := readTensor(r)
		if names[t.Name] {
			r.fail("tensor %q is there twice", t.Name)
		}
		names[t.Name] = true
		f.Tensors, offsets = append(f.Tensors, t), append(offsets, offset)
	}
	if r.err != nil {
		return nil, fmt.Errorf("GGUF, byte %d: %w", r.at, r.err)
	}
	if v, ok := f.metadata["general.alignment"]; ok && v != any(uint32(alignment)) {
		return nil, fmt.Errorf("GGUF metadata: general.alignment is %v: only %d is read", v, alignment)
	}
	body := data[min((r.at+alignment-1)/alignment*alignment, len(data)):]
	for i := range f.Tensors {
		if err := f.Tensors[i].place(body, offsets[i]); err != nil {
			return nil, fmt.Errorf("GGUF, tensor %q: %w", f.Tensors[i].Name, err)
		}
	}
	return f, nil
}

func (f *File) readKey(r *reader) {
	key := r.text()
	if r.err == nil && f.Has(key) {
		r.fail("key %q is there twice", key)
	}
	f.metadata[key] = r.value(key)
}

// maxDimensions is ggml's limit.
const maxDimensions = 4

// readTensor reads a tensor's entry in the header: all but its data.
func readTensor(r *reader) (t Tensor, offset uint64) {
	t.Name = r.text()
	dimensions := number[uint32](r)
	if dimensions == 0 || dimensions > maxDimensions {
		r.fail("tensor %q has %d dimensions: 1 to %d are read", t.Name, dimensions, maxDimensions)
		return t, 0
	}
	t.Shape = make([]int64, dimensions)
	for i := range t.Shape {
		t.Shape[len(t.Shape)-1-i] = number[int64](r)
	}
	id := number[uint32](r)
	var ok bool
	if t.format, ok = formats[id]; !ok {
		r.fail("tensor %q has type %d: F32 (0), Q4_1 (3) and Q8_0 (8) are read", t.Name, id)
	}
	return t, number[uint64](r)
}

// place finds the tensor's bytes in body.
func (t *Tensor) place(body []byte, offset uint64) error {
	if offset%alignment != 0 {
		return fmt.Errorf("its data start at %d, which is no multiple of %d", offset, alignment)
	}
	have := uint64(len(body))
	have -= min(have, offset)
	size := uint64(t.bytes)
	for i, n := range t.Shape {
		if n <= 0 {
			return fmt.Errorf("shape %v: size %d of dimension %d is not positive", t.Shape, n, i)
		}
		if i == len(t.Shape)-1 {
			if n%int64(t.elements) != 0 {
				return fmt.Errorf("shape %v: rows of %s must be multiples of %d", t.Shape, t.name, t.elements)
			}
			n /= int64(t.elements)
		}
		if uint64(n) > have/size {
			return fmt.Errorf("shape %v of %s at byte %d goes beyond the end: %d bytes are left, the file is cut off", t.Shape, t.name, offset, have)
		}
		size *= uint64(n)
	}
	t.data = body[offset:][:size]
	return nil
}
