package main

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCheckVersions(t *testing.T) {
	names, pinned := pins(requirements)
	require.Contains(t, names, "transformers")
	for _, c := range []struct{ name, version, note, err, why string }{
		{"torch", "2.11.0+cu130", "", "", "which CUDA it was built for is no part of the version"},
		{"torch", "2.12.0", "", "torch is 2.12.0, want 2.11.0", "lorabench's libtorch is 2.11"},
		{"transformers", "5.17.0", "transformers is 5.17.0; 5.23.0 is what was tried.", "", "near enough, but to be known"},
		{"transformers", "4.57.0", "", "transformers is 4.57.0, want 5.23.0", "the Trainer's options had other names"},
		{"huggingface_hub", "1.33.0", "huggingface_hub is 1.33.0; " + pinned["huggingface_hub"] + " is what was tried.", "", "peer.py does not call it"},
		{"peft", "", "", "peft is missing, want 0.21.2", "not installed"},
	} {
		have := maps.Clone(pinned)
		have[c.name] = c.version
		notes, err := checkVersions(have, names, pinned)
		if c.err != "" {
			assert.ErrorContains(t, err, c.err, c.why)
			continue
		}
		require.NoError(t, err, c.why)
		assert.Equal(t, c.note, strings.Join(notes, ""), c.why)
	}
}

// script puts an executable into a new folder and returns the folder.
func script(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o777))
	return dir
}

func TestVersionsOf(t *testing.T) {
	for _, c := range []struct{ script, err, why string }{
		{`echo '{"torch": "2.11.0"}'`, "is missing", "a Python without the packages"},
		{"echo Python 2", "asked for versions it printed", "not JSON"},
		{"echo no such module >&2; exit 1", "no such module", "a Python that does not work"},
	} {
		_, _, err := versionsOf(context.Background(), filepath.Join(script(t, "python", c.script), "python"), t.TempDir())
		assert.ErrorContains(t, err, c.err, c.why)
	}
	t.Setenv(fakeVariable, "")
	python, err := os.Executable()
	require.NoError(t, err)
	versions, notes, err := versionsOf(context.Background(), python, t.TempDir())
	require.NoError(t, err)
	assert.Empty(t, notes)
	assert.Equal(t, "3.11.0", versions["python"])
}

func TestNamedPython(t *testing.T) {
	t.Setenv(pythonVariable, filepath.Join(t.TempDir(), "none"))
	_, err := pythonCommand(context.Background(), t.TempDir(), io.Discard)
	require.ErrorContains(t, err, pythonVariable+" is ")
	named := filepath.Join(script(t, "python", ""), "python")
	t.Setenv(pythonVariable, named)
	got, err := pythonCommand(context.Background(), t.TempDir(), io.Discard)
	require.NoError(t, err)
	assert.Equal(t, named, got)
}

// A python3 whose venv is a folder with another such script, and whose pip does what PIP says.
const venvPython = `case "$2" in
venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
pip) echo pip >> "$PIP_LOG"; echo "ERROR: no matching distribution" >&2; exit ${PIP_EXIT:-0} ;;
esac`

func TestEnvironment(t *testing.T) {
	t.Setenv("PATH", script(t, "python3", venvPython)+":"+os.Getenv("PATH"))
	log := filepath.Join(t.TempDir(), "pip")
	t.Setenv("PIP_LOG", log)
	dir := filepath.Join(t.TempDir(), "cache", "peer-1")
	ctx, logs := context.Background(), t.TempDir()

	t.Setenv("PIP_EXIT", "1")
	_, err := environment(ctx, dir, logs, io.Discard)
	require.ErrorContains(t, err, "ERROR: no matching distribution")
	require.NoDirExists(t, dir, "a half-made one is not left to be found")

	require.NoError(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "python"), nil, 0o777))
	t.Setenv("PIP_EXIT", "0")
	var out bytes.Buffer
	python, err := environment(ctx, dir, logs, &out)
	require.NoError(t, err)
	info, err := os.Stat(python)
	require.NoError(t, err)
	assert.Positive(t, info.Size(), "one without a marker, as a power cut leaves it, is made anew")
	assert.Contains(t, out.String(), "3 GB to download")
	assert.NoDirExists(t, filepath.Join(dir, "tmp"))

	before, err := os.ReadFile(log)
	require.NoError(t, err)
	_, err = environment(ctx, dir, logs, io.Discard)
	require.NoError(t, err)
	after, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Equal(t, before, after, "a whole one is used as it is")

	lock, err := os.Open(dir + ".lock")
	require.NoError(t, err)
	defer lock.Close()
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	_, err = environment(ctx, dir, logs, io.Discard)
	require.NoError(t, err, "a whole one needs no lock")
	require.NoError(t, os.Remove(python))
	require.NoError(t, os.Symlink("gone", python))
	_, err = environment(ctx, dir, logs, io.Discard)
	require.ErrorContains(t, err, "another run is installing", "one whose python is gone is made anew")
}

func TestNoVenv(t *testing.T) {
	t.Setenv("PATH", script(t, "python3", "echo ensurepip is not available; exit 1")+":"+os.Getenv("PATH"))
	dir := filepath.Join(t.TempDir(), "peer-1")
	_, err := environment(context.Background(), dir, t.TempDir(), io.Discard)
	require.ErrorContains(t, err, "ensurepip is not available")
	require.ErrorContains(t, err, "apt-get install python3-venv")
}

func FuzzPins(f *testing.F) {
	f.Add(requirements)
	f.Add("# a==1\na==\n==1\n a == 2")
	f.Fuzz(func(t *testing.T, text string) {
		names, versions := pins(text)
		for _, n := range names {
			if _, ok := versions[n]; !ok {
				t.Fatalf("%q has no version", n)
			}
		}
	})
}
