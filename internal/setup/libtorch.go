package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"lorabench/internal/cache"
)

const (
	torchVersion = "2.11.0" // what is installed
	torchSeries  = "2.11."  // what is taken where it is found
)

// libtorch is a libtorch that was found: Dir has lib/ and include/.
type libtorch struct {
	Dir     string           `json:"dir"`
	Version string           `json:"version"` // with the build, such as 2.11.0+cu130
	Source  string           `json:"source"`
	Files   map[string]int64 `json:"files"` // sizes in bytes of its libraries, to notice a change
}

// mainFiles lists what must be there, and not empty, for a folder to be a libtorch.
var mainFiles = []string{
	"lib/libtorch_cpu.so",
	"lib/libc10.so",
	"include/ATen/ATen.h",
	"include/c10/core/Device.h",
	"include/torch/csrc/api/include/torch/torch.h",
}

// Where a libtorch was found.
const (
	sourceEnv    = "LIBTORCH"
	sourcePython = "python3"
	sourceCache  = "the cache"
)

// findLibtorch looks where the user said, in the Python on PATH, in the cache, and then installs.
func (s *setup) findLibtorch(tc toolchain) (libtorch, error) {
	if dir := os.Getenv("LIBTORCH"); dir != "" {
		return s.fromEnv(tc, dir)
	}
	if lt, ok := s.fromPython(tc); ok {
		return lt, nil
	}
	return s.fromCache(tc)
}

// fromEnv uses the libtorch at LIBTORCH or fails: falling back to another would hide the mistake.
func (s *setup) fromEnv(tc toolchain, dir string) (libtorch, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return libtorch{}, fmt.Errorf("LIBTORCH=%s: %w", dir, err)
	}
	lt, err := inspect(abs, sourceEnv)
	if err == nil {
		err = s.probe(tc, lt)
	}
	if err != nil {
		return libtorch{}, fmt.Errorf("LIBTORCH=%s is no libtorch %sx that can be used (%w): set it to the folder with lib/ and include/, or unset it", dir, torchSeries, err)
	}
	return lt, nil
}

// inspect checks that dir is a libtorch of the right version that cgo can be pointed at.
func inspect(dir, source string) (libtorch, error) {
	files, err := cache.Sizes(dir, mainFiles)
	if err != nil {
		return libtorch{}, err
	}
	version, err := versionOf(dir)
	if err != nil {
		return libtorch{}, err
	}
	if !strings.HasPrefix(version, torchSeries) {
		return libtorch{}, fmt.Errorf("its version is %s", version)
	}
	if err := checkCgoPath("libtorch", dir); err != nil {
		return libtorch{}, err
	}
	libs, err := filepath.Glob(filepath.Join(dir, "lib", "*.so*"))
	if err != nil {
		return libtorch{}, err
	}
	for _, lib := range libs {
		if info, err := os.Stat(lib); err == nil { // a dangling link is the probe's business
			files["lib/"+filepath.Base(lib)] = info.Size()
		}
	}
	return libtorch{Dir: dir, Version: version, Source: source, Files: files}, nil
}

// versionFiles hold the version, the most precise first: the wheel's version.py and the zip's build-version name the build (+cu130, +cpu),
// the headers do not.
var versionFiles = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"version.py", regexp.MustCompile(`(?m)^__version__ *= *['"]([^'"]+)['"]`)},
	{"build-version", regexp.MustCompile(`^\s*(\d+\.\S+)\s*$`)},
	{"include/torch/headeronly/version.h", regexp.MustCompile(`define TORCH_VERSION[\s\\]+"([^"]+)"`)},
	{"include/torch/csrc/api/include/torch/version.h", regexp.MustCompile(`define TORCH_VERSION[\s\\]+"([^"]+)"`)},
}

func versionOf(dir string) (string, error) {
	for _, file := range versionFiles {
		data, err := os.ReadFile(filepath.Join(dir, file.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("cannot tell its version: %w", err)
		}
		if m := file.pattern.FindSubmatch(data); m != nil {
			return string(m[1]), nil
		}
	}
	return "", fmt.Errorf("none of version.py, build-version and include/torch/headeronly/version.h tells its version")
}

// findTorch prints where Python would import torch from, without importing it, which takes seconds. The current folder is
// taken off the path: a folder named torch there is not the package.
const findTorch = `import sys
sys.path = [p for p in sys.path if p]
import importlib.util, json, os, sysconfig
spec = importlib.util.find_spec("torch")
where = os.path.dirname(spec.origin) if spec and spec.origin else ""
print(json.dumps({"torch": where, "platform": sysconfig.get_platform(), "soabi": sysconfig.get_config_var("SOABI") or ""}))`

type pythonAnswer struct {
	Torch    string // the folder of the package, or ""
	Platform string // such as linux-x86_64
	SOABI    string // such as cpython-311-x86_64-linux-gnu
}

func (s *setup) askPython() (pythonAnswer, error) {
	var answer pythonAnswer
	out, err := s.output("", nil, "python3", "-c", findTorch)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return answer, fmt.Errorf("unexpected answer %q", oneLine(string(out)))
	}
	return answer, nil
}

// fromPython uses the torch of the Python on PATH. One that does not suit is reported and skipped, since nobody asked for it.
func (s *setup) fromPython(tc toolchain) (libtorch, bool) {
	answer, err := s.askPython()
	if err != nil {
		if !errors.Is(err, exec.ErrNotFound) {
			s.say("libtorch: python3 does not work (%v), looking further", err)
		}
		return libtorch{}, false
	}
	if answer.Torch == "" {
		s.note("libtorch: python3 has no torch, looking further")
		return libtorch{}, false
	}
	lt, err := inspect(answer.Torch, sourcePython)
	if err == nil {
		err = s.probe(tc, lt)
	}
	if err != nil {
		s.say("libtorch: not taking the torch of python3 at %s (%v), looking further", answer.Torch, err)
		return libtorch{}, false
	}
	return lt, true
}
