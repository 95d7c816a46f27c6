package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lorabench/internal/cache"
	"lorabench/internal/file"
)

// The CUDA helper is the part of internal/torch that touches CUDA: a shared object built here from internal/torch/cuda, also
// on a machine without CUDA, and opened at run time where there is a GPU.
const (
	helperSource = "internal/torch/cuda/cuda.cpp"
	helperLib    = "liblorabench_cuda.so"

	// helperSkipped is the key where the helper could not be built and cannot be needed.
	helperSkipped = "skipped"
)

// buildHelper builds the CUDA helper, or takes it from the cache, and puts it into the link folder. It returns its key, ""
// where there is nothing to build, and the folders of CUDA's headers.
func (s *setup) buildHelper(tc toolchain, lt libtorch) (string, []string, error) {
	key, err := s.helperKey(lt)
	installed := filepath.Join(s.linkDir(), helperLib)
	if errors.Is(err, fs.ErrNotExist) {
		// One left from another libtorch would be opened at run time.
		if err := os.Remove(installed); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", nil, fmt.Errorf("cannot remove the old %s: %w", installed, err)
		}
		if _, err := os.Stat(filepath.Join(s.root, helperSource)); err == nil {
			s.say("cuda: this libtorch has no CUDA half (%s): training runs on the CPU", lt.Version)
		}
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	final := s.helperDir(key)
	headers, err := s.cudaHeaders(lt)
	if err != nil {
		headers = []string{} // looked for: not again each time
	}
	if cache.Check(final) != nil {
		if err != nil && !s.hasDriver() {
			// Offline, say, with a libtorch of the user's own: no reason to refuse the CPU.
			s.say("cuda: going on without %s, which only a GPU needs (%v)", helperLib, err)
			return helperSkipped, headers, nil
		}
		if err != nil {
			return "", nil, err
		}
		err = s.ensureDir(final, "cuda", func(partial string) (map[string]int64, error) {
			return s.compileHelper(tc, lt, headers, partial)
		})
		if err != nil {
			return "", nil, err
		}
	}
	data, err := os.ReadFile(filepath.Join(final, helperLib))
	if err != nil {
		return "", nil, fmt.Errorf("cannot read the CUDA helper: %w", err)
	}
	if have, err := os.ReadFile(installed); err == nil && bytes.Equal(have, data) {
		return key, headers, nil
	}
	if err := file.Write(installed, data); err != nil {
		return "", nil, fmt.Errorf("cannot write %s: %w", installed, err)
	}
	s.say("cuda: %s", installed)
	return key, headers, nil
}

func (s *setup) compileHelper(tc toolchain, lt libtorch, include []string, to string) (map[string]int64, error) {
	s.say("cuda: building %s", helperLib)
	args := helperFlags(lt.Dir)
	for _, dir := range include {
		args = append(args, "-I"+dir)
	}
	args = append(args, filepath.Join(s.root, helperSource), "-o", filepath.Join(to, helperLib))
	if err := s.compile(tc, append(args, helperLibs(lt.Dir)...)...); err != nil {
		return nil, fmt.Errorf("%s does not compile (%w): correct it, or use the g++ of a newer system", helperSource, err)
	}
	return cache.Sizes(to, []string{helperLib})
}

// checkHelper checks that the helper in the link folder is the one of the last run and still the right one.
func (s *setup) checkHelper(st state) error {
	key, err := s.helperKey(st.Libtorch)
	if errors.Is(err, fs.ErrNotExist) && st.Helper == "" {
		return nil
	}
	if err != nil {
		return err
	}
	if st.Headers == nil {
		return errors.New("CUDA's headers were not looked for")
	}
	for _, dir := range st.Headers {
		if _, err := os.Stat(dir); err != nil {
			return fmt.Errorf("CUDA's headers: %w", err)
		}
	}
	if st.Helper == helperSkipped {
		return nil // a driver would be another input
	}
	if key != st.Helper {
		return errors.New("the CUDA helper is another")
	}
	if err := cache.Check(s.helperDir(key)); err != nil {
		return fmt.Errorf("the CUDA helper: %w", err)
	}
	built, err := os.Stat(filepath.Join(s.helperDir(key), helperLib))
	if err != nil {
		return err
	}
	return cache.CheckSizes(s.linkDir(), map[string]int64{helperLib: built.Size()})
}

func (s *setup) helperDir(key string) string { return filepath.Join(s.cache, "cuda-helper-"+key) }

// helperFlags returns the compiler's flags. The CUDA headers' folder is not among them, since it does not change the outcome.
func helperFlags(torch string) []string {
	return []string{"-shared", "-fPIC", "-O2", "-w", "-std=c++17",
		"-I" + torch + "/include", "-I" + torch + "/include/torch/csrc/api/include"}
}

// helperLibs returns the linker's flags: undefined symbols of libtorch_cuda are allowed, because cuBLAS, cuDNN and the driver are missing
// on a machine without a GPU. libtorch_cuda must be named as needed whether the source uses a symbol of it or not: with --as-needed, the
// default of Debian's and Ubuntu's g++, it is dropped, opening the helper loads no CUDA library, and libtorch sees no GPU.
func helperLibs(torch string) []string {
	return []string{"-L" + torch + "/lib", "-Wl,--no-as-needed", "-ltorch_cuda", "-lc10_cuda", "-lc10", "-ltorch_cpu",
		"-Wl,--allow-shlib-undefined", "-Wl,-rpath," + torch + "/lib"}
}

// helperKey returns a hash of all that the helper is made of. Its error is fs.ErrNotExist if there is no source, or if the libtorch has no
// CUDA half.
func (s *setup) helperKey(lt libtorch) (string, error) {
	if _, err := os.Stat(filepath.Join(lt.Dir, "lib", "libtorch_cuda.so")); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(s.root, helperSource)); err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, lt.Version, strings.Join(slices.Concat(helperFlags(lt.Dir), helperLibs(lt.Dir)), "\n"))
	dir := filepath.Dir(filepath.Join(s.root, helperSource))
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", dir, err)
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return "", fmt.Errorf("cannot read %s: %w", dir, err)
		}
		fmt.Fprintf(h, "%s %d\n", entry.Name(), len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}
