package fakecuda

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"lorabench/internal/cache"
)

// DirEnv names a folder with the stand-in's libraries, built elsewhere for the libtorch at hand, which Dir checks.
const DirEnv = "LORABENCH_FAKECUDA"

// ErrNoCUDA is the error of a libtorch that the stand-in has nothing to stand in for.
var ErrNoCUDA = errors.New("this libtorch has no CUDA half")

// sources embeds the way the libraries are built too, for the key.
//
//go:embed src build.go libraries.go
var sources embed.FS

// driverFile is read in place of /proc/driver/nvidia/version.
const (
	driverFile = "driver-version"
	driverText = "NVRM version: NVIDIA UNIX stand-in Kernel Module  580.95.05\n"
)

var flags = []string{"-O1", "-fPIC", "-std=c++17", "-fvisibility=hidden"}

// setup is what internal/setup leaves in internal/torch/link/setup.json.
type setup struct {
	Libtorch struct {
		Dir, Version string
		Files        map[string]int64 // sizes in bytes
	}
	Headers []string
}

// Dir returns the folder of the libraries, building them in the user's cache if they are not there yet.
var Dir = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv(DirEnv); dir != "" {
		return dir, builtElsewhere(dir)
	}
	s, err := readSetup()
	if err != nil {
		return "", err
	}
	root, err := cache.Dir()
	if err != nil {
		return "", err
	}
	compiler, err := findCompiler()
	if err != nil {
		return "", err
	}
	final := filepath.Join(root, "fakecuda-"+s.key(compiler.version))
	if cache.Check(final) == nil {
		return final, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", fmt.Errorf("cannot make the cache (%w): set XDG_CACHE_HOME to a folder you can write", err)
	}
	unlock, err := cache.Lock(root, func(string) {})
	if err != nil {
		return "", fmt.Errorf("cannot lock the cache %s: %w", root, err)
	}
	defer unlock()
	err = cache.Ensure(final, func(error) {}, func(to string) (map[string]int64, error) {
		if err := s.build(compiler.path, to); err != nil {
			return nil, fmt.Errorf("cannot build the stand-in CUDA runtime: %w", err)
		}
		return cache.AllSizes(to)
	})
	return final, err
})

// readSetup finds the checkout above the working folder and reads what make setup found.
func readSetup() (*setup, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	file := filepath.Join("internal", "torch", "link", "setup.json")
	for ; ; dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("no %s here or above: run make setup in a checkout, or set %s: %w", file, DirEnv, err)
		}
		s := &setup{}
		if err := json.Unmarshal(data, s); err != nil {
			return nil, fmt.Errorf("%s: %w: run make setup", filepath.Join(dir, file), err)
		}
		return s, s.check()
	}
}

func (s *setup) check() error {
	if _, err := os.Stat(filepath.Join(s.Libtorch.Dir, "lib", "libtorch_cuda.so")); err != nil {
		return fmt.Errorf("%w: libtorch %s at %s", ErrNoCUDA, s.Libtorch.Version, s.Libtorch.Dir)
	}
	if len(s.Headers) == 0 {
		return errors.New("make setup found no CUDA headers, which the stand-in is built with: run make setup with a network")
	}
	return nil
}

type compiler struct{ path, version string }

func findCompiler() (compiler, error) {
	name := os.Getenv("CXX")
	if name == "" {
		name = "g++"
	}
	version, err := exec.Command(name, "--version").Output()
	if err != nil {
		return compiler{}, fmt.Errorf("the stand-in needs a C++ compiler, and %s does not run (%w): install g++, or set CXX", name, err)
	}
	return compiler{name, string(version)}, nil
}

// key returns a hash of all that the libraries are made of.
func (s *setup) key(compiler string) string {
	h := sha256.New()
	files, _ := json.Marshal(s.Libtorch.Files) // a map of numbers, sorted
	fmt.Fprintln(h, flags, driverText, compiler, s.Libtorch.Version, string(files))
	for _, dir := range s.Headers {
		fmt.Fprintln(h, dir)
		for _, name := range []string{"cuda.h", "cuda_runtime_api.h", "cublas_api.h"} { // which name their versions
			data, _ := os.ReadFile(filepath.Join(dir, name)) // each folder has some of them
			fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
		}
	}
	for _, name := range append(sourceFiles(), "build.go", "libraries.go") {
		data, _ := sources.ReadFile(name) // embedded
		fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

func sourceFiles() []string {
	var files []string
	_ = fs.WalkDir(sources, "src", func(name string, entry fs.DirEntry, err error) error { // embedded: it cannot fail
		if err == nil && !entry.IsDir() {
			files = append(files, name)
		}
		return err
	})
	return files
}

// build makes all libraries in the folder to. Folder src/NAME has the sources of libNAME.so.
func (s *setup) build(cxx, to string) error {
	libs, err := wanted(filepath.Join(s.Libtorch.Dir, "lib"))
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "fakecuda-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.CopyFS(tmp, sources); err != nil {
		return err
	}
	objects := map[string][]string{} // by folder
	var compile, link []func() error
	for _, name := range sourceFiles() {
		if path.Ext(name) != ".cpp" {
			continue
		}
		source := filepath.Join(tmp, name)
		folder := path.Base(path.Dir(name))
		objects[folder] = append(objects[folder], source+".o")
		args := append([]string{"-c", source, "-o", source + ".o"}, flags...)
		for _, dir := range s.Headers {
			args = append(args, "-isystem", dir)
		}
		compile = append(compile, func() error { return run(cxx, args...) })
	}
	for _, lib := range libs {
		link = append(link, func() error { return lib.link(cxx, tmp, to, objects[lib.folder()]) })
	}
	if err := parallel(compile); err != nil {
		return err
	}
	if err := parallel(link); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, driverFile), []byte(driverText), 0o644)
}

// run runs a command; its error ends in what the command printed.
func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// parallel runs all jobs, as many at a time as there are processors.
func parallel(jobs []func() error) error {
	errs := make([]error, len(jobs))
	places := make(chan struct{}, runtime.NumCPU())
	var all sync.WaitGroup
	for i, job := range jobs {
		places <- struct{}{}
		all.Go(func() {
			errs[i] = job()
			<-places
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
