package checkpoint

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// all returns the tensors of a file.
func all(t *testing.T, path string) []Tensor {
	t.Helper()
	f := open(t, path)
	var tensors []Tensor
	for _, name := range f.Names() {
		tensors = append(tensors, get(t, f, name))
	}
	return tensors
}

func TestRoundTrip(t *testing.T) {
	for _, file := range []string{"plain.safetensors", "plain.bin", "views-p5.bin", "sharded"} {
		want := all(t, filepath.Join("testdata", file))
		path := filepath.Join(t.TempDir(), "model.safetensors")
		require.NoError(t, Write(path, want, map[string]string{"format": "pt", "ключ": "<&>"}))
		got := open(t, path)
		assert.Equal(t, map[string]string{"format": "pt", "ключ": "<&>"}, got.Metadata())
		require.Len(t, got.Names(), len(want))
		for _, w := range want {
			g := get(t, got, w.Name)
			assert.Equal(t, path, g.Source)
			w.Source = path
			assert.Equal(t, w, g)
		}
	}
}

// TestWriteBytes: the data lie where Python's package lays them, after a header
// whose length is a multiple of 8, and the order given is of no matter.
func TestWriteBytes(t *testing.T) {
	python, err := os.ReadFile("testdata/plain.safetensors")
	require.NoError(t, err)
	tensors := all(t, "testdata/plain.safetensors")
	path := filepath.Join(t.TempDir(), "a.safetensors")
	metadata := map[string]string{"format": "pt", "note": "naïve"}
	require.NoError(t, Write(path, tensors, metadata))
	first, err := os.ReadFile(path)
	require.NoError(t, err)

	header, body, err := splitHeader(first)
	require.NoError(t, err)
	pythonHeader, pythonBody, err := splitHeader(python)
	require.NoError(t, err)
	assert.Zero(t, len(header)%8, "the data are aligned to 8 bytes")
	assert.JSONEq(t, string(pythonHeader), string(header))
	assert.Equal(t, pythonBody, body)

	slices.Reverse(tensors)
	require.NoError(t, Write(path, tensors, metadata))
	second, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, first, second)

	info, err := os.Stat(path)
	require.NoError(t, err)
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.WriteFile(plain, nil, 0o666))
	want, err := os.Stat(plain)
	require.NoError(t, err)
	assert.Equal(t, want.Mode(), info.Mode(), "as the umask lets it")
}

func TestWriteNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	require.NoError(t, Write(path, nil, nil))
	f := open(t, path)
	assert.Empty(t, f.Names())
	assert.Empty(t, f.Metadata())
}

// TestWriteOverOpen: writing over a file that is open must not disturb it, for
// a model may be saved to where it was read from.
func TestWriteOverOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	require.NoError(t, Write(path, []Tensor{{Name: "w", DType: I16, Shape: []int64{2}, Data: []byte{1, 2, 3, 4}}}, nil))
	f := open(t, path)
	old := get(t, f, "w")
	require.NoError(t, Write(path, []Tensor{{Name: "w", DType: I16, Data: []byte{9, 9}}}, nil))
	assert.Equal(t, []byte{1, 2, 3, 4}, old.Data)
	assert.Equal(t, []byte{9, 9}, get(t, open(t, path), "w").Data)
}

