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
}

// TestContextBytes: what make fit says of a card is what the stand-in does.
func TestContextBytes(t *testing.T) {
	source, err := sources.ReadFile("src/cudart/memory.cpp")
	require.NoError(t, err)
	require.Contains(t, string(source), fmt.Sprintf("context_memory = %dull << 20;", ContextBytes>>20))
}
