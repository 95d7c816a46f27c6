package root

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDirIsTheBundleOrTheModule(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	below := filepath.Join(top, "a", "b")
	require.NoError(t, os.MkdirAll(below, 0o777))
	t.Chdir(below)
	t.Setenv(Variable, "")
	_, err = Dir()
	require.ErrorContains(t, err, "no go.mod")

	require.NoError(t, os.WriteFile(filepath.Join(top, "go.mod"), nil, 0o666))
	dir, err := Dir()
	require.NoError(t, err)
	require.Equal(t, top, dir)

	abs, err := Abs("x/../y")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(top, "y"), abs, "go test runs below")

	bundle := t.TempDir()
	t.Setenv(Variable, bundle)
	_, err = Dir()
	require.ErrorContains(t, err, "name the folder of a bundle")
	require.NoError(t, os.WriteFile(filepath.Join(bundle, ManifestName), []byte(`{"commit": "0123456789ab"}`), 0o666))
	dir, err = Dir()
	require.NoError(t, err)
	require.Equal(t, bundle, dir, "the variable comes before go.mod")
	abs, err = Abs("y")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(below, "y"), abs, "a bundle's programs run where they were started")
	m, err := Read(dir)
	require.NoError(t, err)
	require.Equal(t, "0123456789ab", m.Commit)
}
