package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"lorabench/internal/cache"
)

// cudaHeaderSet says where the runtime headers of one major version of CUDA come from. They must be of libtorch's own major version:
// cudaDeviceProp, for one, has another layout in each.
type cudaHeaderSet struct {
	name     string   // of the folder in the cache
	packages []string // small wheels; the compiler's (crt, nvcc) has the folder crt/, which the runtime's headers include
	include  []string // in the folder, or beside torch
}

var cudaHeaderSets = map[string]cudaHeaderSet{
	"12": {
		name:     "cuda-headers-12.8",
		packages: []string{"nvidia-cuda-runtime-cu12==12.8.90", "nvidia-cuda-nvcc-cu12==12.8.93"},
		include:  []string{"nvidia/cuda_runtime/include", "nvidia/cuda_nvcc/include"},
	},
	"13": {
		name:     "cuda-headers-13.0",
		packages: []string{"nvidia-cuda-runtime==13.0.96", "nvidia-cuda-crt==13.0.88"},
		include:  []string{"nvidia/cu13/include"},
	},
}

// headerFiles lists what c10's and ATen's CUDA headers include, one of each wheel.
var headerFiles = []string{"cuda_runtime_api.h", "crt/host_defines.h"}

var (
	cudaOfBuild   = regexp.MustCompile(`\+cu(\d\d)\d$`)
	cudaOfPython  = regexp.MustCompile(`(?m)^cuda\b[^=\n]*= *['"](\d+)\.`)
	cudaOfToolkit = regexp.MustCompile(`(?m)^#define CUDA_VERSION (\d+)\d{3}\b`)
)

// cudaMajor returns the major version of CUDA that the libtorch was built for, as far as it says.
func cudaMajor(lt libtorch) string {
	if m := cudaOfBuild.FindStringSubmatch(lt.Version); m != nil {
		return m[1]
	}
	if data, err := os.ReadFile(filepath.Join(lt.Dir, "version.py")); err == nil {
		if m := cudaOfPython.FindSubmatch(data); m != nil {
			return string(m[1])
		}
	}
	return "13" // a source build that does not say: the version that torch 2.11 is released for
}

// cudaHeaders returns the include folders with CUDA's runtime headers: those beside torch if they are all there, a CUDA
// toolkit's, or two small wheels in the cache.
func (s *setup) cudaHeaders(lt libtorch) ([]string, error) {
	major := cudaMajor(lt)
	set, ok := cudaHeaderSets[major]
	if !ok {
		return nil, fmt.Errorf("libtorch %s is built for CUDA %s, and lorabench knows 12 and 13: use the libtorch %s of one of these", lt.Version, major, torchVersion)
	}
	if dirs, err := set.in(filepath.Dir(lt.Dir)); err == nil {
		return dirs, nil
	}
	for _, toolkit := range []string{os.Getenv("CUDA_HOME"), os.Getenv("CUDA_PATH"), filepath.Join(s.sysroot, "usr/local/cuda")} {
		include := filepath.Join(toolkit, "include")
		data, err := os.ReadFile(filepath.Join(include, "cuda.h"))
		if err != nil || toolkit == "" {
			continue
		}
		if m := cudaOfToolkit.FindSubmatch(data); m == nil || string(m[1]) != major {
			continue
		}
		if _, err := cache.Sizes(include, headerFiles); err == nil {
			return []string{include}, nil
		}
	}
	final := filepath.Join(s.cache, set.name)
	err := s.ensureDir(final, "cuda", func(partial string) (map[string]int64, error) { return s.installHeaders(set, final, partial) })
	if err != nil {
		return nil, err
	}
	return set.in(final)
}

// in returns the set's include folders in dir if all of headerFiles are there.
func (set cudaHeaderSet) in(dir string) ([]string, error) {
	_, err := set.files(dir)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, include := range set.include {
		dirs = append(dirs, filepath.Join(dir, include))
	}
	return dirs, nil
}

// files lists headerFiles in dir with their sizes in bytes.
func (set cudaHeaderSet) files(dir string) (map[string]int64, error) {
	files := map[string]int64{}
	for _, name := range headerFiles {
		found := false
		for _, include := range set.include {
			info, err := os.Stat(filepath.Join(dir, include, name))
			if err == nil && info.Size() > 0 {
				files[filepath.Join(include, name)] = info.Size()
				found = true
			}
		}
		if !found {
			return nil, fmt.Errorf("%s is missing", name)
		}
	}
	return files, nil
}

func (s *setup) installHeaders(set cudaHeaderSet, final, partial string) (map[string]int64, error) {
	p, err := s.findPip()
	if err != nil {
		return nil, err
	}
	if err := s.checkRoom("the CUDA headers", 500_000_000); err != nil {
		return nil, err
	}
	s.say("cuda: installing CUDA's headers into %s", final)
	if err := s.install(p, "the CUDA headers", partial, append([]string{"--no-deps"}, set.packages...)...); err != nil {
		return nil, err
	}
	files, err := set.files(partial)
	if err != nil {
		return nil, fmt.Errorf("pip installed the CUDA headers, but they are not whole (%w): run make again", err)
	}
	return files, nil
}
