package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The test program stands in for the commands that set-up runs: under their names it does what they would, with what the
// FAKE_ variables say goes wrong. Under the name setup it is set-up itself, for tests that have to kill it.
func TestMain(m *testing.M) {
	args := os.Args[1:]
	switch name := filepath.Base(os.Args[0]); name {
	case "python3", "pip3", "g++", "gcc", "go":
		if err := fake(name, args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case "setup":
		on := machine{goos: "linux", goarch: "amd64", sysroot: "/nowhere", freeBytes: func(string) (uint64, error) { return 50e9, nil }}
		os.Exit(run(args, on, os.Stdout, os.Stderr))
	default:
		os.Exit(m.Run())
	}
}

func fake(name string, args []string) error {
	switch {
	case name == "python3" && args[0] == "-c":
		logCommand("python3 -c")
		return fakePython()
	case name == "python3":
		return fakePip("python3 -m pip", args[2:])
	case name == "pip3":
		return fakePip("pip3", args)
	case name == "go":
		logCommand("go " + args[0])
		return fakeGo(args)
	}
	return fakeCompiler(name, args)
}

func logCommand(line string) {
	f, err := os.OpenFile(os.Getenv("FAKE_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		fmt.Fprintln(f, line)
		f.Close()
	}
}

func or(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func fakePython() error {
	if os.Getenv("FAKE_PYTHON") == "broken" {
		return fmt.Errorf("Traceback\nImportError: no module named encodings")
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]string{"torch": os.Getenv("FAKE_TORCH"),
		"platform": or("FAKE_PLATFORM", "linux-x86_64"), "soabi": or("FAKE_SOABI", "cpython-311-x86_64-linux-gnu")})
}

func fakePip(command string, args []string) error {
	logCommand(command + " " + args[0])
	if os.Getenv("FAKE_PIP") == "none" && command != "pip3" {
		return fmt.Errorf("/usr/bin/python3: No module named pip")
	}
	if args[0] == "--version" {
		fmt.Printf("pip 24.0 from /usr/lib/python3/dist-packages/pip (python %s)\n", or("FAKE_PIP_PYTHON", "3.11"))
		return nil
	}
	dir := args[slices.Index(args, "--target")+1]
	tmp := os.Getenv("TMPDIR")
	if !strings.HasPrefix(tmp, filepath.Dir(dir)) {
		return fmt.Errorf("ERROR: TMPDIR %q is not in the cache", tmp)
	}
	switch os.Getenv("FAKE_INSTALL") {
	case "offline":
		return fmt.Errorf("WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken\n" +
			"ERROR: Could not find a version that satisfies the requirement torch==2.11.0 (from versions: none)\n" +
			"ERROR: No matching distribution found for torch==2.11.0\n")
	case "full":
		_ = os.WriteFile(filepath.Join(dir, "half"), []byte("half"), 0o644)
		return fmt.Errorf("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n\n[notice] A new release")
	case "silent":
		os.Exit(137)
	case "nothing":
		return nil
	case "hang":
		_ = os.WriteFile(filepath.Join(dir, "pid"), fmt.Append(nil, os.Getpid()), 0o644)
		time.Sleep(time.Hour)
	}
	return fakeInstall(dir, args)
}

// fakeInstall unpacks the wheels that args name.
func fakeInstall(dir string, args []string) error {
	files := map[string]string{}
	for _, arg := range args {
		name, _, _ := strings.Cut(arg, "==")
		switch name {
		case "torch":
			version := "2.11.0+cu130"
			if os.Getenv("FAKE_INSTALL") == "version" {
				version = "2.12.0+cu130"
			}
			if err := fakeTorch(filepath.Join(dir, "torch"), version); err != nil {
				return err
			}
			if !slices.Contains(args, "--no-deps") {
				files["nvidia/cu13/lib/libcublas.so.13"] = "cublas"
			}
			if os.Getenv("FAKE_INSTALL") == "short" {
				return os.Truncate(filepath.Join(dir, "torch", "lib", "libc10.so"), 0)
			}
		case "nvidia-cuda-runtime":
			files["nvidia/cu13/lib/libcudart.so.13"] = "cudart"
			files["nvidia/cu13/include/cuda_runtime_api.h"] = "api"
		case "nvidia-cuda-cupti":
			files["nvidia/cu13/lib/libcupti.so.13"] = "cupti"
		case "nvidia-cuda-crt":
			files["nvidia/cu13/include/crt/host_defines.h"] = "crt"
		case "nvidia-cuda-runtime-cu12":
			files["nvidia/cuda_runtime/include/cuda_runtime_api.h"] = "api"
		case "nvidia-cuda-nvcc-cu12":
			files["nvidia/cuda_nvcc/include/crt/host_defines.h"] = "crt"
		}
	}
	return writeTree(dir, files)
}

// fakeTorch makes a torch package at dir.
func fakeTorch(dir, version string) error {
	return writeTree(dir, map[string]string{
		"version.py":                                   "__version__ = '" + version + "'\ncuda: Optional[str] = '13.0'\n",
		"lib/libtorch.so":                              "torch",
		"lib/libtorch_cpu.so":                          "cpu " + version,
		"lib/libc10.so":                                "c10",
		"lib/libtorch_cuda.so":                         "cuda",
		"lib/libc10_cuda.so":                           "c10 cuda",
		"include/ATen/ATen.h":                          "aten",
		"include/c10/core/Device.h":                    "device",
		"include/torch/csrc/api/include/torch/torch.h": "torch",
	})
}

func writeTree(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func fakeGo(args []string) error {
	if args[0] == "env" {
		if os.Getenv("FAKE_GO") == "noise" {
			fmt.Println("I am another go")
			return nil
		}
		return json.NewEncoder(os.Stdout).Encode(map[string]string{"GOVERSION": or("FAKE_GO_VERSION", "go1.26.8"),
			"CGO_ENABLED": or("FAKE_CGO", "1"), "CC": "gcc", "CXX": or("FAKE_GO_CXX", "g++"), "GOFLAGS": os.Getenv("FAKE_GOFLAGS")})
	}
	answer := map[string]string{"Dir": os.Getenv("FAKE_GOTCH"), "Sum": "h1:sum"}
	switch os.Getenv("FAKE_GO") {
	case "offline":
		answer = map[string]string{"Error": "github.com/sugarme/gotch@v0.9.1: dial tcp: lookup proxy: no such host"}
	case "silent":
		return fmt.Errorf("go: go.mod is strange")
	case "nowhere":
		answer = map[string]string{}
	case "nojson":
		fmt.Println("done")
		return nil
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil || answer["Error"] == "" {
		return err
	}
	return fmt.Errorf("exit")
}

func fakeCompiler(name string, args []string) error {
	wrong := os.Getenv("FAKE_CXX")
	out := ""
	if i := slices.Index(args, "-o"); i >= 0 {
		out = args[i+1]
	}
	switch {
	case slices.Contains(args, "-fsyntax-only"):
		logCommand(name + " check")
		if wrong == "old" {
			return fmt.Errorf("check.cpp:1:10: fatal error: optional: No such file or directory\ncompilation terminated.")
		}
		return nil
	case slices.Contains(args, "-shared"):
		logCommand(name + " helper")
		if wrong == "helper" {
			return fmt.Errorf("In file included from x:\ncuda.cpp:3:1: error: 'cudaFoo' was not declared in this scope\n  3 | cudaFoo();")
		}
		source, err := os.ReadFile(args[slices.Index(args, "-o")-1])
		if err != nil {
			return err
		}
		return os.WriteFile(out, append(source, strings.Join(args, "\n")...), 0o755)
	}
	logCommand(name + " probe")
	lib := args[slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-L") })]
	if only := os.Getenv("FAKE_CXX_FOR"); only != "" && !strings.Contains(lib, only) {
		wrong = ""
	}
	script := "#!/bin/sh\nexit 0\n"
	switch wrong {
	case "nolink":
		return fmt.Errorf("/usr/bin/ld: warning: libcudart.so.13, needed by libtorch_cpu.so, not found (try using -rpath or -rpath-link)\n" +
			"/usr/bin/ld: libtorch_cpu.so: undefined reference to `cudaFree'\ncollect2: error: ld returned 1 exit status")
	case "noload":
		script = "#!/bin/sh\necho 'probe: version GLIBC_2.99 not found' >&2\nexit 127\n"
	}
	return os.WriteFile(out, []byte(script), 0o755)
}
