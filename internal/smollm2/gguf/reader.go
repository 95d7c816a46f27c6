package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// reader reads numbers, texts and arrays one after the other. After the first error it returns zeros.
type reader struct {
	data []byte
	at   int
	err  error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

var errCut = errors.New("the file is cut off")

// take returns the next n bytes, nil where there are fewer.
func (r *reader) take(n uint64) []byte {
	if r.err == nil && n > uint64(len(r.data)-r.at) {
		r.err = errCut
	}
	if r.err != nil {
		return nil
	}
	b := r.data[r.at : r.at+int(n)]
	r.at += int(n)
	return b
}

// number reads a number of a fixed size, little endian.
func number[T int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64 | float32 | float64 | bool](r *reader) (v T) {
	if b := r.take(uint64(binary.Size(v))); b != nil {
		_, _ = binary.Decode(b, binary.LittleEndian, &v) // fails only if there are too few bytes
	}
	return v
}

func (r *reader) text() string { return string(r.take(number[uint64](r))) }

// array is the type number of arrays, the one type with elements of another.
const array = 9

// scalars[id] reads a metadata value of type id.
var scalars = map[uint32]func(*reader) any{
	0:  func(r *reader) any { return number[uint8](r) },
	1:  func(r *reader) any { return number[int8](r) },
	2:  func(r *reader) any { return number[uint16](r) },
	3:  func(r *reader) any { return number[int16](r) },
	4:  func(r *reader) any { return number[uint32](r) },
	5:  func(r *reader) any { return number[int32](r) },
	6:  func(r *reader) any { return number[float32](r) },
	7:  func(r *reader) any { return number[bool](r) },
	8:  func(r *reader) any { return r.text() },
	10: func(r *reader) any { return number[uint64](r) },
	11: func(r *reader) any { return number[int64](r) },
	12: func(r *reader) any { return number[float64](r) },
}

// value reads the value of key with its type before it. Arrays of arrays are refused: no model has them.
func (r *reader) value(key string) any {
	id := number[uint32](r)
	if id != array {
		return r.scalar(key, id)
	}
	id = number[uint32](r)
	var list []any // grows as elements are read: the count may be anything
	for n := number[uint64](r); n > 0 && r.err == nil; n-- {
		list = append(list, r.scalar(key, id))
	}
	return list
}

func (r *reader) scalar(key string, id uint32) any {
	read, ok := scalars[id]
	if !ok {
		r.fail("the value of %q has type %d, which is not known here", key, id)
		return nil
	}
	return read(r)
}
