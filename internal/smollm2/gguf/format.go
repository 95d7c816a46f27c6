package gguf

import (
	"encoding/binary"
	"fmt"
	"math"

	"lorabench/internal/checkpoint"
)

// format describes how a tensor's elements are stored: in blocks of a fixed number of elements, which begin with numbers of 16 bits.
type format struct {
	name            string
	elements, bytes int // of a block
	halves          int // 16-bit numbers at its head
	decode          func(out, halves []float32, rest []byte)
}

// formats lists the formats of the SmolLM2 file, by ggml's numbers.
var formats = map[uint32]format{
	0: {"F32", 1, 4, 0, decodeF32},
	3: {"Q4_1", 32, 20, 2, decodeQ41},
	8: {"Q8_0", 32, 34, 1, decodeQ80},
}

// Float32 returns the elements, row by row.
func (t *Tensor) Float32() ([]float32, error) {
	blocks := len(t.data) / t.bytes
	bits := make([]byte, 0, blocks*t.halves*2)
	for i := range blocks {
		bits = append(bits, t.data[i*t.bytes:][:t.halves*2]...)
	}
	halves, err := checkpoint.Float32(checkpoint.Tensor{DType: checkpoint.F16, Shape: []int64{int64(blocks * t.halves)}, Data: bits})
	if err != nil {
		return nil, fmt.Errorf("scales of tensor %q: %w", t.Name, err)
	}
	out := make([]float32, blocks*t.elements)
	for i := range blocks {
		t.decode(out[i*t.elements:], halves[i*t.halves:], t.data[i*t.bytes:][:t.bytes][t.halves*2:])
	}
	return out, nil
}

func decodeF32(out, _ []float32, b []byte) {
	out[0] = math.Float32frombits(binary.LittleEndian.Uint32(b))
}

// decodeQ41 computes scale * q + smallest. Byte i holds elements i (low half) and i+16. The product is exact (11 and 4 bits), so
// that the sum is the same where Go fuses the two.
func decodeQ41(out, halves []float32, b []byte) {
	scale, smallest := halves[0], halves[1]
	for i, q := range b {
		out[i] = scale*float32(q&15) + smallest
		out[i+16] = scale*float32(q>>4) + smallest
	}
}

// decodeQ80 computes scale * q.
func decodeQ80(out, halves []float32, b []byte) {
	for i, q := range b {
		out[i] = halves[0] * float32(int8(q))
	}
}
