//go:build linux

package file

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(t.Context(), path, func(string) { t.Error("nobody has it") })
	require.NoError(t, err)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for held, want := range map[string]string{strconv.Itoa(os.Getpid()): "process " + strconv.Itoa(os.Getpid()),
		"": "another process", "-1": "another process", "x\x00": "another process"} {
		require.NoError(t, os.WriteFile(path, []byte(held), 0o666))
		var holder string
		busy, enough := context.WithCancel(t.Context())
		_, err = Lock(busy, path, func(h string) { holder = h; enough() })
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, want, holder)
	}

	waiting := make(chan string, 1)
	got := make(chan error)
	go func() {
		again, err := Lock(t.Context(), path, func(h string) { waiting <- h })
		if err == nil {
			again()
		}
		got <- err
	}()
	<-waiting
	unlock()
	require.NoError(t, <-got)
	unlock, err = Lock(ended, path, func(string) {})
	require.NoError(t, err, "what is free can be had at once")

	// Python's filelock removes its file: the lock on a file that is gone is none.
	require.NoError(t, os.Remove(path))
	other, err := Lock(ended, path, func(string) { t.Error("nobody has the new file") })
	require.NoError(t, err)
	unlock()
	other()

	_, err = Lock(ended, filepath.Join(path, "x"), nil)
	require.ErrorContains(t, err, "not a directory")
}

func TestFree(t *testing.T) {
	free, err := Free(t.TempDir())
	require.NoError(t, err)
	require.Positive(t, free)
	_, err = Free("/none/such")
	require.ErrorContains(t, err, "/none/such")
}
