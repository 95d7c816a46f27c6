package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDriver(t *testing.T) {
	for _, path := range []string{"proc/driver/nvidia/version", "dev/nvidiactl", "dev/nvidia0", "dev/dxg"} {
		t.Run(path, func(t *testing.T) {
			w := newWorld(t)
			w.write(filepath.Join(w.sysroot, path), "")
			w.ready()
			assert.Equal(t, filepath.Join(w.cache, "torch-2.11.0-cuda/torch"), w.linked())
		})
	}
}

// TestNoDriverElsewhere: the variable by which a child of internal/fakecuda sees a driver installs no CUDA set.
func TestNoDriverElsewhere(t *testing.T) {
	w := newWorld(t)
	w.set("LORABENCH_DRIVER", os.Args[0])
	w.ready()
	assert.Equal(t, filepath.Join(w.cache, "torch-2.11.0-cpu/torch"), w.linked())
}

func TestOldDriver(t *testing.T) {
	tests := []struct {
		why, version string
		warns        string // the major version that is too old
	}{
		{"CUDA 12's driver", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n", "535"},
		{"the open kernel module says it otherwise", "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build\n", "575"},
		{"CUDA 13's first driver", "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n", ""},
		{"a newer one", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  1000.1.1\n", ""},
		{"one that does not say", "secret\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			w := newWorld(t)
			w.write(filepath.Join(w.sysroot, driverVersionPath), tt.version)
			stdout := w.ready()
			if tt.warns == "" {
				assert.NotContains(t, stdout, "NVIDIA driver")
				return
			}
			assert.Contains(t, stdout, "libtorch: the NVIDIA driver is "+tt.warns+", and CUDA 13.0 needs 580 or newer: without a newer driver training runs on the CPU\n")
		})
	}
}

func TestDriverAfterCPUSet(t *testing.T) {
	w := newWorld(t)
	w.ready()
	w.addDriver()
	assert.Contains(t, w.ready(), "libtorch: this machine has an NVIDIA driver, which the CPU set in the cache cannot use\n")

	removeAll(t, filepath.Join(w.sysroot, "dev")) // and without it again
	w.ready()
	assert.Equal(t, filepath.Join(w.cache, "torch-2.11.0-cpu/torch"), w.linked())
	removeAll(t, filepath.Join(w.cache, "torch-2.11.0-cpu"))
	w.commands()
	w.ready()
	assert.Equal(t, filepath.Join(w.cache, "torch-2.11.0-cuda/torch"), w.linked(), "the CUDA set serves without a GPU")
	assert.Zero(t, w.installs())
}

func TestCudaMajor(t *testing.T) {
	tests := []struct{ why, version, versionPy, want string }{
		{"a wheel of the default index names it in version.py only", "2.11.0", "cuda: Optional[str] = '12.8'\n", "12"},
		{"a build names it in the version", "2.11.0+cu126", "", "12"},
		{"the version is the more telling", "2.11.0+cu130", "cuda: Optional[str] = '12.8'\n", "13"},
		{"a CPU build", "2.11.0+cpu", "cuda: Optional[str] = None\n", "13"},
		{"a zip from source", "2.11.0a0+gitabc", "", "13"},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			dir := t.TempDir()
			if tt.versionPy != "" {
				require.NoError(t, writeTree(dir, map[string]string{"version.py": tt.versionPy}))
			}
			assert.Equal(t, tt.want, cudaMajor(libtorch{Dir: dir, Version: tt.version}))
		})
	}
}

