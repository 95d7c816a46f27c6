package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// failure is something wrong with the machine: what set-up must say, and that it succeeds once it is put right.
type failure struct {
	why    string
	broken func(w *world)
	says   string         // on stderr after "setup: ", where {dir}, {root} and {cache} stand for the world's
	mended func(w *world) // what mend does not put right
}

func (f failure) test(t *testing.T) {
	w := newWorld(t)
	f.broken(w)
	status, _, stderr := w.run()
	require.Equal(t, 1, status)
	want := strings.NewReplacer("{dir}", w.dir, "{root}", w.root, "{cache}", w.cache).Replace(f.says)
	require.Equal(t, "setup: "+want+"\n", stderr)

	w.mend()
	if f.mended != nil {
		f.mended(w)
	}
	w.ready()
}

func set(name, value string) func(*world) { return func(w *world) { w.set(name, value) } }

func without(command string) func(*world) { return func(w *world) { w.removeCommand(command) } }

func removeAll(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.RemoveAll(path))
}

func TestFailures(t *testing.T) {
	tests := []failure{
		// The place.
		{why: "libtorch has no such build", broken: func(w *world) { w.on.goos, w.on.goarch = "darwin", "arm64" },
			says:   "lorabench needs Linux on x86_64 or aarch64, for which libtorch is built, and this is darwin/arm64",
			mended: func(w *world) { w.on.goos = "linux" }},
		{why: "32 bit", broken: func(w *world) { w.on.goarch = "arm" },
			says:   "lorabench needs Linux on x86_64 or aarch64, for which libtorch is built, and this is linux/arm",
			mended: func(w *world) { w.on.goarch = "arm64" }},
		{why: "run from another folder", broken: func(w *world) { w.root = filepath.Join(w.root, "internal") },
			says:   "{root} has no go.mod, so it is not the module's root: run make there, or give -root",
			mended: func(w *world) { w.root = filepath.Dir(w.root) }},
		{why: "cgo refuses its flags", broken: func(w *world) { w.root = filepath.Join(w.dir, "copy (2)"); w.newRoot(w.root) },
			says:   `the checkout is at {root}, and cgo cannot take a path with the character '(': move it, or give a path without it`,
			mended: func(w *world) { w.root = filepath.Join(w.dir, "checkout") }},
		{why: "no place for the cache", broken: set("HOME", ""),
			says: "neither XDG_CACHE_HOME nor HOME is set: set one, so that libtorch has a place to be kept"},
		{why: "the XDG specification asks for absolute paths", broken: set("XDG_CACHE_HOME", "cache"),
			says: `XDG_CACHE_HOME is "cache": it must be an absolute path`},
		{why: "a relative home", broken: set("HOME", "me"),
			says: `HOME is "me": it must be an absolute path, or set XDG_CACHE_HOME`},
		{why: "a cache that cannot be made", broken: func(w *world) { w.set("XDG_CACHE_HOME", filepath.Join(w.root, "go.mod")) },
			says: "cannot make the cache (mkdir {root}/go.mod: not a directory): set XDG_CACHE_HOME to a folder you can write"},
		{why: "a cache that cannot be locked", broken: func(w *world) { require.NoError(w.t, os.MkdirAll(filepath.Join(w.cache, "lock"), 0o755)) },
			says:   "cannot lock the cache {cache} (open {cache}/lock: is a directory): set XDG_CACHE_HOME to a folder you can write",
			mended: func(w *world) { removeAll(w.t, filepath.Join(w.cache, "lock")) }},
		{why: "a path that cgo refuses would only show in the build", broken: func(w *world) { w.set("XDG_CACHE_HOME", filepath.Join(w.dir, "a,b")) },
			says: `the cache is at {dir}/a,b/lorabench/torch-2.11.0-cpu, and cgo cannot take a path with the character ',': move it, or give a path without it`},

		// Go and the compilers.
		{why: "no Go", broken: without("go"), says: "go is not on PATH: install Go 1.26 or newer, and put its bin folder on PATH"},
		{why: "an old Go", broken: set("FAKE_GO_VERSION", "go1.25.4"),
			says: `the Go on PATH is "go1.25.4", and lorabench needs 1.26 or newer: install it, and put its bin folder first on PATH`},
		{why: "something else named go", broken: set("FAKE_GO", "noise"),
			says: "go env gave no JSON (invalid character 'I' looking for beginning of value): check that `go` on PATH is the Go tool"},
		{why: "no C++ compiler", broken: without("g++"),
			says: "the compiler g++ (go env CXX) is not on PATH: install it (apt-get install g++), or set CXX to one that is"},
		{why: "no C compiler, where Go turns cgo off as well", broken: func(w *world) { w.removeCommand("gcc"); w.set("FAKE_CGO", "0") },
			says: "the compiler gcc (go env CC) is not on PATH: install it (apt-get install g++), or set CC to one that is"},
		{why: "the compiler is Go's to choose", broken: set("FAKE_GO_CXX", "clang++-99 -stdlib=libc++"),
			says: "the compiler clang++-99 (go env CXX) is not on PATH: install it (apt-get install g++), or set CXX to one that is"},
		{why: "cgo is off", broken: set("FAKE_CGO", "0"),
			says: "cgo is off (CGO_ENABLED=0), and libtorch is reached through it: unset CGO_ENABLED, or run `go env -u CGO_ENABLED`"},
		{why: "Go refuses it beside go.work", broken: set("FAKE_GOFLAGS", "-mod=mod"),
			says: `GOFLAGS is "-mod=mod", and Go allows no -mod=mod where there is a go.work: take it out`},
		{why: "an old compiler", broken: set("FAKE_CXX", "old"),
			says: "g++ cannot compile C++17 for libtorch (check.cpp:1:10: fatal error: optional: No such file or directory): install g++ 9 or newer (apt-get install g++), or set CXX to it"},

		// gotch.
		{why: "no network for gotch", broken: set("FAKE_GO", "offline"),
			says: "gotch cannot be downloaded (github.com/sugarme/gotch@v0.9.1: dial tcp: lookup proxy: no such host): check the network or set GOPROXY, then run make again"},
		{why: "go mod download fails without JSON", broken: set("FAKE_GO", "silent"),
			says: "gotch cannot be downloaded (exit status 1: go: go.mod is strange): check the network or set GOPROXY, then run make again"},
		{why: "go mod download answers something else", broken: set("FAKE_GO", "nojson"),
			says: "go mod download github.com/sugarme/gotch@v0.9.1 gave no JSON (invalid character 'd' looking for beginning of value): check that `go` on PATH is the Go tool"},
		{why: "go mod download names no folder", broken: set("FAKE_GO", "nowhere"),
			says: "go mod download github.com/sugarme/gotch@v0.9.1 named no folder: run `go clean -modcache` and make again"},
		{why: "a module cache somebody edited", broken: func(w *world) {
			w.write(filepath.Join(os.Getenv("FAKE_GOTCH"), "libtch", "lib.go"), "package libtch\n")
		},
			says:   "libtch/lib.go of gotch v0.9.1 is not the one the patch was written for (sha256 cea2822b): run `go clean -modcache` and make again, or renew the patch in internal/setup/patch.go",
			mended: restoreLibGo},
		{why: "a module cache with a hole", broken: func(w *world) { removeAll(w.t, filepath.Join(os.Getenv("FAKE_GOTCH"), "libtch", "lib.go")) },
			says:   "gotch v0.9.1 has no libtch/lib.go, so its download is damaged: run `go clean -modcache` and make again",
			mended: restoreLibGo},

		// The checkout.
		{why: "go.work needs its go line", broken: func(w *world) { w.write(filepath.Join(w.root, "go.mod"), "module lorabench\n") },
			says:   "go.mod has no go line: restore it from version control",
			mended: func(w *world) { w.newRoot(w.root) }},
		{why: "what is not a link is not ours to remove", broken: func(w *world) { w.write(filepath.Join(w.root, "internal/torch/link/libtorch/lib/x"), "") },
			says:   "cannot link libtorch: {root}/internal/torch/link/libtorch is in the way of a symbolic link: remove it and run make again",
			mended: func(w *world) { removeAll(w.t, filepath.Join(w.root, "internal/torch/link/libtorch")) }},

		// The CUDA helper.
		{why: "a mistake in cuda.cpp", broken: set("FAKE_CXX", "helper"),
			says: "internal/torch/cuda/cuda.cpp does not compile (cuda.cpp:3:1: error: 'cudaFoo' was not declared in this scope): correct it, or use the g++ of a newer system"},
	}
	for _, tt := range tests {
		t.Run(tt.why, tt.test)
	}
}