func TestWriteErrors(t *testing.T) {
	good := Tensor{Name: "w", DType: F16, Shape: []int64{2}, Data: make([]byte, 4)}
	tests := []struct {
		tensors  []Tensor
		metadata map[string]string
		want     string
		why      string
	}{
		{[]Tensor{good, good}, nil, `tensor "w" is given twice`, "the library would keep the last"},
		{[]Tensor{{Name: "__metadata__", DType: U8, Shape: []int64{0}}}, nil, "__metadata__", "that key is taken"},
		{[]Tensor{{Name: "\xff", DType: U8, Shape: []int64{0}}}, nil, "UTF-8", "JSON cannot hold it"},
		{[]Tensor{{Name: "w", DType: F16, Shape: []int64{2}, Data: make([]byte, 3)}}, nil, "takes 4 bytes, but Data has 3", "cut short"},
		{[]Tensor{{Name: "w", DType: F16, Shape: []int64{-2}}}, nil, "negative", "no size"},
		{[]Tensor{{Name: "w", DType: F16, Shape: []int64{math.MaxInt64, 2}}}, nil, "2^63", "overflow"},
		{[]Tensor{{Name: "w", DType: "F8_E5M2", Shape: []int64{0}}}, nil, `unknown dtype "F8_E5M2"`, "no dtype of ours"},
		{[]Tensor{good}, map[string]string{"a": "\xff"}, "UTF-8", "JSON cannot hold it"},
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "a.safetensors")
	for _, test := range tests {
		err := Write(path, test.tensors, test.metadata)
		assert.ErrorContains(t, err, test.want, test.why)
		assert.ErrorContains(t, err, path)
	}
	require.NoError(t, os.Mkdir(path, 0o700))
	assert.ErrorContains(t, Write(path, nil, nil), path, "a folder is in the way")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing of the failed writes is left but the folder in the way")
}

// TestPythonReads has the reference implementation read what Write wrote.
func TestPythonReads(t *testing.T) {
	if out, err := exec.Command("python3", "-c", "import safetensors").CombinedOutput(); err != nil {
		t.Skipf("python3 with the package safetensors is needed: %v: %s", err, out)
	}
	tensors := all(t, "testdata/plain.bin")
	path := filepath.Join(t.TempDir(), "a.safetensors")
	require.NoError(t, Write(path, tensors, map[string]string{"format": "pt"}))
	const script = `
import json, sys, safetensors
read = dict(safetensors.deserialize(open(sys.argv[1], "rb").read()))
print(json.dumps({k: {"dtype": v["dtype"], "shape": v["shape"], "data": bytes(v["data"]).hex()} for k, v in read.items()}))
`
	out, err := exec.Command("python3", "-c", script, path).CombinedOutput()
	require.NoError(t, err, string(out))
	var got map[string]expectedTensor
	require.NoError(t, json.Unmarshal(out, &got), string(out))
	require.Len(t, got, len(tensors))
	for _, want := range tensors {
		assert.Equal(t, expectedTensor{DType: want.DType, Shape: want.Shape, Data: hex.EncodeToString(want.Data)}, got[want.Name], want.Name)
	}
}

// TestFloat16 checks all bit patterns against the definition of binary16.
func TestFloat16(t *testing.T) {
	data := make([]byte, 0, 2<<16)
	for bits := range 1 << 16 {
		data = binary.LittleEndian.AppendUint16(data, uint16(bits))
	}
	got, err := Float32(Tensor{Name: "w", DType: F16, Shape: []int64{1 << 16}, Data: data})
	require.NoError(t, err)
	for bits, v := range got {
		exponent, fraction := bits>>10&0x1f, float64(bits&0x3ff)
		var want float64
		switch {
		case exponent == 31 && fraction != 0:
			require.True(t, math.IsNaN(float64(v)), "%04x", bits)
			continue
		case exponent == 31:
			want = math.Inf(1)
		case exponent == 0:
			want = math.Ldexp(fraction, -24)
		default:
			want = math.Ldexp(1024+fraction, exponent-25)
		}
		if bits>>15 == 1 {
			want = math.Copysign(want, -1)
		}
		require.Equal(t, want, float64(v), "%04x", bits)
		require.Equal(t, bits>>15 == 1, math.Signbit(float64(v)), "%04x", bits)
	}
}

func TestFloat32Errors(t *testing.T) {
	_, err := Float32(Tensor{Name: "w", DType: I32, Shape: []int64{1}, Data: make([]byte, 4), Source: "a.bin"})
	assert.ErrorContains(t, err, `a.bin: tensor "w" is I32`)
	_, err = Float32(Tensor{Name: "w", DType: F32, Shape: []int64{1}, Data: make([]byte, 3)})
	assert.ErrorContains(t, err, "takes 4 bytes, but Data has 3")
	_, err = Float32(Tensor{Name: "w", DType: "F4", Shape: []int64{1}, Data: make([]byte, 3)})
	assert.ErrorContains(t, err, "unknown dtype")
}
