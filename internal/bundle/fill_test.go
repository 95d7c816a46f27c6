package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/root"
)

func TestOnlyABundleIsReplaced(t *testing.T) {
	for _, c := range []struct {
		files map[string]string
		list  bool
		want  string
		why   string
	}{
		{nil, false, "", "an empty folder"},
		{map[string]string{"run": "", "lib/precious": ""}, false, "is no earlier bundle", "an entry named run, as /var has"},
		{map[string]string{"manifest.json": "[", "run": ""}, false, "is no earlier bundle", "another program's manifest"},
		{map[string]string{"manifest.json": "{}", "run": ""}, false, "has run, which", "one that lists nothing"},
		{map[string]string{"run": "", "bin/check": ""}, true, "", "a bundle"},
	} {
		out := filepath.Join(t.TempDir(), "out")
		require.NoError(t, os.MkdirAll(out, 0o777))
		for path, text := range c.files {
			path = filepath.Join(out, path)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
			require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		}
		if c.list {
			require.NoError(t, list(&root.Manifest{}, out))
		}
		if c.want == "" {
			require.NoError(t, mayReplace(out), c.why)
		} else {
			require.ErrorContains(t, mayReplace(out), c.want, c.why)
		}
		if !c.list {
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Join(out, "results"), 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(out, "results", "table.txt"), nil, 0o666))
		require.ErrorContains(t, mayReplace(out), "results/table.txt", "results that somebody put into the bundle")
	}
	require.NoError(t, mayReplace(filepath.Join(t.TempDir(), "new")))
}

// TestInterruptedBuildLeavesWhatWasThere interrupts the first go command.
func TestInterruptedBuildLeavesWhatWasThere(t *testing.T) {
	top, err := root.Dir()
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(top, cudaPart)); err != nil {
		skipWithoutCUDA(t)
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	require.NoError(t, os.MkdirAll(out, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(out, "run"), []byte("old"), 0o666))
	require.NoError(t, list(&root.Manifest{}, out))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		_, err = replace(ctx, top, out, io.Discard)
		require.ErrorIs(t, err, context.Canceled)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 1, "nothing is left beside it")
		b, err := os.ReadFile(filepath.Join(out, "run"))
		require.NoError(t, err)
		require.Equal(t, "old", string(b))
	}
}
