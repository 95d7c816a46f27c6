package file

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReplaceIsWholeOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "x")
	require.NoError(t, Write(path, []byte("one")))
	broken := errors.New("broken")
	err := Replace(path, func(w io.Writer) error {
		_, _ = w.Write([]byte("half"))
		return broken
	})
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, path)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "one", string(b), "an error leaves the old content")
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "and nothing beside it")
	require.NoError(t, Write(path, []byte("two")))
	b, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "two", string(b))
}

func TestReplaceSaysWhere(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
	err := Write(filepath.Join(dir, "file", "x"), nil)
	require.ErrorContains(t, err, filepath.Join(dir, "file", "x"), "a file stands where a folder should")
}