func TestCudaHeaders(t *testing.T) {
	runtime, crt := "cuda_runtime_api.h", "crt/host_defines.h"
	tests := []struct {
		why      string
		version  string
		files    map[string]string // in the world, where the libtorch is venv/torch
		cudaHome bool
		want     []string // in the world
	}{
		{"all beside torch", "2.11.0+cu130", map[string]string{
			"venv/nvidia/cu13/include/" + runtime: "x", "venv/nvidia/cu13/include/" + crt: "x"}, false,
			[]string{"venv/nvidia/cu13/include"}},
		{"torch's own dependencies lack crt", "2.11.0+cu130", map[string]string{"venv/nvidia/cu13/include/" + runtime: "x"}, false,
			[]string{"home/.cache/lorabench/cuda-headers-13.0/nvidia/cu13/include"}},
		{"CUDA 12 has two folders", "2.11.0+cu128", nil, false,
			[]string{"home/.cache/lorabench/cuda-headers-12.8/nvidia/cuda_runtime/include", "home/.cache/lorabench/cuda-headers-12.8/nvidia/cuda_nvcc/include"}},
		{"a toolkit of the same major version", "2.11.0+cu130", map[string]string{
			"sys/usr/local/cuda/include/cuda.h": "#define CUDA_VERSION 13010\n", "sys/usr/local/cuda/include/" + runtime: "x", "sys/usr/local/cuda/include/" + crt: "x"}, false,
			[]string{"sys/usr/local/cuda/include"}},
		{"CUDA_HOME", "2.11.0+cu128", map[string]string{
			"toolkit/include/cuda.h": "#define CUDA_VERSION 12040\n", "toolkit/include/" + runtime: "x", "toolkit/include/" + crt: "x"}, true,
			[]string{"toolkit/include"}},
		{"a toolkit of another major version has other structures", "2.11.0+cu130", map[string]string{
			"toolkit/include/cuda.h": "#define CUDA_VERSION 12040\n", "toolkit/include/" + runtime: "x", "toolkit/include/" + crt: "x"}, true,
			[]string{"home/.cache/lorabench/cuda-headers-13.0/nvidia/cu13/include"}},
		{"a toolkit without its runtime", "2.11.0+cu130", map[string]string{"toolkit/include/cuda.h": "#define CUDA_VERSION 13000\n"}, true,
			[]string{"home/.cache/lorabench/cuda-headers-13.0/nvidia/cu13/include"}},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			w := newWorld(t)
			w.set("FAKE_TORCH", w.torch("venv/torch", tt.version))
			require.NoError(t, writeTree(w.dir, tt.files))
			if tt.cudaHome {
				w.set("CUDA_HOME", filepath.Join(w.dir, "toolkit"))
			}
			w.ready()
			built := w.read(filepath.Join(w.root, "internal/torch/link", helperLib)) // the fake compiler writes its arguments there
			for _, dir := range tt.want {
				assert.Contains(t, built, "\n-I"+filepath.Join(w.dir, dir)+"\n")
			}
		})
	}
}

func TestHelperWithoutCUDAHalf(t *testing.T) {
	w := newWorld(t)
	w.set("LIBTORCH", w.torch("with", "2.11.0+cu130"))
	w.ready()
	installed := filepath.Join(w.root, "internal/torch/link", helperLib)
	require.FileExists(t, installed)

	w.set("LIBTORCH", w.torch("without", "2.11.0+cpu"))
	removeAll(t, filepath.Join(w.dir, "without/lib/libtorch_cuda.so"))
	assert.Contains(t, w.ready(), "cuda: this libtorch has no CUDA half (2.11.0+cpu): training runs on the CPU\n")
	assert.NoFileExists(t, installed, "it would open the other libtorch")
	w.commands()
	assert.Empty(t, w.ready())
	assert.Empty(t, w.commands())
}

func TestHelperSkippedOffline(t *testing.T) {
	w := newWorld(t)
	w.set("LIBTORCH", w.torch("mine", "2.11.0+cu130"))
	w.removeCommand("python3")
	assert.Contains(t, w.ready(), "cuda: going on without "+helperLib+", which only a GPU needs (python3 is not on PATH,")
	w.commands()
	assert.Empty(t, w.ready(), "not tried again each time")
	assert.Empty(t, w.commands())

	w.mend()
	w.set("LIBTORCH", filepath.Join(w.dir, "mine"))
	w.addDriver()
	w.ready()
	assert.FileExists(t, filepath.Join(w.root, "internal/torch/link", helperLib), "a driver makes it needed")
}