func restoreLibGo(w *world) {
	w.write(filepath.Join(os.Getenv("FAKE_GOTCH"), "libtch", "lib.go"), w.read("testdata/lib.go.release"))
}

func TestLibtorchFailures(t *testing.T) {
	const remedy = ": set it to the folder with lib/ and include/, or unset it"
	tests := []failure{
		// LIBTORCH is never passed over.
		{why: "LIBTORCH is nowhere", broken: func(w *world) { w.set("LIBTORCH", filepath.Join(w.dir, "none")) },
			says: "LIBTORCH={dir}/none is no libtorch 2.11.x that can be used (lib/libtorch_cpu.so is missing)" + remedy},
		{why: "LIBTORCH is another version", broken: func(w *world) { w.set("LIBTORCH", w.torch("lt", "2.1.0+cu121")) },
			says: "LIBTORCH={dir}/lt is no libtorch 2.11.x that can be used (its version is 2.1.0+cu121)" + remedy},
		{why: "2.110 is not 2.11", broken: func(w *world) { w.set("LIBTORCH", w.torch("lt", "2.110.0")) },
			says: "LIBTORCH={dir}/lt is no libtorch 2.11.x that can be used (its version is 2.110.0)" + remedy},
		{why: "libraries without headers", broken: func(w *world) { w.set("LIBTORCH", w.torch("lt", "2.11.0")); removeAll(w.t, w.dir+"/lt/include") },
			says: "LIBTORCH={dir}/lt is no libtorch 2.11.x that can be used (include/ATen/ATen.h is missing)" + remedy},
		{why: "a broken download", broken: func(w *world) { w.set("LIBTORCH", w.torch("lt", "2.11.0")); w.write(w.dir+"/lt/lib/libc10.so", "") },
			says: "LIBTORCH={dir}/lt is no libtorch 2.11.x that can be used (lib/libc10.so is empty)" + remedy},
		{why: "no version anywhere", broken: func(w *world) { w.set("LIBTORCH", w.torch("lt", "2.11.0")); removeAll(w.t, w.dir+"/lt/version.py") },
			says: "LIBTORCH={dir}/lt is no libtorch 2.11.x that can be used (none of version.py, build-version and include/torch/headeronly/version.h tells its version)" + remedy},
		{why: "a colon parts -rpath", broken: func(w *world) { w.set("LIBTORCH", w.torch("l:t", "2.11.0")) },
			says: "LIBTORCH={dir}/l:t is no libtorch 2.11.x that can be used (libtorch is at {dir}/l:t, and cgo cannot take a path with the character ':': move it, or give a path without it)" + remedy},
		{why: "LIBTORCH does not link", broken: func(w *world) { w.set("LIBTORCH", w.torch("lt", "2.11.0")); w.set("FAKE_CXX", "nolink") },
			says: "LIBTORCH={dir}/lt is no libtorch 2.11.x that can be used (it cannot be linked: /usr/bin/ld: warning: libcudart.so.13, needed by libtorch_cpu.so, not found (try using -rpath or -rpath-link))" + remedy},
		{why: "LIBTORCH does not load", broken: func(w *world) { w.set("LIBTORCH", w.torch("lt", "2.11.0")); w.set("FAKE_CXX", "noload") },
			says: "LIBTORCH={dir}/lt is no libtorch 2.11.x that can be used (it cannot be loaded: exit status 127: probe: version GLIBC_2.99 not found)" + remedy},
		{why: "a cached libtorch on a system too old for it", broken: set("FAKE_CXX", "noload"),
			says: "the libtorch in the cache does not serve (it cannot be loaded: exit status 127: probe: version GLIBC_2.99 not found): remove {cache}/torch-2.11.0-cpu and run make again"},

		// Python and pip.
		{why: "no Python", broken: without("python3"),
			says: "python3 is not on PATH, and its pip is what installs libtorch: install both (apt-get install python3 python3-pip), or set LIBTORCH to a libtorch 2.11.0"},
		{why: "a broken Python", broken: set("FAKE_PYTHON", "broken"),
			says: "python3 does not work (exit status 1: ImportError: no module named encodings): repair it (apt-get install python3 python3-pip), or set LIBTORCH to a libtorch 2.11.0"},
		{why: "no pip", broken: set("FAKE_PIP", "none"),
			says: "python3 has no pip, which is what installs libtorch: install it (apt-get install python3-pip), or set LIBTORCH to a libtorch 2.11.0"},
		{why: "an old Python", broken: set("FAKE_PIP_PYTHON", "3.9"),
			says: "torch 2.11.0 has wheels for Python 3.10 to 3.14, and this is pip 24.0 from /usr/lib/python3/dist-packages/pip (python 3.9): put such a python3 first on PATH, or set LIBTORCH to a libtorch 2.11.0"},
		{why: "a Python newer than the wheels", broken: set("FAKE_PIP_PYTHON", "3.15"),
			says: "torch 2.11.0 has wheels for Python 3.10 to 3.14, and this is pip 24.0 from /usr/lib/python3/dist-packages/pip (python 3.15): put such a python3 first on PATH, or set LIBTORCH to a libtorch 2.11.0"},
		{why: "a 32-bit Python on a 64-bit kernel", broken: set("FAKE_PLATFORM", "linux-i686"),
			says: "python3 is built for linux-i686, and torch 2.11.0 has wheels for linux-x86_64 and linux-aarch64: put such a python3 first on PATH, or set LIBTORCH to a libtorch 2.11.0"},
		{why: "Alpine", broken: set("FAKE_SOABI", "cpython-312-x86_64-linux-musl"),
			says: "this system's C library is musl (python3 is cpython-312-x86_64-linux-musl), and torch 2.11.0 has wheels for glibc only: use a system with glibc, such as Debian"},

		// The installation.
		{why: "no network", broken: set("FAKE_INSTALL", "offline"),
			says: "pip could not install torch 2.11.0 (the package index cannot be reached; No matching distribution found for torch==2.11.0): check the network and run make again, or set LIBTORCH to a libtorch 2.11.0"},
		{why: "a disk that fills up", broken: set("FAKE_INSTALL", "full"),
			says: "pip could not install torch 2.11.0 (Could not install packages due to an OSError: [Errno 28] No space left on device): make room on its disk and run make again, or set LIBTORCH to a libtorch 2.11.0"},
		{why: "pip is killed", broken: set("FAKE_INSTALL", "silent"),
			says: "pip could not install torch 2.11.0 (exit status 137): check the network and run make again, or set LIBTORCH to a libtorch 2.11.0"},
		{why: "pip succeeds at nothing", broken: set("FAKE_INSTALL", "nothing"),
			says: "pip installed torch, but it is not whole (lib/libtorch_cpu.so is missing): run make again, or set LIBTORCH to a libtorch 2.11.0"},
		{why: "a truncated library", broken: set("FAKE_INSTALL", "short"),
			says: "pip installed torch, but it is not whole (lib/libc10.so is empty): run make again, or set LIBTORCH to a libtorch 2.11.0"},
		{why: "an index with another torch under the name", broken: set("FAKE_INSTALL", "version"),
			says: "pip installed torch, but it is not whole (its version is 2.12.0+cu130): run make again, or set LIBTORCH to a libtorch 2.11.0"},
		{why: "a small disk", broken: func(w *world) { w.on.freeBytes = func(string) (uint64, error) { return 1.25e9, nil } },
			says:   "torch 2.11.0 (CPU set, 0.6 GB to download, 1.2 GB on disk) needs 2.5 GB of room while it is installed, and {cache} has 1.2 GB: make room, or set XDG_CACHE_HOME to a folder on a larger disk",
			mended: func(w *world) { w.on.freeBytes = func(string) (uint64, error) { return 2.5e9, nil } }},
		{why: "a disk too small for CUDA", broken: func(w *world) { w.addDriver(); w.on.freeBytes = func(string) (uint64, error) { return 5e9, nil } },
			says:   "torch 2.11.0 with CUDA (about 3 GB to download) needs 10.0 GB of room while it is installed, and {cache} has 5.0 GB: make room, or set XDG_CACHE_HOME to a folder on a larger disk",
			mended: func(w *world) { w.on.freeBytes = func(string) (uint64, error) { return 10e9, nil } }},
		{why: "a file system that does not tell its room", broken: func(w *world) { w.on.freeBytes = func(string) (uint64, error) { return 0, errors.New("stale handle") } },
			says:   "cannot tell the room in the cache {cache}: stale handle",
			mended: func(w *world) { w.on.freeBytes = func(string) (uint64, error) { return 50e9, nil } }},
		{why: "with a GPU the CUDA headers are needed", broken: func(w *world) {
			w.addDriver()
			w.base["LIBTORCH"] = w.torch("lt", "2.11.0+cu130")
			w.set("LIBTORCH", w.base["LIBTORCH"])
			w.set("FAKE_INSTALL", "offline")
		},
			says: "pip could not install the CUDA headers (the package index cannot be reached; No matching distribution found for torch==2.11.0): check the network and run make again, or set LIBTORCH to a libtorch 2.11.0"},
		{why: "CUDA headers with a hole", broken: func(w *world) {
			w.addDriver()
			w.base["LIBTORCH"] = w.torch("lt", "2.11.0+cu130")
			w.set("LIBTORCH", w.base["LIBTORCH"])
			w.set("FAKE_INSTALL", "nothing")
		},
			says: "pip installed the CUDA headers, but they are not whole (cuda_runtime_api.h is missing): run make again"},
		{why: "a libtorch for a CUDA nobody tried", broken: func(w *world) {
			w.addDriver()
			w.set("LIBTORCH", w.torch("lt", "2.11.0+cu140"))
		},
			says: "libtorch 2.11.0+cu140 is built for CUDA 14, and lorabench knows 12 and 13: use the libtorch 2.11.0 of one of these"},
	}
	for _, tt := range tests {
		t.Run(tt.why, tt.test)
	}
}

func TestArguments(t *testing.T) {
	w := newWorld(t)
	status, stdout, stderr := w.run("now")
	require.Equal(t, 2, status)
	require.Empty(t, stdout)
	require.Equal(t, "setup: unexpected argument \"now\": it takes flags only (-root DIR, -v)\n", stderr)

	status, _, stderr = w.run("-now")
	require.Equal(t, 2, status)
	require.Contains(t, stderr, "flag provided but not defined: -now")
	require.Empty(t, w.commands(), "nothing is done for wrong arguments")
}
