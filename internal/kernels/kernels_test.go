package kernels_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/decoder"
	"lorabench/internal/kernels"
	"lorabench/internal/models"
	"lorabench/internal/torch"
)

const post = "../../testdata/parity/post"

// set is kernels.Set on a small model, with a cache in dir.
func set(t *testing.T, dir, text string) (string, error) {
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv(kernels.Folder, "")
	before, live := torch.CurrentKernels(), torch.Live()
	defer torch.SetKernels(before)
	scope, name := torch.NewScope(), ""
	var m *decoder.Model
	require.NoError(t, torch.Run(func(*torch.Scope) (err error) {
		m, _, err = models.Load(scope, post, torch.Float32, torch.CPU)
		return err
	}))
	name, err := kernels.Set(m, text)
	if err == nil {
		require.Equal(t, name, torch.CurrentKernels().String())
	}
	require.NoError(t, torch.Run(func(*torch.Scope) error { scope.Free(); return nil }))
	require.Equal(t, live, torch.Live())
	return name, err
}

func TestKernelsAreKept(t *testing.T) {
	dir := t.TempDir()
	first, err := set(t, dir, kernels.Auto)
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(dir, "lorabench", "kernels", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Contains(t, string(b), first)

	other := "layers=libtorch,head=libtorch,bf16=float32,attention=float32"
	require.NoError(t, os.WriteFile(files[0], []byte(strings.Replace(string(b), first, other, 1)), 0o666))
	kept, err := set(t, dir, kernels.Auto)
	require.NoError(t, err)
	require.Equal(t, other, kept, "what is kept is not measured again")

	for why, damaged := range map[string]string{
		"cut":                                  string(b[:len(b)/2]),
		"another machine's":                    strings.Replace(string(b), `"threads": `, `"threads": 1`, 1),
		"a kernel that this processor has not": strings.Replace(string(b), first, "layers=abacus", 1),
	} {
		require.NoError(t, os.WriteFile(files[0], []byte(damaged), 0o666))
		_, err := set(t, dir, kernels.Auto)
		require.NoError(t, err, why)
		again, err := os.ReadFile(files[0])
		require.NoError(t, err)
		require.NotEqual(t, damaged, string(again), "%s: measured and kept anew", why)
	}
}

func TestKernelsWithoutACache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o666))
	name, err := set(t, path, kernels.Auto)
	require.NoError(t, err, "a cache that cannot be written only costs the measurement again")
	require.NotEmpty(t, name)
}

func TestKernelsByHand(t *testing.T) {
	name, err := set(t, t.TempDir(), "head=libtorch")
	require.NoError(t, err)
	require.Contains(t, name, "head=libtorch")
	_, err = set(t, t.TempDir(), "head=abacus")
	require.ErrorContains(t, err, `head is "abacus": this processor has `)
}
