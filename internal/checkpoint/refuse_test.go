package checkpoint

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// frame puts a safetensors header before data.
func frame(header string, data []byte) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

// TestOpenRefusesFixtures: what torch can save but is no plain state dict.
func TestOpenRefusesFixtures(t *testing.T) {
	tests := []struct {
		file  string
		wants []string
		why   string
	}{
		{"bad-legacy.bin", []string{"before PyTorch 1.6", "torch.save"}, "no zip archive"},
		{"bad-legacy-p4.bin", []string{"before PyTorch 1.6"}, "its magic number stands behind a frame"},
		{"bad-checkpoint.bin", []string{`key "state_dict" holds a dict`, `torch.load(path)["state_dict"]`}, "a training state, not weights alone"},
		{"bad-int.bin", []string{`key "epoch" holds an int`}, "not a tensor"},
		{"bad-none.bin", []string{`key "b" holds None`}, "not a tensor"},
		{"bad-list.bin", []string{"holds a list, not a dict"}, "no names"},
		{"bad-key.bin", []string{"is an int, not the name"}, "no name"},
		{"bad-code.bin", []string{`"posix.getcwd"`, "never run"}, "code"},
		{"bad-whole-module.bin", []string{`"torch.nn.modules.linear.Linear"`, "state_dict()"}, "the module was saved, not its tensors"},
		{"bad-float8.bin", []string{`"torch._utils._rebuild_tensor_v3"`}, "no dtype of ours"},
		{"bad-sparse.bin", []string{`"torch.`}, "not dense"},
		{"bad-lazy-negation.bin", []string{"lazy operation", "resolve_neg"}, "the storage holds the negated values"},
		{"bad-expanded.bin", []string{`tensor "w"`, "would expand to 4000000000000 bytes"}, "one element, a million by a million times"},
		{"bad-byteorder.bin", []string{"byteorder", `"big"`}, "the bytes would be read reversed"},
		{"bad-storage.bin", []string{`tensor "weight"`, `storage "0" of 6 F32 elements has 20 bytes`}, "the entry is shorter than the pickle says"},
		{"bad-torchscript.bin", []string{"TorchScript", "torch.jit.load"}, "a program"},
	}
	seen := map[string]bool{}
	for _, test := range tests {
		path := filepath.Join("testdata", test.file)
		seen[path] = true
		_, err := Open(path)
		if assert.Error(t, err, test.why) {
			for _, want := range append(test.wants, path) {
				assert.Contains(t, err.Error(), want, test.why)
			}
		}
	}
	all, err := filepath.Glob("testdata/bad-*")
	require.NoError(t, err)
	for _, path := range all {
		assert.True(t, seen[path], "%s has no row here", path)
	}
}

