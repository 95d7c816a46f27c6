package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/internal/cache"
)

// TestNoticesChanges checks that the fast path is left whenever what the last run found or made is no longer so, and that
// no more is done than is needed.
func TestNoticesChanges(t *testing.T) {
	const link = "internal/torch/link/"
	look := []string{"go env", "g++ check", "go mod"} // with the libtorch of the last run
	search := []string{"go env", "g++ check", "python3 -c", "g++ probe", "go mod"}
	reinstall := []string{"go env", "g++ check", "python3 -c", "python3 -c", "python3 -m pip --version", "python3 -m pip install", "g++ probe", "go mod"}
	tests := []struct {
		why    string
		change func(w *world)
		runs   []string
		check  func(w *world)
	}{
		{why: "go.work edited by hand", change: func(w *world) { w.write(w.root+"/go.work", "go 1.26\n") }, runs: look},
		{why: "go.work removed", change: func(w *world) { removeAll(w.t, w.root+"/go.work") }, runs: look},
		{why: "a newer go line in go.mod", change: func(w *world) { w.write(w.root+"/go.mod", "module lorabench\n\ngo 1.27.0\n") }, runs: look,
			check: func(w *world) { assert.Contains(w.t, w.read(w.root+"/go.work"), "\ngo 1.27.0\n") }},
		{why: "the link removed", change: func(w *world) { removeAll(w.t, w.root+"/"+link+"libtorch") }, runs: look},
		{why: "the link pointing elsewhere", change: func(w *world) {
			removeAll(w.t, w.root+"/"+link+"libtorch")
			require.NoError(w.t, os.Symlink("/nowhere", w.root+"/"+link+"libtorch"))
		}, runs: look},
		{why: "the state is gone", change: func(w *world) { removeAll(w.t, w.root+"/"+link+"setup.json") }, runs: search},
		{why: "the state is junk", change: func(w *world) { w.write(w.root+"/"+link+"setup.json", "{") }, runs: search},
		{why: "git clean", change: func(w *world) { removeAll(w.t, w.root+"/"+link); removeAll(w.t, w.root+"/go.work") }, runs: search},
		{why: "a file of gotch damaged", change: func(w *world) { w.write(w.gotch()+"/libtch/torch_api.cpp", "") }, runs: look,
			check: func(w *world) { assert.Equal(w.t, "cpp", w.read(w.gotch()+"/libtch/torch_api.cpp")) }},
		{why: "gotch removed", change: func(w *world) { removeAll(w.t, w.gotch()) }, runs: look},
		{why: "the helper's source changed", change: func(w *world) { w.write(w.root+"/"+helperSource, "// other\n") }, runs: append(look[:3:3], "g++ helper"),
			check: func(w *world) { assert.Contains(w.t, w.read(w.root+"/"+link+helperLib), "// other") }},
		{why: "a header beside the helper's source", change: func(w *world) { w.write(w.root+"/internal/torch/cuda/x.h", "x") }, runs: append(look[:3:3], "g++ helper")},
		{why: "the helper's source removed", change: func(w *world) { removeAll(w.t, w.root+"/"+helperSource) }, runs: look,
			check: func(w *world) { assert.NoFileExists(w.t, w.root+"/"+link+helperLib) }},
		{why: "the helper removed", change: func(w *world) { removeAll(w.t, w.root+"/"+link+helperLib) }, runs: look},
		{why: "the helper truncated", change: func(w *world) { w.write(w.root+"/"+link+helperLib, "") }, runs: look,
			check: func(w *world) { assert.NotEmpty(w.t, w.read(w.root+"/"+link+helperLib)) }},
		{why: "CUDA's headers removed, which internal/fakecuda needs", change: func(w *world) { removeAll(w.t, w.cache+"/cuda-headers-13.0") },
			runs: append(look[:3:3], "python3 -c", "python3 -m pip --version", "python3 -m pip install"),
			check: func(w *world) {
				assert.Contains(w.t, w.read(w.root+"/"+link+"setup.json"), w.cache+"/cuda-headers-13.0/nvidia/cu13/include")
			}},
		{why: "a state from before headers were in it", change: func(w *world) {
			w.write(w.root+"/"+link+"setup.json", strings.Replace(w.read(w.root+"/"+link+"setup.json"), `"headers"`, `"other"`, 1))
		}, runs: look},
		{why: "a virtual environment does not change libtorch", change: func(w *world) {
			w.write(w.dir+"/venv/bin/x", "")
			require.NoError(w.t, os.Symlink(w.bin+"/python3", w.dir+"/venv/bin/python3"))
			w.set("PATH", w.dir+"/venv/bin:"+w.bin)
			w.set("FAKE_TORCH", w.torch("venv/torch", "2.11.0"))
		}, check: func(w *world) { assert.Equal(w.t, w.cache+"/torch-2.11.0-cpu/torch", w.linked()) }},
		{why: "nor does it where something else has to be done", change: func(w *world) {
			w.set("FAKE_TORCH", w.torch("venv/torch", "2.11.0"))
			removeAll(w.t, w.root+"/go.work")
		}, runs: look, check: func(w *world) { assert.Equal(w.t, w.cache+"/torch-2.11.0-cpu/torch", w.linked()) }},
		{why: "another compiler", change: func(w *world) { w.set("CXX", "g++") }, runs: look},
		{why: "a library of the cache removed", change: func(w *world) { removeAll(w.t, w.cache+"/torch-2.11.0-cpu/nvidia/cu13/lib/libcupti.so.13") }, runs: reinstall},
		{why: "a library of the cache truncated", change: func(w *world) { w.write(w.cache+"/torch-2.11.0-cpu/torch/lib/libc10.so", "c1") }, runs: reinstall},
		{why: "the cached libtorch removed", change: func(w *world) { removeAll(w.t, w.cache+"/torch-2.11.0-cpu") }, runs: reinstall},
		{why: "the cached libtorch without its marker", change: func(w *world) { removeAll(w.t, w.cache+"/torch-2.11.0-cpu/"+cache.MarkerName) }, runs: reinstall},
		{why: "the cached libtorch with a junk marker", change: func(w *world) { w.write(w.cache+"/torch-2.11.0-cpu/"+cache.MarkerName, "[]") }, runs: reinstall},
		{why: "a marker that lists nothing proves nothing", change: func(w *world) { w.write(w.cache+"/torch-2.11.0-cpu/"+cache.MarkerName, `{"files":{}}`) }, runs: reinstall},
		{why: "the cache removed", change: func(w *world) { removeAll(w.t, w.cache) },
			runs: append(reinstall[:8:8], "python3 -c", "python3 -m pip --version", "python3 -m pip install", "g++ helper")},
		{why: "another cache", change: func(w *world) { w.set("XDG_CACHE_HOME", w.dir+"/xdg") },
			runs:  append(reinstall[:8:8], "python3 -c", "python3 -m pip --version", "python3 -m pip install", "g++ helper"),
			check: func(w *world) { assert.Equal(w.t, w.dir+"/xdg/lorabench/torch-2.11.0-cpu/torch", w.linked()) }},
		{why: "a libtorch of the user's own", change: func(w *world) { w.set("LIBTORCH", w.torch("lt", "2.11.0")) },
			runs:  []string{"go env", "g++ check", "g++ probe", "go mod", "g++ helper"},
			check: func(w *world) { assert.Equal(w.t, w.dir+"/lt", w.linked()) }},
		{why: "a new driver: the CPU set would leave the GPU idle", change: (*world).addDriver, runs: append(reinstall[:8:8], "g++ helper"),
			check: func(w *world) {
				assert.Equal(w.t, w.cache+"/torch-2.11.0-cuda/torch", w.linked())
				assert.FileExists(w.t, w.cache+"/torch-2.11.0-cuda/nvidia/cu13/lib/libcublas.so.13", "with its dependencies")
			}},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			w := newWorld(t)
			w.ready()
			w.commands()
			tt.change(w)
			w.ready()
			assert.Equal(t, tt.runs, w.commands())
			if tt.check != nil {
				tt.check(w)
			}
			w.ready()
			assert.Empty(t, w.commands(), "done again")
		})
	}
}

