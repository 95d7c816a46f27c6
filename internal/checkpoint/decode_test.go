package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/internal/file"
)

type decoded struct {
	A int     `json:"a"`
	B float64 `json:"b,omitempty"`
}

// TestDecodeOfAnEmptyKey: it names no field, and least one that is not exported.
func TestDecodeOfAnEmptyKey(t *testing.T) {
	var v struct {
		A   int `json:"a"`
		raw json.RawMessage
	}
	others, err := Decode([]byte(`{"": 3, "a": 1}`), &v)
	require.NoError(t, err)
	require.Equal(t, 1, v.A)
	require.Nil(t, v.raw)
	require.Equal(t, map[string]json.RawMessage{"": json.RawMessage("3")}, others)
}

func TestDecode(t *testing.T) {
	v := decoded{B: 5}
	others, err := Decode([]byte(`{"a": 1, "A": 2, "c": [3]}`), &v)
	require.NoError(t, err)
	assert.Equal(t, decoded{A: 1, B: 5}, v, "what is absent keeps its value")
	assert.Len(t, others, 2)
	assert.JSONEq(t, `[3]`, string(others["c"]))
	assert.JSONEq(t, `2`, string(others["A"]))
	for _, c := range []struct{ data, text string }{
		{`{"a": "x"}`, `a is "x": json: cannot unmarshal string`},
		{`{"a": 1, "a": 2}`, `"a" is there twice`},
		{`{"c": {"d": 1, "d": 2}}`, `"c"."d" is there twice`},
		{`{"a": 1`, "unexpected end"},
		{`[]`, "cannot unmarshal array"},
	} {
		_, err := Decode([]byte(c.data), &v)
		assert.ErrorContains(t, err, c.text)
	}
}

func TestNotFinite(t *testing.T) {
	of := func(d DType, data ...byte) Tensor {
		return Tensor{Name: "w", DType: d, Shape: []int64{int64(len(data) / d.Size())}, Data: data}
	}
	assert.NoError(t, NotFinite(of(F16, 0xff, 0x7b, 0, 0x80)), "the largest of float16 and -0")
	assert.NoError(t, NotFinite(of(F32, 0xff, 0xff, 0x7f, 0x7f)), "the largest of float32")
	assert.ErrorContains(t, NotFinite(of(F16, 0, 0, 0, 0x7c, 1, 0xfe)), `"w" of shape [3] has 2 elements that are NaN or infinite, the first, +Inf, at 1`)
	assert.ErrorContains(t, NotFinite(of(BF16, 0x80, 0xff)), "the first, -Inf, at 0")
	bits := math.Float64bits(math.NaN())
	assert.ErrorContains(t, NotFinite(of(F64, byte(bits), 0, 0, 0, 0, 0, byte(bits>>48), byte(bits>>56))), "the first, NaN, at 0")
	assert.ErrorContains(t, NotFinite(of(I64, make([]byte, 8)...)), "only F32")
}

// TestSHA256IsTakenOnce: again for the same file the sum is remembered; a file that was replaced or changed has its own.
func TestSHA256IsTakenOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.safetensors")
	sum := func(v byte) string {
		require.NoError(t, Write(path, []Tensor{{Name: "a", DType: U8, Shape: []int64{1}, Data: []byte{v}}}, nil))
		s, err := open(t, path).SHA256()
		require.NoError(t, err)
		return s
	}
	first := sum(1)
	assert.NotEqual(t, first, sum(2))
	assert.Equal(t, first, sum(1))
	require.NoError(t, Write(path, []Tensor{{Name: "a", DType: U8, Shape: []int64{1}, Data: []byte{3}}}, nil))
	f := open(t, path)
	time.Sleep(50 * time.Millisecond) // the digest of a file that was just written is not kept
	info, err := os.Stat(path)
	require.NoError(t, err)
	remembered, err := file.SHA256(strings.NewReader("not the file's"), info)
	require.NoError(t, err)
	again, err := f.SHA256()
	require.NoError(t, err)
	assert.Equal(t, remembered, again, "whoever hashed it")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(b[:len(b)-1], 9), 0o600), "in place")
	now, err := open(t, path).SHA256()
	require.NoError(t, err)
	assert.NotEqual(t, remembered, now)

	dir := t.TempDir()
	for _, name := range []string{"model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"} {
		copyFile(t, filepath.Join("testdata/sharded", name), dir)
	}
	time.Sleep(50 * time.Millisecond)
	f = open(t, dir)
	all := sha256.New()
	var infos []fs.FileInfo
	for _, path := range f.Files() {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		all.Write(b)
		info, err := os.Stat(path)
		require.NoError(t, err)
		infos = append(infos, info)
	}
	shards, err := f.SHA256()
	require.NoError(t, err)
	assert.Equal(t, hex.EncodeToString(all.Sum(nil)), shards)
	again, err = file.SHA256(iotest.ErrReader(errors.New("hashed again")), infos...)
	require.NoError(t, err)
	assert.Equal(t, shards, again)
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a": 1, "b": 2, "A": null}`))
	f.Add([]byte(`{"a": 1, "a": 2}`))
	f.Add([]byte("{\"\\u0061\": 1, \"\xff\": 2}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v decoded
		others, err := Decode(data, &v)
		if err == nil {
			assert.NotContains(t, others, "a")
			assert.NotContains(t, others, "b")
		}
	})
}
