package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRealCompiler has the real g++ build small libraries under libtorch's names, and the probe judge them.
func TestRealCompiler(t *testing.T) {
	if _, err := exec.LookPath("g++"); err != nil {
		t.Skip("no g++ on PATH")
	}
	dir := t.TempDir()
	lib := filepath.Join(dir, "torch", "lib")
	s := &setup{cache: dir, stdout: io.Discard}
	tc := toolchain{CXX: []string{"g++"}}
	build := func(name, source string, args ...string) {
		t.Helper()
		path := filepath.Join(dir, name+".cpp")
		require.NoError(t, writeTree(dir, map[string]string{name + ".cpp": source, "torch/lib/x": ""}))
		require.NoError(t, s.compile(tc, append([]string{"-shared", "-fPIC", path, "-o", filepath.Join(lib, name)}, args...)...))
	}
	build("libc10.so", "")
	build("libneeded.so", "int needed() { return 2; }")
	build("libtorch_cpu.so", "int needed(); namespace at { int get_num_threads() { return needed(); } }",
		"-L"+lib, "-lneeded", "-Wl,-rpath,$ORIGIN")
	lt := libtorch{Dir: filepath.Join(dir, "torch")}

	require.NoError(t, s.checkCompiler(tc))
	require.NoError(t, s.probe(tc, lt))

	old := toolchain{CXX: []string{"g++", "-U__GNUC__", "-D__GNUC__=8"}}
	assert.ErrorContains(t, s.checkCompiler(old), "#error g++ is older than 9): install g++ 9 or newer")

	require.NoError(t, os.Remove(filepath.Join(lib, "libneeded.so")))
	err := s.probe(tc, lt)
	assert.ErrorContains(t, err, "it cannot be linked: ")
	assert.ErrorContains(t, err, "libneeded.so, needed by ")

	build("libneeded.so", "int needed() { return 0; }")
	assert.EqualError(t, s.probe(tc, lt), "it cannot be loaded: exit status 1", "a libtorch that answers nonsense")

	require.NoError(t, os.WriteFile(filepath.Join(lib, "libtorch_cpu.so"), []byte("<html>Not found</html>"), 0o644))
	assert.ErrorContains(t, s.probe(tc, lt), "it cannot be linked: ")

	require.NoError(t, os.Remove(filepath.Join(lib, "libtorch_cpu.so")))
	assert.ErrorContains(t, s.probe(tc, lt), "cannot find -ltorch_cpu")

	left, err := filepath.Glob(filepath.Join(dir, "*.partial-*"))
	require.NoError(t, err)
	assert.Empty(t, left, "nothing is left in the cache")
}
