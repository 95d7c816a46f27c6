package gguf

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// text is a text as GGUF stores it.
func text(s string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(s))), s...)
}

func u32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
func u64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

// example has one key of each type and a tensor of each format.
func example() []byte {
	keys := [][]byte{
		text("u8"), u32(0), {200}, text("i8"), u32(1), {200}, text("u16"), u32(2), {1, 2}, text("i16"), u32(3), {254, 255},
		text("u32"), u32(4), u32(7), text("i32"), u32(5), u32(math.MaxUint32), text("f32"), u32(6), u32(math.Float32bits(1.5)),
		text("bool"), u32(7), {1}, text("text"), u32(8), text("ab"), text("u64"), u32(10), u64(1 << 40),
		text("i64"), u32(11), u64(math.MaxUint64), text("f64"), u32(12), u64(math.Float64bits(-0.25)),
		text("list"), u32(9), u32(8), u64(2), text("x"), text(""),
	}
	tensors := [][]byte{
		text("f32"), u32(2), u64(3), u64(2), u32(0), u64(0),
		text("q41"), u32(1), u64(32), u32(3), u64(32),
		text("q80"), u32(2), u64(32), u64(1), u32(8), u64(64),
	}
	data := slices.Concat([]byte("GGUF"), u32(3), u64(3), u64(13), slices.Concat(keys...), slices.Concat(tensors...))
	body := make([]byte, 98)
	for i := range 6 {
		binary.LittleEndian.PutUint32(body[4*i:], math.Float32bits(float32(i)-2.5))
	}
	copy(body[32:], []byte{0x00, 0x38, 0x00, 0xbc}) // scale 0.5, smallest -1
	for i := range 16 {
		body[36+i] = byte(i | (15-i)<<4)
	}
	copy(body[64:], []byte{0x00, 0x34, 1, 255, 127, 128}) // scale 0.25; 1, -1, 127, -128, 0 ...
	return append(pad(data), body...)
}

func pad(data []byte) []byte { return append(data, make([]byte, -len(data)&31)...) }

func TestMetadata(t *testing.T) {
	f, err := Parse(example())
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"u8": uint8(200), "i8": int8(-56), "u16": uint16(0x201), "i16": int16(-2), "u32": uint32(7), "i32": int32(-1), "f32": float32(1.5),
		"bool": true, "text": "ab", "u64": uint64(1 << 40), "i64": int64(-1), "f64": -0.25, "list": []any{"x", ""},
	}, f.metadata)
	list, err := List[string](f, "list")
	require.NoError(t, err)
	require.Equal(t, []string{"x", ""}, list)
	_, err = Value[uint32](f, "u64")
	require.ErrorContains(t, err, "u64 is uint64, and uint32 is expected")
	_, err = Value[uint32](f, "absent")
	require.ErrorContains(t, err, "absent is <nil>")
	_, err = List[int32](f, "list")
	require.ErrorContains(t, err, "list[0] is string, and int32 is expected")
}

func TestFloat32(t *testing.T) {
	f, err := Parse(example())
	require.NoError(t, err)
	var names []string
	values := map[string][]float32{}
	for _, tensor := range f.Tensors {
		names = append(names, tensor.Name)
		values[tensor.Name], err = tensor.Float32()
		require.NoError(t, err)
	}
	require.Equal(t, []string{"f32", "q41", "q80"}, names)
	require.Equal(t, []int64{2, 3}, f.Tensors[0].Shape)
	require.Equal(t, []int64{1, 32}, f.Tensors[2].Shape)
	require.Equal(t, []float32{-2.5, -1.5, -0.5, 0.5, 1.5, 2.5}, values["f32"])
	q41 := make([]float32, 32)
	for i := range 16 {
		q41[i], q41[16+i] = 0.5*float32(i)-1, 0.5*float32(15-i)-1
	}
	require.Equal(t, q41, values["q41"])
	require.Equal(t, append([]float32{0.25, -0.25, 31.75, -32}, make([]float32, 28)...), values["q80"])
}

