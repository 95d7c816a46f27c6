package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lorabench/internal/cache"
)

// torchSet is one way to install libtorch.
type torchSet struct {
	name  string   // of its folder in the cache
	what  string   // for people
	room  uint64   // bytes that must be free: what is downloaded, pip's own cache of it, and what it unpacks to
	args  []string // for pip
	needs []string // files without which it is not complete
}

var torchFiles = []string{"torch/version.py", "torch/lib/libtorch.so", "torch/lib/libtorch_cpu.so", "torch/lib/libc10.so"}

// cpuSet is torch and the two libraries that libtorch_cpu.so itself needs. The other dependencies, some 4 GB, are only
// opened where there is a GPU.
var cpuSet = torchSet{
	name: "torch-" + torchVersion + "-cpu",
	what: "torch " + torchVersion + " (CPU set, 0.6 GB to download, 1.2 GB on disk)",
	room: 2_500_000_000,
	args: []string{"--no-deps", "torch==" + torchVersion, "nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85"},
}

var cudaSet = torchSet{
	name:  "torch-" + torchVersion + "-cuda",
	what:  "torch " + torchVersion + " with CUDA (about 3 GB to download)",
	room:  10_000_000_000,
	args:  []string{"torch==" + torchVersion},
	needs: []string{"torch/lib/libtorch_cuda.so", "torch/lib/libc10_cuda.so"},
}

// fromCache returns the libtorch in the cache, installing it if need be. With a driver only the CUDA set will do: a CPU set would silently
// leave the GPU idle.
func (s *setup) fromCache(tc toolchain) (libtorch, error) {
	sets := []torchSet{cpuSet, cudaSet}
	if s.hasDriver() {
		sets = sets[1:]
		s.warnOldDriver()
		if cache.Check(filepath.Join(s.cache, cpuSet.name)) == nil && cache.Check(filepath.Join(s.cache, cudaSet.name)) != nil {
			s.say("libtorch: this machine has an NVIDIA driver, which the CPU set in the cache cannot use")
		}
	}
	for _, set := range sets {
		if dir := filepath.Join(s.cache, set.name); cache.Check(dir) == nil {
			return s.inspectCached(tc, dir)
		}
	}
	dir := filepath.Join(s.cache, sets[0].name)
	err := s.ensureDir(dir, "libtorch", func(partial string) (map[string]int64, error) {
		return s.installTorch(sets[0], dir, partial)
	})
	if err != nil {
		return libtorch{}, err
	}
	return s.inspectCached(tc, dir)
}

func (s *setup) inspectCached(tc toolchain, dir string) (libtorch, error) {
	lt, err := inspect(filepath.Join(dir, "torch"), sourceCache)
	if err == nil {
		err = s.probe(tc, lt)
	}
	if err != nil {
		return libtorch{}, fmt.Errorf("the libtorch in the cache does not serve (%w): remove %s and run make again", err, dir)
	}
	return lt, nil
}

func (s *setup) installTorch(set torchSet, final, partial string) (map[string]int64, error) {
	if err := checkCgoPath("the cache", final); err != nil {
		return nil, err
	}
	p, err := s.findPip()
	if err != nil {
		return nil, err
	}
	if err := s.checkRoom(set.what, set.room); err != nil {
		return nil, err
	}
	s.say("libtorch: installing %s into %s", set.what, final)
	s.say("libtorch: this takes minutes, once")
	if err := s.install(p, "torch "+torchVersion, partial, set.args...); err != nil {
		return nil, err
	}
	if _, err := inspect(filepath.Join(partial, "torch"), sourceCache); err != nil {
		return nil, fmt.Errorf("pip installed torch, but it is not whole (%w): run make again, %s", err, setLibtorch)
	}
	libs, err := filepath.Glob(filepath.Join(partial, "nvidia", "*", "lib", "*.so*"))
	if err != nil {
		return nil, err
	}
	names := slices.Concat(torchFiles, set.needs)
	for _, lib := range libs {
		names = append(names, strings.TrimPrefix(lib, partial+string(os.PathSeparator)))
	}
	files, err := cache.Sizes(partial, names)
	if err != nil {
		return nil, fmt.Errorf("pip installed torch, but it is not whole (%w): run make again, %s", err, setLibtorch)
	}
	return files, nil
}

// checkRoom fails if the cache's file system has less room than need, in bytes.
func (s *setup) checkRoom(what string, need uint64) error {
	free, err := s.freeBytes(s.cache)
	if err != nil {
		return fmt.Errorf("cannot tell the room in the cache %s: %w", s.cache, err)
	}
	if free < need {
		return fmt.Errorf("%s needs %.1f GB of room while it is installed, and %s has %.1f GB: make room, or set XDG_CACHE_HOME to a folder on a larger disk",
			what, float64(need)/1e9, s.cache, float64(free)/1e9)
	}
	return nil
}