// TestNoticesChangedTorch is the same for a torch outside the cache, which others install and upgrade.
func TestNoticesChangedTorch(t *testing.T) {
	tests := []struct {
		why    string
		change func(w *world, torch string)
		from   string // the libtorch afterwards
		anew   bool   // whether gotch must be compiled anew
	}{
		{"upgraded to another patch release", func(w *world, torch string) { w.write(torch+"/version.py", "__version__ = '2.11.1+cu130'\n") }, "venv", true},
		{"another build of the same version", func(w *world, torch string) { w.write(torch+"/lib/libtorch_cpu.so", "rebuilt") }, "venv", false},
		{"upgraded to what cannot be used", func(w *world, torch string) { w.write(torch+"/version.py", "__version__ = '2.12.0'\n") }, "home", true},
		{"uninstalled", func(w *world, torch string) { removeAll(w.t, torch); w.set("FAKE_TORCH", "") }, "home", true},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			w := newWorld(t)
			torch := w.torch("venv/torch", "2.11.0+cu130")
			w.set("FAKE_TORCH", torch)
			w.ready()
			gotch := w.gotch()
			w.commands()
			tt.change(w, torch)
			w.ready()
			assert.NotEmpty(t, w.commands())
			rel, err := filepath.Rel(filepath.Join(w.dir, tt.from), w.linked())
			require.NoError(t, err)
			assert.True(t, filepath.IsLocal(rel), "%s is not in %s", w.linked(), tt.from)
			assert.Equal(t, tt.anew, gotch != w.gotch())
		})
	}
}
