package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A marker cut anywhere, or with any bit flipped, may say that a whole folder is damaged, but not that a damaged one is whole.
func TestDamagedMarker(t *testing.T) {
	final := filepath.Join(t.TempDir(), "x")
	build := func(partial string) (map[string]int64, error) {
		return map[string]int64{"lib": 3}, os.WriteFile(filepath.Join(partial, "lib"), []byte("abc"), 0o666)
	}
	never := func(err error) { t.Errorf("it is whole: %v", err) }
	require.NoError(t, Ensure(final, never, build))
	marker, err := os.ReadFile(filepath.Join(final, MarkerName))
	require.NoError(t, err)
	try := func(marker []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(final, MarkerName), marker, 0o666))
		require.NoError(t, os.WriteFile(filepath.Join(final, "lib"), []byte("ab"), 0o666))
		damaged := 0
		require.NoError(t, Ensure(final, func(error) { damaged++ }, build))
		require.Equal(t, 1, damaged, "%q", marker)
		require.NoError(t, Check(final))
	}
	for n := range marker {
		try(marker[:n])
		for bit := range 8 {
			flipped := append([]byte{}, marker...)
			if flipped[n] ^= 1 << bit; marker[n] == '3' && bit == 0 { // the 3 becomes the 2 of the cut file
				require.Contains(t, string(flipped), `"lib": 2`)
				continue
			}
			try(flipped)
		}
	}
}

func FuzzMarker(f *testing.F) {
	f.Add([]byte(`{"files":{"lib":3}}`))
	f.Add([]byte(`{"files":{"../x":3,"lib":-1}}`))
	f.Add([]byte(`{"files":{}}`))
	dir := f.TempDir()
	require.NoError(f, os.WriteFile(filepath.Join(dir, "lib"), []byte("abc"), 0o666))
	f.Fuzz(func(t *testing.T, marker []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, MarkerName), marker, 0o666))
		err := Check(dir)
		require.False(t, errors.Is(err, fs.ErrNotExist), "the folder is there")
	})
}
