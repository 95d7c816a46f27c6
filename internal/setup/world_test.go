package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/cache"
)

// world is a machine made up for a test: a checkout, a home, and commands that are fakes (fake_test.go).
type world struct {
	t       *testing.T
	dir     string // holds all the others
	root    string
	cache   string
	bin     string
	sysroot string
	on      machine
	base    map[string]string // the environment of a healthy machine
}

// newWorld is a healthy machine without a driver whose Python has no torch.
func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "setup-test-") // t.TempDir names it after the test, with characters that cgo refuses
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t, dir: dir, root: filepath.Join(dir, "checkout"), cache: filepath.Join(dir, "home", ".cache", "lorabench"),
		bin: filepath.Join(dir, "bin"), sysroot: filepath.Join(dir, "sys")}
	w.on = machine{goos: "linux", goarch: "amd64", sysroot: w.sysroot, freeBytes: func(string) (uint64, error) { return 50e9, nil }}
	w.newRoot(w.root)
	for _, name := range []string{"python3", "g++", "gcc", "go"} {
		w.addCommand(name)
	}
	gotch := filepath.Join(dir, "modcache", "gotch@v0.9.1")
	release, err := os.ReadFile("testdata/lib.go.release")
	require.NoError(t, err)
	for name, text := range map[string]string{
		"go.mod": "module " + gotchPath + "\n", "LICENSE": "Apache", "README.md": "long", "libtch/lib.go": string(release),
		"libtch/torch_api.cpp": "cpp", "libtch/torch_api.h": "h", "example/main.go": "package main", "gen/gen.go": "package gen",
	} {
		w.write(filepath.Join(gotch, name), text)
	}
	w.base = map[string]string{
		"PATH": w.bin, "HOME": filepath.Join(dir, "home"), "TMPDIR": "", "FAKE_LOG": filepath.Join(dir, "log"), "FAKE_GOTCH": gotch,
		"GORACE": "atexit_sleep_ms=0", // under -race every fake would otherwise take a second to end
	}
	for _, name := range []string{"XDG_CACHE_HOME", "LIBTORCH", "CC", "CXX", "CGO_ENABLED", "CUDA_HOME", "CUDA_PATH", "PYTHONPATH", "PYTHONHOME",
		"FAKE_TORCH", "FAKE_PYTHON", "FAKE_PLATFORM", "FAKE_SOABI", "FAKE_PIP", "FAKE_PIP_PYTHON", "FAKE_INSTALL",
		"FAKE_CXX", "FAKE_CXX_FOR", "FAKE_GO", "FAKE_GO_VERSION", "FAKE_GO_CXX", "FAKE_CGO", "FAKE_GOFLAGS"} {
		w.base[name] = ""
	}
	for name, value := range w.base {
		t.Setenv(name, value)
	}
	return w
}

// newRoot makes a checkout.
func (w *world) newRoot(root string) {
	w.write(filepath.Join(root, "go.mod"), "module lorabench\n\ngo 1.26.0\n")
	w.write(filepath.Join(root, helperSource), "// the CUDA half\n")
}

func (w *world) write(path, text string) {
	w.t.Helper()
	require.NoError(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(w.t, os.WriteFile(path, []byte(text), 0o644))
}

func (w *world) read(path string) string {
	w.t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(w.t, err)
	return string(data)
}

func (w *world) addCommand(name string) {
	w.t.Helper()
	self, err := os.Executable()
	require.NoError(w.t, err)
	require.NoError(w.t, os.MkdirAll(w.bin, 0o755))
	require.NoError(w.t, os.Symlink(self, filepath.Join(w.bin, name)))
}

func (w *world) removeCommand(name string) {
	w.t.Helper()
	require.NoError(w.t, os.Remove(filepath.Join(w.bin, name)))
}

func (w *world) set(name, value string) {
	w.t.Helper()
	require.NoError(w.t, os.Setenv(name, value)) // newWorld's t.Setenv puts it back
}

// mend makes the environment and the commands healthy again.
func (w *world) mend() {
	for name, value := range w.base {
		w.set(name, value)
	}
	for _, name := range []string{"python3", "g++", "gcc", "go"} {
		if _, err := os.Lstat(filepath.Join(w.bin, name)); err != nil {
			w.addCommand(name)
		}
	}
}

// torch makes a torch package and returns its folder.
func (w *world) torch(name, version string) string {
	w.t.Helper()
	dir := filepath.Join(w.dir, name)
	require.NoError(w.t, fakeTorch(dir, version))
	return dir
}

// addDriver gives the machine an NVIDIA driver.
func (w *world) addDriver() { w.write(filepath.Join(w.sysroot, "dev", "nvidia0"), "") }

// run runs the program once.
func (w *world) run(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(append([]string{"-root", w.root}, args...), w.on, &out, &errs)
	return status, out.String(), errs.String()
}

// ready runs the program, which must succeed, and returns what it printed.
func (w *world) ready() string {
	w.t.Helper()
	status, stdout, stderr := w.run()
	require.Empty(w.t, stderr)
	require.Zero(w.t, status, stdout)
	target := w.linked()
	require.FileExists(w.t, filepath.Join(target, "lib", "libtorch_cpu.so"))
	gotch := w.gotch()
	require.Equal(w.t, patchedLibGo(target), w.read(filepath.Join(gotch, "libtch", "lib.go")))
	require.NoError(w.t, cache.Check(gotch))
	for _, leftover := range w.files() {
		require.NotContains(w.t, leftover, ".partial-")
	}
	return stdout
}

// linked is the libtorch that the checkout uses.
func (w *world) linked() string {
	w.t.Helper()
	target, err := os.Readlink(filepath.Join(w.root, "internal", "torch", "link", "libtorch"))
	require.NoError(w.t, err)
	return target
}

// gotch is the copy of gotch that go.work names.
func (w *world) gotch() string {
	w.t.Helper()
	_, path, found := strings.Cut(w.read(filepath.Join(w.root, "go.work")), "=> ")
	require.True(w.t, found)
	return strings.TrimSpace(path)
}

// commands returns what was run since the last call, one command a line, in the words of fake_test.go.
func (w *world) commands() []string {
	w.t.Helper()
	path := filepath.Join(w.dir, "log")
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(w.t, err)
	require.NoError(w.t, os.Remove(path))
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// installs is how often pip was asked to install since the last call of commands.
func (w *world) installs() int {
	w.t.Helper()
	return strings.Count(strings.Join(w.commands(), "\n"), "pip install")
}

// files lists everything in the world, with times and sizes.
func (w *world) files() []string {
	w.t.Helper()
	var all []string
	err := filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		all = append(all, path+" "+info.ModTime().String()+" "+fs.FormatFileInfo(info))
		return nil
	})
	require.NoError(w.t, err)
	return all
}