func TestOpenRefusesBytes(t *testing.T) {
	long := make([]byte, 8)
	binary.LittleEndian.PutUint64(long, 100_000_001)
	tests := []struct {
		data []byte
		want string
		why  string
	}{
		{nil, "empty", "a failed download"},
		{[]byte("PK"), "too few", "shorter than any header"},
		{[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), "git lfs pull", "a pointer file"},
		{[]byte("\n<!DOCTYPE html><html>"), "web page", "a login page"},
		{[]byte("\xef\xbb\xbf<?xml version='1.0'?>"), "web page", "an object store's error"},
		{[]byte("\x80\x04\x95\x0a\x00\x00\x00\x00\x00\x00\x00}."), "bare pickle", "pickle.dump"},
		{[]byte("PK\x03\x04\x00\x00\x08\x08"), "cut short", "a zip archive's beginning"},
		{[]byte(`{"error":"Repository not found"}`), "neither safetensors nor", "JSON"},
		{append(long, make([]byte, 64)...), "100000001", "above the format's limit"},
		{frame("{}", nil)[:9], "cut short", "half a header"},
		{frame(" {}", nil), "begin with '{'", "the format says so"},
		{frame("{\"\xff\": 1}", nil), "UTF-8", "Go would replace it silently"},
		{frame("{", nil), "safetensors header", "no JSON"},
		{frame("{}{}", nil), "safetensors header", "two values"},
		{frame(`{"a":3}`, nil), "safetensors header", "not an entry"},
		{frame(`{"__metadata__":{"a":3}}`, nil), "__metadata__", "metadata are strings"},
		{frame(`{"__metadata__":{"a":"1","a":"2"}}`, nil), `"__metadata__"."a" is there twice`, "which one is meant?"},
		{frame(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{1}), `"a" is there twice`, "which one is meant?"},
		{frame(`{"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}`, []byte{1}), `"a"."shape" is there twice`, "which one is meant?"},
		{frame(`{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}`, []byte{1}), `"w"`, "no dtype of ours"},
		{frame(`{"w":{"dtype":"U8","shape":[1]}}`, []byte{1}), `"w"`, "a field is missing"},
		{frame(`{"w":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, []byte{1}), `"w"`, "a negative size"},
		{frame(`{"w":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}`, []byte{1}), `"w"`, "a broken size"},
		{frame(`{"w":{"dtype":"U8","shape":[9223372036854775808,0],"data_offsets":[0,0]}}`, nil), `"w"`, "a size beyond int64"},
		{frame(`{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, nil), `"w"`, "the product overflows to 0"},
		{frame(`{"w":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, []byte{1}), `"w"`, "ends before it begins"},
		{frame(`{"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, []byte{1}), `tensor "w": data_offsets [0, 2] are beyond the file's 1 bytes`, "cut short"},
		{frame(`{"w":{"dtype":"F16","shape":[1],"data_offsets":[0,1]}}`, []byte{1}), `F16 of shape [1] takes 2`, "half an element"},
		{frame(`{"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, []byte{1, 2}), `tensor "w" begins at 1, leaving a hole`, "hidden bytes"},
		{frame(`{"v":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"w":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, []byte{1, 2, 3}), `tensor "w" begins at 1, inside`, "overlap"},
		{frame(`{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{1, 2}), "1 bytes after the last tensor", "hidden bytes"},
	}
	for _, test := range tests {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		require.NoError(t, os.WriteFile(path, test.data, 0o600))
		_, err := Open(path)
		assert.ErrorContains(t, err, test.want, test.why)
		assert.ErrorContains(t, err, path, test.why)
	}
}

func TestOpenRefusesPaths(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "none.bin"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open("/dev/null")
	assert.ErrorContains(t, err, "not a regular file")
}

func TestIndexErrors(t *testing.T) {
	one := func(name string) []Tensor {
		return []Tensor{{Name: name, DType: U8, Shape: []int64{1}, Data: []byte{1}}}
	}
	tests := []struct {
		index string
		wants []string
		why   string
	}{
		{`{"weight_map":{"a":"1.safetensors","b":"3.safetensors"}}`, []string{"3.safetensors", "no such file"}, "a shard was not downloaded"},
		{`{"weight_map":{"a":"1.safetensors","c":"2.safetensors"}}`, []string{`"c" is not in its shard 2.safetensors`}, "a tensor is missing"},
		{`{"weight_map":{"a":"2.safetensors","b":"1.safetensors"}}`, []string{`"a" is not in its shard 2.safetensors but in 1.safetensors`}, "shards exchanged"},
		{`{"weight_map":{"a":"1.safetensors","b":"copy.safetensors"}}`, []string{`"a" is in two shards, 1.safetensors and copy.safetensors`}, "which one is meant?"},
		{`{"weight_map":{"a":"../1.safetensors"}}`, []string{`"a"`, `"../1.safetensors"`, "inside"}, "outside the folder"},
		{`{"weight_map":{"a":"x/../../1.safetensors"}}`, []string{`"a"`, "inside"}, "outside the folder"},
		{`{"weight_map":{"a":"/etc/passwd"}}`, []string{`"a"`, "inside"}, "outside the folder"},
		{`{"weight_map":{"a":""}}`, []string{`"a"`, "inside"}, "no file"},
		{`{"weight_map":{"a":"./1.safetensors"}}`, []string{`"a"`, "inside"}, "one shard would have two names"},
		{`{"weight_map":{"a":"model.safetensors.index.json"}}`, []string{`"a"`, "not a weights file"}, "an index in an index"},
		{`{"weight_map":{"a":"broken.safetensors"}}`, []string{"broken.safetensors", "too few"}, "a broken shard is named"},
		{`{"weight_map":{"a":"1.safetensors","a":"2.safetensors"}}`, []string{`"weight_map"."a" is there twice`}, "which one is meant?"},
		{`{"weight_map":{"a":1}}`, []string{"weight_map"}, "not a name"},
		{`{"weight_map":{}}`, []string{"weight_map is missing or empty"}, "nothing"},
		{`{"metadata":{}}`, []string{"weight_map is missing or empty"}, "nothing"},
		{`{`, []string{"save_pretrained"}, "no JSON"},
		{"{\"weight_map\":{\"\xff\":\"1.safetensors\"}}", []string{"UTF-8"}, "Go would replace it silently"},
		{"version https://git-lfs.github.com/spec/v1\n", []string{"git lfs pull"}, "a pointer file"},
	}
	for _, test := range tests {
		dir := t.TempDir()
		require.NoError(t, Write(filepath.Join(dir, "1.safetensors"), one("a"), nil))
		require.NoError(t, Write(filepath.Join(dir, "2.safetensors"), one("b"), nil))
		require.NoError(t, Write(filepath.Join(dir, "copy.safetensors"), append(one("b"), one("a")...), nil))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "broken.safetensors"), []byte("x"), 0o600))
		path := filepath.Join(dir, "model.safetensors.index.json")
		require.NoError(t, os.WriteFile(path, []byte(test.index), 0o600))
		_, err := Open(dir)
		if assert.Error(t, err, test.why) {
			for _, want := range append(test.wants, path) {
				assert.Contains(t, err.Error(), want, test.why)
			}
		}
	}
}

// TestIndexKeepsUnlisted: transformers loads all that a shard holds.
func TestIndexKeepsUnlisted(t *testing.T) {
	dir := t.TempDir()
	both := []Tensor{
		{Name: "a", DType: U8, Shape: []int64{1}, Data: []byte{1}},
		{Name: "b", DType: U8, Shape: []int64{1}, Data: []byte{2}},
	}
	require.NoError(t, Write(filepath.Join(dir, "1.safetensors"), both, nil))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(`{"weight_map":{"a":"1.safetensors"}}`), 0o600))
	assert.Equal(t, []string{"a", "b"}, open(t, dir).Names())
}

// TestTruncated: a file cut at any byte is an error, never a part of the whole.
func TestTruncated(t *testing.T) {
	for _, file := range []string{"plain.safetensors", "views-p2.bin", "deflated.bin"} {
		path := filepath.Join("testdata", file)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		for n := range data {
			_, err := parseWeights(path, data[:n:n])
			if !assert.Error(t, err, "%s cut at %d", file, n) {
				break
			}
		}
	}
}

// TestDamaged: whichever byte of a torch.save file is changed, the result is an
// error or the tensors as saved.
func TestDamaged(t *testing.T) {
	expected := readExpected(t)["module.bin"]
	data, err := os.ReadFile("testdata/module.bin")
	require.NoError(t, err)
	refused := 0
	for i := range data {
		damaged := append([]byte(nil), data...)
		damaged[i] ^= 0x55
		p, err := parseWeights("module.bin", damaged)
		if err != nil {
			refused++
			continue
		}
		for name, load := range p.tensors {
			tensor, err := load()
			if err != nil {
				refused++
				assert.Contains(t, err.Error(), "module.bin")
				continue
			}
			assert.Equal(t, expected[name].Shape, tensor.Shape, "byte %d", i)
			assert.Equal(t, expected[name].Data, hex.EncodeToString(tensor.Data), "byte %d", i)
		}
	}
	assert.Greater(t, refused, 500)
}

// TestFlippedBits flips one bit at each of 1,000 places of each format: an error, or tensors of the shapes that were saved. Bytes of
// tensors have no checksum in safetensors: the SHA-256 in each record is of the whole file.
func TestFlippedBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for file, kept := range map[string]bool{"plain.safetensors": false, "plain.bin": true, "deflated.bin": true} {
		path := filepath.Join("testdata", file)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		whole, err := parseWeights(path, data)
		require.NoError(t, err)
		for range 1000 {
			flipped := append([]byte(nil), data...)
			at, bit := rng.IntN(len(data)), rng.IntN(8)
			flipped[at] ^= 1 << bit
			p, err := parseWeights(path, flipped)
			if err != nil {
				continue
			}
			for name, load := range p.tensors {
				got, err := load()
				if err != nil || whole.tensors[name] == nil {
					continue // another name is missed by the model
				}
				want, err := whole.tensors[name]()
				require.NoError(t, err)
				require.Equal(t, len(want.Data), len(got.Data), "%s, byte %d, bit %d", file, at, bit)
				if kept {
					require.Equal(t, want.Data, got.Data, "%s, byte %d, bit %d", file, at, bit)
				}
			}
		}
	}
}
