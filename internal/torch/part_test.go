package torch

import (
	"debug/elf"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/root"
)

// TestCUDAPartIsWhole: the part is opened with all its symbols at once, on a machine that this one may
// not be. Every function that is looked up in it is there, and what it needs is in libtorch, libcudart
// or the system. That can be told without a GPU.
func TestCUDAPartIsWhole(t *testing.T) {
	root.NeedCheckout(t, "the sources that look functions up in the part")
	part, err := elf.Open("link/liblorabench_cuda.so")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this libtorch has no CUDA half, so there is no CUDA part")
	}
	require.NoError(t, err)
	defer part.Close()
	symbols, err := part.DynamicSymbols()
	require.NoError(t, err)
	defined, needed := map[string]bool{}, map[string]bool{}
	for _, s := range symbols {
		system := strings.HasPrefix(s.Version, "GLIBC") || strings.HasPrefix(s.Version, "CXXABI") || strings.HasPrefix(s.Version, "GCC")
		switch {
		case s.Section != elf.SHN_UNDEF:
			defined[s.Name] = true
		case elf.ST_BIND(s.Info) != elf.STB_WEAK && !system:
			needed[s.Name] = true
		}
	}
	sources, err := filepath.Glob("*.cpp")
	require.NoError(t, err)
	looked := 0
	for _, source := range sources {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`\blorabench_\w+`).FindAllString(string(text), -1) {
			require.True(t, defined[name], "%s looks for %s", source, name)
			looked++
		}
	}
	require.NotZero(t, looked)

	lib := "link/libtorch/lib"
	real, err := filepath.EvalSymlinks("link/libtorch")
	require.NoError(t, err)
	libraries := []string{lib + "/libc10.so", lib + "/libc10_cuda.so", lib + "/libtorch_cpu.so", lib + "/libtorch_cuda.so"}
	for _, pattern := range []string{lib + "/libcudart*.so*", filepath.Dir(real) + "/nvidia/*/lib/libcudart.so*"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		libraries = append(libraries, found...)
	}
	if len(libraries) == 4 { // libcudart is the system's, where ld.so finds it
		maps.DeleteFunc(needed, func(name string, _ bool) bool { return strings.HasPrefix(name, "cuda") })
	}
	require.NotEmpty(t, needed)
	for _, library := range libraries {
		f, err := elf.Open(library)
		require.NoError(t, err)
		symbols, err := f.DynamicSymbols()
		require.NoError(t, err)
		for _, s := range symbols {
			if s.Section != elf.SHN_UNDEF {
				delete(needed, s.Name)
			}
		}
		f.Close()
	}
	require.Empty(t, slices.Sorted(maps.Keys(needed)), "in none of %v", libraries)
}
