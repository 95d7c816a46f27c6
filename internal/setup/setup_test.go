package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares text, in which the world's own paths are replaced, with a file of testdata.
func (w *world) golden(name, text string) {
	w.t.Helper()
	text = strings.NewReplacer(w.gotch(), "{gotch}", w.dir, "{dir}").Replace(text)
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(w.t, os.WriteFile(path, []byte(text), 0o644))
	}
	require.Equal(w.t, w.read(path), text)
}

func TestInstallsOnABareMachine(t *testing.T) {
	w := newWorld(t)
	w.goldens(w.ready())
}

func TestTakesTorchOfPython(t *testing.T) {
	w := newWorld(t)
	torch := w.torch("venv/torch", "2.11.0+cpu")
	w.set("FAKE_TORCH", torch)
	stdout := w.ready()
	assert.Equal(t, torch, w.linked())
	assert.NotContains(t, stdout, "installing torch")
	assert.Contains(t, stdout, "setup: libtorch 2.11.0+cpu at "+torch+" (from python3), gotch v0.9.1 at "+w.gotch()+"\n")
}

// goldens compares what the checkout and the copy of gotch hold after a run.
func (w *world) goldens(stdout string) {
	w.t.Helper()
	w.golden("stdout.golden", stdout)
	w.golden("go.work.golden", w.read(filepath.Join(w.root, "go.work")))
	w.golden("lib.go.golden", w.read(filepath.Join(w.gotch(), "libtch", "lib.go")))
	assert.Equal(w.t, compatHeader, w.read(filepath.Join(w.gotch(), "libtch", compatName)))
	assert.FileExists(w.t, filepath.Join(w.gotch(), "LICENSE"))
	for _, name := range []string{"README.md", "example", "gen"} {
		assert.NoFileExists(w.t, filepath.Join(w.gotch(), name), "a build does not read it")
		assert.NoDirExists(w.t, filepath.Join(w.gotch(), name), "a build does not read it")
	}
}

func TestSecondRunDoesNothing(t *testing.T) {
	w := newWorld(t)
	w.ready()
	w.commands()
	before := w.files()

	status, stdout, stderr := w.run()
	assert.Zero(t, status)
	assert.Empty(t, stdout+stderr, "nothing to say")
	assert.Empty(t, w.commands(), "no command is run")
	assert.Equal(t, before, w.files(), "no file is touched")

	_, stdout, _ = w.run("-v")
	assert.Contains(t, stdout, "setup: nothing to do: libtorch 2.11.0+cu130 at "+w.linked())
}

func TestSecondCheckoutSharesTheCache(t *testing.T) {
	w := newWorld(t)
	w.ready()
	gotch := w.gotch()
	w.commands()

	w.root = filepath.Join(w.dir, "other")
	w.newRoot(w.root)
	w.ready()
	assert.Equal(t, gotch, w.gotch(), "one copy of gotch, hence one compilation")
	assert.Equal(t, []string{"go env", "g++ check", "python3 -c", "g++ probe", "go mod"}, w.commands())
	assert.FileExists(t, filepath.Join(w.root, "internal/torch/link", helperLib))
}

func TestOrder(t *testing.T) {
	w := newWorld(t)
	w.ready()
	cached := w.linked()

	w.set("FAKE_TORCH", w.torch("venv/torch", "2.11.0"))
	status, stdout, _ := w.run()
	assert.Zero(t, status)
	assert.Empty(t, stdout, "what was found is kept while it is whole")
	assert.Equal(t, cached, w.linked())

	require.NoError(t, os.Remove(filepath.Join(w.root, "internal/torch/link/setup.json")))
	w.ready()
	assert.Equal(t, w.dir+"/venv/torch", w.linked(), "Python's torch before the cache")

	w.set("LIBTORCH", w.torch("mine", "2.11.1"))
	w.ready()
	assert.Equal(t, w.dir+"/mine", w.linked(), "LIBTORCH before all")

	w.set("LIBTORCH", "")
	w.ready()
	assert.Equal(t, w.dir+"/venv/torch", w.linked(), "and back")
}

func TestPassesOverTorchOfPython(t *testing.T) {
	tests := []struct {
		why     string
		version string
		spoil   func(w *world, torch string)
		says    string
	}{
		{"another version", "2.8.0+cu128", nil, "its version is 2.8.0+cu128"},
		{"Debian's torch has its headers elsewhere", "2.11.0", func(w *world, torch string) { removeAll(w.t, torch+"/include") }, "include/ATen/ATen.h is missing"},
		{"installed without what it needs", "2.11.0", func(w *world, _ string) { w.set("FAKE_CXX", "nolink"); w.set("FAKE_CXX_FOR", "venv") },
			"it cannot be linked: /usr/bin/ld: warning: libcudart.so.13, needed by libtorch_cpu.so, not found (try using -rpath or -rpath-link)"},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			w := newWorld(t)
			torch := w.torch("venv/torch", tt.version)
			if tt.spoil != nil {
				tt.spoil(w, torch)
			}
			w.set("FAKE_TORCH", torch)
			stdout := w.ready()
			assert.Contains(t, stdout, "libtorch: not taking the torch of python3 at "+torch+" ("+tt.says+"), looking further\n")
			assert.Equal(t, w.cache+"/torch-2.11.0-cpu/torch", w.linked())
		})
	}
}

func TestPip3WherePythonHasNoPip(t *testing.T) {
	w := newWorld(t)
	w.set("FAKE_PIP", "none")
	w.addCommand("pip3")
	w.ready()
	assert.Contains(t, w.commands(), "pip3 install")
}

func TestPathWithSpaces(t *testing.T) {
	w := newWorld(t)
	w.set("XDG_CACHE_HOME", filepath.Join(w.dir, "my cache"))
	status, _, stderr := w.run()
	require.Zero(t, status, stderr)
	work := w.read(filepath.Join(w.root, "go.work"))
	assert.Contains(t, work, `=> "`+w.dir+`/my cache/lorabench/gotch-v0.9.1-`)
	libGo := patchedLibGo(w.linked())
	assert.Contains(t, libGo, `"-L`+w.dir+`/my cache/lorabench/torch-2.11.0-cpu/torch/lib"`)
}

// TestGoReadsGoWork asks the real Go for its opinion of the paths that modQuote may have to quote.
func TestGoReadsGoWork(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go on PATH")
	}
	for _, path := range []string{"/plain/path", "/with space/x", "/é/ü", "/a~b/c!d@e%f^g", "/comma,/(x)[y]{z}"} {
		text, err := goWork([]byte("module m\n\ngo 1.26.0\n"), path)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "go.work")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		out, err := exec.Command(goTool, "work", "edit", "-json", file).CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), `"Path": "`+path+`"`)
	}
}
