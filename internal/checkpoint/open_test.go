package checkpoint

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// expectedTensor is an entry of testdata/expected.json, written by make.py.
type expectedTensor struct {
	DType   DType   `json:"dtype"`
	Shape   []int64 `json:"shape"`
	Data    string  `json:"data"`
	Float32 *string `json:"float32"`
}

func readExpected(t *testing.T) map[string]map[string]expectedTensor {
	t.Helper()
	data, err := os.ReadFile("testdata/expected.json")
	require.NoError(t, err)
	var expected map[string]map[string]expectedTensor
	require.NoError(t, json.Unmarshal(data, &expected))
	require.NotEmpty(t, expected)
	return expected
}

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

func get(t *testing.T, f *File, name string) Tensor {
	t.Helper()
	tensor, ok, err := f.Tensor(name)
	require.NoError(t, err)
	require.True(t, ok, "tensor %q", name)
	return tensor
}

// TestOpenReadsWhatPythonWrote covers all dtypes, views, parameters, pickle
// protocols 2 to 5, safetensors and shards: make.py says which file is for what.
func TestOpenReadsWhatPythonWrote(t *testing.T) {
	for file, tensors := range readExpected(t) {
		t.Run(file, func(t *testing.T) {
			f := open(t, filepath.Join("testdata", file))
			assert.Len(t, f.Names(), len(tensors))
			assert.True(t, slices.IsSorted(f.Names()))
			for name, want := range tensors {
				got := get(t, f, name)
				assert.Equal(t, name, got.Name)
				assert.Equal(t, want.DType, got.DType, name)
				assert.Equal(t, want.Shape, got.Shape, name)
				assert.Equal(t, want.Data, hex.EncodeToString(got.Data), name)
				assert.Contains(t, f.Files(), got.Source)
				floats, err := Float32(got)
				if want.Float32 == nil {
					assert.ErrorContains(t, err, name)
					continue
				}
				require.NoError(t, err)
				var data []byte
				for _, v := range floats {
					data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
				}
				assert.Equal(t, *want.Float32, hex.EncodeToString(data), "%s as float32", name)
			}
		})
	}
}

// TestTensorIsAView: contiguous tensors of stored entries must not be copied.
func TestTensorIsAView(t *testing.T) {
	tests := []struct {
		file, name string
		view       bool
		why        string
	}{
		{"plain.safetensors", "f32", true, "safetensors are contiguous by definition"},
		{"views-p2.bin", "whole", true, "a whole storage"},
		{"views-p2.bin", "offset", true, "a contiguous part of a storage"},
		{"views-p2.bin", "one_row", true, "the stride of a dimension of size 1 is of no matter"},
		{"views-p2.bin", "transposed", false, "its elements lie column major"},
	}
	for _, test := range tests {
		f := open(t, filepath.Join("testdata", test.file))
		a, b := get(t, f, test.name), get(t, f, test.name)
		assert.Equal(t, test.view, &a.Data[0] == &b.Data[0], test.why)
		assert.Equal(t, len(a.Data), cap(a.Data), "append must not write into the mapped file")
		a.Shape[0] = -1
		assert.NotEqual(t, a.Shape, get(t, f, test.name).Shape, "each caller gets a Shape of its own")
	}
}

func TestFileAnswers(t *testing.T) {
	f, err := Open("testdata/plain.safetensors")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"format": "pt", "note": "naïve"}, f.Metadata())
	_, ok, err := f.Tensor("F32")
	assert.NoError(t, err)
	assert.False(t, ok, "names are case-sensitive")
	require.NoError(t, f.Close())
	require.NoError(t, f.Close(), "a second Close does nothing")
	_, _, err = f.Tensor("f32")
	assert.ErrorContains(t, err, "after Close")
	_, err = f.SHA256()
	assert.ErrorContains(t, err, "after Close")

	assert.Empty(t, open(t, "testdata/plain.bin").Metadata())
}

