package main

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/internal/cache"
)

func TestVersionOf(t *testing.T) {
	const header = "#pragma once\n#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION \\\n  \"2.11.0\"\n"
	tests := []struct {
		why   string
		files map[string]string
		want  string
	}{
		{"a wheel", map[string]string{"version.py": "from typing import Optional\n__all__ = ['__version__']\n__version__ = '2.11.0+cu130'\n"}, "2.11.0+cu130"},
		{"a zip", map[string]string{"build-version": "2.11.0+cpu\n"}, "2.11.0+cpu"},
		{"headers alone", map[string]string{"include/torch/headeronly/version.h": header}, "2.11.0"},
		{"headers in their older place", map[string]string{"include/torch/csrc/api/include/torch/version.h": header}, "2.11.0"},
		{"what names the build comes first", map[string]string{"include/torch/headeronly/version.h": header, "build-version": "2.11.0+cpu"}, "2.11.0+cpu"},
		{"a header that only refers to the other", map[string]string{"include/torch/csrc/api/include/torch/version.h": "#include <torch/headeronly/version.h>\n"}, ""},
		{"an unreadable version.py does not hide the rest", map[string]string{"version.py": "x = 1\n", "build-version": "2.11.0"}, "2.11.0"},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, writeTree(dir, tt.files))
			got, err := versionOf(dir)
			assert.Equal(t, tt.want, got)
			assert.Equal(t, tt.want == "", err != nil)
		})
	}
}

func TestPlainGoVersion(t *testing.T) {
	for v, want := range map[string]string{"go1.26": "go1.26", "go1.26.8 X:nodwarf5": "go1.26.8", "devel go1.27-a1b2c3 Mon": "go1.27", "go1.27-devel_abc": "go1.27", "": ""} {
		assert.Equal(t, want, plainGoVersion(v), v)
	}
}

func TestPatchKey(t *testing.T) {
	key := patchKey("h1:a", "/t", "2.11.0+cpu")
	assert.Len(t, key, 12)
	assert.Equal(t, key, patchKey("h1:a", "/t", "2.11.0+cpu"))
	assert.NotEqual(t, key, patchKey("h1:b", "/t", "2.11.0+cpu"), "another gotch")
	assert.NotEqual(t, key, patchKey("h1:a", "/u", "2.11.0+cpu"), "libtorch elsewhere")
	assert.NotEqual(t, key, patchKey("h1:a", "/t", "2.11.1+cpu"), "another libtorch")
}

func FuzzPipError(f *testing.F) {
	f.Add("")
	f.Add("WARNING: Retrying (Retry(total=4\nERROR: No matching distribution found for torch==2.11.0\n\n[notice] A new release of pip\n")
	f.Add("ERROR: \n")
	f.Fuzz(func(t *testing.T, output string) {
		text := pipError(output, errors.New("exit status 1"))
		assert.NotEmpty(t, strings.TrimSpace(text))
		assert.NotContains(t, text, "\n", "one sentence")
	})
}

func FuzzMarker(f *testing.F) {
	f.Add([]byte(`{"files":{"lib":3}}`))
	f.Add([]byte(`{"files":{"lib":4}}`))
	f.Add([]byte(`{"files":{"":3,"../x":1}}`))
	f.Add([]byte("null"))
	dir := f.TempDir()
	require.NoError(f, writeTree(dir, map[string]string{"lib": "abc"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, cache.MarkerName), data, 0o644))
		if cache.Check(dir) == nil {
			var keys map[string]json.RawMessage
			require.NoError(t, json.Unmarshal(data, &keys))
			isFiles := func(key string) bool { return strings.EqualFold(key, "files") } // as encoding/json finds a field
			assert.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(keys)), isFiles), "only a list of files proves a folder whole")
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"inputs":{"env":null},"libtorch":{"dir":"/","files":{}}}`))
	f.Add([]byte(`[`))
	root := f.TempDir()
	s := &setup{machine: machine{sysroot: root}, root: root, cache: root}
	require.NoError(f, os.MkdirAll(s.linkDir(), 0o755))
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(s.statePath(), data, 0o644))
		_, err := s.readState(s.inputs())
		assert.Error(t, err, "nothing is prepared in an empty folder, whatever the state says")
	})
}

func FuzzGoWork(f *testing.F) {
	f.Add("module m\n\ngo 1.26.0\n", "/a b")
	f.Add("go", "/x")
	f.Add("// go 1.2\ngo 1.26.0 // c\r\n", "/é")
	f.Fuzz(func(t *testing.T, goMod, path string) {
		text, err := goWork([]byte(goMod), path)
		if err != nil || checkCgoPath("it", path) != nil {
			return
		}
		lines := strings.Split(text, "\n")
		require.Len(t, lines, 8, "comment, go, use and replace, whatever go.mod holds")
		assert.Equal(t, "use .", lines[4])
	})
}
