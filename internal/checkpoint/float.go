package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Float32 returns a copy of an F32, F16, BF16 or F64 tensor's elements as
// float32. F16 and BF16 (subnormals, infinities and NaNs with their payload
// included) are exact; F64 is rounded to nearest, to an infinity beyond
// float32's range. Other dtypes are errors.
func Float32(t Tensor) ([]float32, error) {
	if err := t.check(); err != nil {
		return nil, t.errorf("%w", err)
	}
	var out []float32
	switch t.DType {
	case F32:
		out = make([]float32, len(t.Data)/4)
		for i := range out {
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
		}
	case F16:
		out = make([]float32, len(t.Data)/2)
		for i := range out {
			out[i] = float16(binary.LittleEndian.Uint16(t.Data[2*i:]))
		}
	case BF16:
		out = make([]float32, len(t.Data)/2)
		for i := range out {
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Data[2*i:])) << 16)
		}
	case F64:
		out = make([]float32, len(t.Data)/8)
		for i := range out {
			out[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:])))
		}
	default:
		return nil, t.errorf("tensor %q is %s; only F32, F16, BF16 and F64 are read as numbers", t.Name, t.DType)
	}
	return out, nil
}

// NotFinite returns an error that counts the NaN and infinite elements and names the first, nil if there are none. For
// types that Float32 does not read it returns Float32's error.
func NotFinite(t Tensor) error {
	v, err := Float32(t)
	if err != nil {
		return err
	}
	n, first := 0, 0
	for i, x := range v {
		if x-x != 0 {
			if n++; n == 1 {
				first = i
			}
		}
	}
	if n == 0 {
		return nil
	}
	return t.errorf("tensor %q of shape %v has %d elements that are NaN or infinite, the first, %v, at %d: "+
		"a training that diverged was saved, or the file is damaged; use an earlier one", t.Name, t.Shape, n, v[first], first)
}

// float16 returns the value of IEEE 754 binary16 bits. Subnormals are computed from their integer: the
// shorter way, scaling shifted bits, would lose them on a thread that C code has set to flush binary32
// subnormals.
func float16(bits uint16) float32 {
	sign := uint32(bits&0x8000) << 16
	rest := uint32(bits&0x7fff) << 13
	switch bits & 0x7c00 {
	case 0: // zero or subnormal: the fraction times 2^-24
		v := float32(bits&0x3ff) * 0x1p-24
		return math.Float32frombits(sign | math.Float32bits(v))
	case 0x7c00: // infinity or NaN
		return math.Float32frombits(sign | 0x7f800000 | rest)
	}
	return math.Float32frombits(sign | (rest + (127-15)<<23))
}

// errorf prefixes the tensor's file, if it has one.
func (t Tensor) errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if t.Source == "" {
		return err
	}
	return fmt.Errorf("%s: %w", t.Source, err)
}
