package checkpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// seed adds the files that match the pattern in testdata.
func seed(f *testing.F, pattern string) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	require.NoError(f, err)
	require.NotEmpty(f, paths)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(data)
	}
}

// loadAll checks that what is read is whole: each tensor loads and is as long
// as its shape says.
func loadAll(t *testing.T, p *part, strict bool) {
	for name, load := range p.tensors {
		tensor, err := load()
		if !strict && err != nil {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, name, tensor.Name)
		require.NoError(t, tensor.check())
	}
}

func FuzzSafetensors(f *testing.F) {
	seed(f, "plain.safetensors")
	f.Add(frame(`{"w":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`, []byte{1}))
	f.Add(frame(`{"v":{"dtype":"BOOL","shape":[0,9],"data_offsets":[0,0]},"__metadata__":{"a":"b"}}`, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parseSafetensors("a.safetensors", data)
		if err != nil {
			return
		}
		loadAll(t, p, true)
		total := 8
		for _, load := range p.tensors {
			tensor, _ := load()
			total += len(tensor.Data)
		}
		require.LessOrEqual(t, total, len(data), "the tensors do not overlap")

		// What is read can be written and read again.
		var tensors []Tensor
		for _, load := range p.tensors {
			tensor, _ := load()
			tensors = append(tensors, tensor)
		}
		_, err = viewsOf(tensors, p.metadata)
		require.NoError(t, err)
	})
}

// FuzzPickle reads the input as the pickle of an archive with a storage of six
// floats under key 0, so that the tensors it makes are rebuilt too.
func FuzzPickle(f *testing.F) {
	f.Add([]byte(pickleTensor(6, 0, []int{2, 3}, []int{3, 1})))
	f.Add([]byte(pickleTensor(6, 1, []int{2, 2}, []int{1, 2})))
	f.Add([]byte(pickleTensor(6, 0, []int{1 << 30}, []int{0})))
	paths, err := filepath.Glob("testdata/*.bin")
	require.NoError(f, err)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(f, err)
		if a, err := newArchive(data); err == nil {
			pickle, err := a.entry(a.root + "data.pkl")
			require.NoError(f, err)
			f.Add(pickle.data)
		}
	}
	floats := strings.Repeat("\x01\x02\x03\x04", 6)
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := parseTorch("a.bin", zipOf(t, "a/data.pkl", string(data), "a/data/0", floats)); err == nil {
			loadAll(t, p, true)
		}
	})
}

// FuzzWeights reads the input as a file of unknown kind: the archive too may be
// forged.
func FuzzWeights(f *testing.F) {
	seed(f, "*.bin")
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := parseWeights("a.bin", data); err == nil {
			loadAll(t, p, false)
		}
	})
}

func FuzzIndex(f *testing.F) {
	seed(f, "sharded*/*.index.json")
	f.Add([]byte(`{"weight_map":{"a":"../b"}}`))
	f.Add([]byte(`{"weight_map":{"a":"b","a":"c"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		weightMap, err := parseIndex(data)
		if err != nil {
			return
		}
		require.NotEmpty(t, weightMap)
		for _, shard := range weightMap {
			path := filepath.Join("/folder", shard)
			require.True(t, strings.HasPrefix(path, "/folder/"), path)
		}
	})
}