func TestSHA256(t *testing.T) {
	dir := t.TempDir()
	copyFile(t, "testdata/sharded/model.safetensors.index.json", dir)
	copyFile(t, "testdata/sharded/model-00001-of-00002.safetensors", dir)
	copyFile(t, "testdata/sharded/model-00002-of-00002.safetensors", dir)
	f := open(t, dir)
	first, err := f.SHA256()
	require.NoError(t, err)
	assert.Len(t, first, 64)
	assert.Equal(t, []string{
		filepath.Join(dir, "model.safetensors.index.json"),
		filepath.Join(dir, "model-00001-of-00002.safetensors"),
		filepath.Join(dir, "model-00002-of-00002.safetensors"),
	}, f.Files())

	// One element of the last shard changes the hash; SHA-256 of "{}" in
	// safetensors' frame is what sha256sum prints for it.
	shard := filepath.Join(dir, "model-00002-of-00002.safetensors")
	data, err := os.ReadFile(shard)
	require.NoError(t, err)
	data[len(data)-1] ^= 1
	require.NoError(t, os.Remove(shard))
	require.NoError(t, os.WriteFile(shard, data, 0o600))
	second, err := open(t, dir).SHA256()
	require.NoError(t, err)
	assert.NotEqual(t, first, second)

	one := filepath.Join(dir, "one.safetensors")
	require.NoError(t, os.WriteFile(one, []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"), 0o600))
	sum, err := open(t, one).SHA256()
	require.NoError(t, err)
	assert.Equal(t, "411a485216e432ece6b9af94fa32154cf79a2a56d4f81266baa50063f45092bd", sum)
}

func copyFile(t *testing.T, from, dir string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(from)), data, 0o600))
}

// TestOpenFolder: the first of the candidates that is there is taken. An adapter's files are not among a model's, nor a
// model's among an adapter's, since a folder may hold both.
func TestOpenFolder(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir)
	assert.ErrorContains(t, err, "holds no weights")
	assert.ErrorContains(t, err, "pytorch_model.bin")

	one := []Tensor{{Name: "adapter", DType: U8, Shape: []int64{1}, Data: []byte{1}}}
	bin, err := os.ReadFile("testdata/module.bin")
	require.NoError(t, err)
	// From the last candidate to the first, each new file takes over.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "adapter_model.bin"), bin, 0o600))
	adapter := func() []string {
		f, err := OpenAdapter(dir)
		require.NoError(t, err)
		defer f.Close()
		return f.Names()
	}
	assert.Equal(t, []string{"bias", "weight"}, adapter())
	require.NoError(t, Write(filepath.Join(dir, "adapter_model.safetensors"), one, nil))
	assert.Equal(t, []string{"adapter"}, adapter())
	_, err = Open(dir)
	assert.ErrorContains(t, err, "holds no weights")
	for _, name := range []string{"pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"} {
		copyFile(t, filepath.Join("testdata/sharded-bin", name), dir)
	}
	assert.Len(t, open(t, dir).Names(), 5)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pytorch_model.bin"), bin, 0o600))
	assert.Len(t, open(t, dir).Names(), 2)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(`{"weight_map":{"adapter":"adapter_model.safetensors"}}`), 0o600))
	assert.Equal(t, []string{"adapter"}, open(t, dir).Names())
	one[0].Name = "model"
	require.NoError(t, Write(filepath.Join(dir, "model.safetensors"), one, nil))
	assert.Equal(t, []string{"model"}, open(t, dir).Names())
	assert.Equal(t, []string{"adapter"}, adapter())
	require.NoError(t, os.Remove(filepath.Join(dir, "adapter_model.safetensors")))
	require.NoError(t, os.Remove(filepath.Join(dir, "adapter_model.bin")))
	_, err = OpenAdapter(dir)
	assert.ErrorContains(t, err, "holds no weights: looked for adapter_model.safetensors, adapter_model.bin")
}

// TestOpenGoesByContent: the hub's cache names files by their hash.
func TestOpenGoesByContent(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"plain.safetensors", "plain.bin"} {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		require.NoError(t, err)
		path := filepath.Join(dir, "blob")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		assert.Len(t, open(t, path).Names(), 13, file)
		require.NoError(t, os.Remove(path))
	}
	// A header of 640 bytes begins 0x80 0x02, as a pickle does.
	header := append([]byte("{}"), make([]byte, 638)...)
	for i := 2; i < 640; i++ {
		header[i] = ' '
	}
	path := filepath.Join(dir, "blob")
	require.NoError(t, os.WriteFile(path, append([]byte{0x80, 2, 0, 0, 0, 0, 0, 0}, header...), 0o600))
	assert.Empty(t, open(t, path).Names())
}