// Whatever is cut off, no prefix of a file is taken for a whole one.
func TestTruncated(t *testing.T) {
	whole := example()
	for n := range whole {
		_, err := Parse(whole[:n])
		require.Error(t, err, "%d bytes", n)
	}
}

func TestRefused(t *testing.T) {
	header := func(tensors, keys uint64, rest ...[]byte) []byte {
		return slices.Concat([]byte("GGUF"), u32(3), u64(tensors), u64(keys), slices.Concat(rest...))
	}
	tensor := func(parts ...[]byte) []byte {
		return append(pad(header(1, 0, slices.Concat(text("w"), slices.Concat(parts...)))), make([]byte, 64)...)
	}
	for _, c := range []struct {
		why  string
		data []byte
		want string
	}{
		{"another format", []byte("PK\x03\x04 and more"), "it is no GGUF file"},
		{"an older version", slices.Concat([]byte("GGUF"), u32(2), u64(0), u64(0)), "GGUF version 2"},
		{"big endian", slices.Concat([]byte("GGUF"), []byte{0, 0, 0, 3}, u64(0), u64(0)), "GGUF version 50331648"},
		{"more keys than bytes", header(0, math.MaxUint64), "cut off"},
		{"more tensors than bytes", header(math.MaxUint64, 0), "cut off"},
		{"a text of 2^64 bytes", header(0, 1, u64(math.MaxUint64)), "cut off"},
		{"an array of 2^64", header(0, 1, text("k"), u32(9), u32(0), u64(math.MaxUint64)), "cut off"},
		{"an array of arrays", header(0, 1, text("k"), u32(9), u32(9), u64(1)), `the value of "k" has type 9`},
		{"a value of no type", header(0, 1, text("k"), u32(13)), `the value of "k" has type 13`},
		{"a key twice", header(0, 2, text("k"), u32(7), []byte{1}, text("k"), u32(7), []byte{1}), `key "k" is there twice`},
		{"another alignment", header(0, 1, text("general.alignment"), u32(4), u32(64)), "general.alignment is 64"},
		{"an alignment that is a text", header(0, 1, text("general.alignment"), u32(8), text("32")), "general.alignment is 32"},
		{"no dimension", tensor(u32(0)), `tensor "w" has 0 dimensions`},
		{"too many dimensions", tensor(u32(5)), `tensor "w" has 5 dimensions`},
		{"another quantization", tensor(u32(1), u64(32), u32(2), u64(0)), `tensor "w" has type 2`},
		{"half a block", tensor(u32(1), u64(33), u32(3), u64(0)), "must be multiples of 32"},
		{"an empty dimension", tensor(u32(1), u64(0), u32(0), u64(0)), "size 0 of dimension 0"},
		{"a negative dimension", tensor(u32(1), u64(math.MaxUint64), u32(0), u64(0)), "size -1 of dimension 0"},
		{"2^64 elements", tensor(u32(2), u64(1<<32), u64(1<<32), u32(0), u64(0)), "goes beyond the end"},
		{"2^64 bytes", tensor(u32(2), u64(1<<31), u64(1<<31), u32(0), u64(0)), "goes beyond the end"},
		{"data off the grid", tensor(u32(1), u64(4), u32(0), u64(1)), "no multiple of 32"},
		{"data beyond the end", tensor(u32(1), u64(17), u32(0), u64(0)), "goes beyond the end"},
		{"data that start beyond the end", tensor(u32(1), u64(1), u32(0), u64(1<<63)), "goes beyond the end"},
		{"a tensor twice", header(2, 0, slices.Repeat(slices.Concat(text("w"), u32(1), u64(1), u32(0), u64(0)), 2)), `tensor "w" is there twice`},
	} {
		_, err := Parse(c.data)
		require.ErrorContains(t, err, c.want, c.why)
		require.False(t, strings.Contains(err.Error(), "%!"), c.why)
	}
}

func FuzzParse(f *testing.F) {
	whole := example()
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			return
		}
		for _, tensor := range file.Tensors {
			values, err := tensor.Float32()
			require.NoError(t, err)
			want := int64(1)
			for _, n := range tensor.Shape {
				want *= n
			}
			require.EqualValues(t, want, len(values))
		}
	})
}
