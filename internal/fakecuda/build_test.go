package fakecuda

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSetupCheck(t *testing.T) {
	s := setup{Headers: []string{"include"}}
	s.Libtorch.Dir = t.TempDir()
	require.ErrorIs(t, s.check(), ErrNoCUDA)
	require.NoError(t, os.MkdirAll(filepath.Join(s.Libtorch.Dir, "lib"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(s.Libtorch.Dir, "lib", "libtorch_cuda.so"), nil, 0o644))
	require.NoError(t, s.check())
	s.Headers = nil
	require.ErrorContains(t, s.check(), "run make setup with a network", "setup was offline")
}

// TestKey: another libtorch or compiler gets another folder of the cache.
func TestKey(t *testing.T) {
	var s, other setup
	other.Libtorch.Files = map[string]int64{"lib/libtorch_cuda.so": 1}
	require.NotEqual(t, s.key("g++ 12"), other.key("g++ 12"))
	require.NotEqual(t, s.key("g++ 12"), s.key("g++ 13"))
	require.Equal(t, other.key("g++ 12"), other.key("g++ 12"))
	headers := t.TempDir()
	other.Headers = []string{headers}
	keys := map[string]bool{other.key("g++ 12"): true}
	for _, version := range []string{"12080", "13000"} { // a system's headers are upgraded where they are
		require.NoError(t, os.WriteFile(filepath.Join(headers, "cuda.h"), []byte("#define CUDA_VERSION "+version), 0o644))
		keys[other.key("g++ 12")] = true
	}
	require.Len(t, keys, 3)
}

// TestSuits: a stand-in that lacks a library or a symbol is refused with its name.
func TestSuits(t *testing.T) {
	s, err := readSetup()
	if err != nil {
		t.Skip(err) // fakecudatest.Require, which imports this package, says in CI what is missing
	}
	dir, err := Dir()
	require.NoError(t, err)
	require.NoError(t, Suits(dir, s.Libtorch.Dir))
	other := t.TempDir()
	require.NoError(t, os.CopyFS(other, os.DirFS(dir)))
	libs, err := wanted(filepath.Join(s.Libtorch.Dir, "lib"))
	require.NoError(t, err)
	first := filepath.Join(other, libs[0].soname)
	require.NoError(t, os.Remove(first))
	err = Suits(other, s.Libtorch.Dir)
	require.ErrorIs(t, err, ErrOtherTorch)
	require.ErrorContains(t, err, " wants "+libs[0].soname)
	source := filepath.Join(other, "empty.cpp")
	require.NoError(t, os.WriteFile(source, nil, 0o644))
	c, err := findCompiler()
	require.NoError(t, err)
	require.NoError(t, run(c.path, "-shared", "-o", first, source))
	err = Suits(other, s.Libtorch.Dir)
	require.ErrorIs(t, err, ErrOtherTorch)
	require.ErrorContains(t, err, " of "+libs[0].soname)
}

// TestBuiltElsewhere checks the folder that the environment names against the libtorch that it names.
func TestBuiltElsewhere(t *testing.T) {
	dir := t.TempDir()
	require.ErrorContains(t, builtElsewhere(dir), "has no libcudart.so")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "libcudart.so.12"), nil, 0o644))
	torch := t.TempDir()
	t.Setenv("LIBTORCH", torch)
	require.ErrorIs(t, builtElsewhere(dir), ErrNoCUDA)
	t.Setenv("LIBTORCH", "")
	t.Chdir(dir)
	require.ErrorContains(t, builtElsewhere(dir), "Set LIBTORCH")
}

// TestContextBytes: what make fit says of a card is what the stand-in does.
func TestContextBytes(t *testing.T) {
	source, err := sources.ReadFile("src/cudart/memory.cpp")
	require.NoError(t, err)
	require.Contains(t, string(source), fmt.Sprintf("context_memory = %dull << 20;", ContextBytes>>20))
}
