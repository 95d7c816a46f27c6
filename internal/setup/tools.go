package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// minGo is the oldest Go that has what the benchmarks use.
const minGo = "go1.26"

// toolchain is what compiles C++: the compiler cgo will use, as a command with its first arguments.
type toolchain struct{ CXX []string }

// checkTools checks that Go and a C++ compiler are there and that cgo is on.
func (s *setup) checkTools() (toolchain, error) {
	var none toolchain
	out, err := s.output(s.root, []string{"GOWORK=off"}, "go", "env", "-json", "GOVERSION", "CGO_ENABLED", "CC", "CXX", "GOFLAGS")
	if errors.Is(err, exec.ErrNotFound) {
		return none, errors.New("go is not on PATH: install Go 1.26 or newer, and put its bin folder on PATH")
	}
	if err != nil {
		return none, fmt.Errorf("go env does not work (%w): check the Go installation", err)
	}
	var env struct{ GOVERSION, CGO_ENABLED, CC, CXX, GOFLAGS string }
	if err := json.Unmarshal(out, &env); err != nil {
		return none, fmt.Errorf("go env gave no JSON (%w): check that `go` on PATH is the Go tool", err)
	}
	if v := plainGoVersion(env.GOVERSION); version.Compare(v, minGo) < 0 {
		return none, fmt.Errorf("the Go on PATH is %q, and lorabench needs 1.26 or newer: install it, and put its bin folder first on PATH", env.GOVERSION)
	}
	// Before CGO_ENABLED, which Go itself turns off where it finds no C compiler.
	for _, compiler := range []struct{ name, command string }{{"CC", env.CC}, {"CXX", env.CXX}} {
		fields := strings.Fields(compiler.command)
		if len(fields) == 0 {
			return none, fmt.Errorf("go env names no %s: run `go env -u %s`", compiler.name, compiler.name)
		}
		if _, err := exec.LookPath(fields[0]); err != nil {
			return none, fmt.Errorf("the compiler %s (go env %s) is not on PATH: install it (apt-get install g++), or set %s to one that is", fields[0], compiler.name, compiler.name)
		}
	}
	if env.CGO_ENABLED != "1" {
		return none, fmt.Errorf("cgo is off (CGO_ENABLED=%s), and libtorch is reached through it: unset CGO_ENABLED, or run `go env -u CGO_ENABLED`", env.CGO_ENABLED)
	}
	if strings.Contains(env.GOFLAGS, "-mod=mod") {
		return none, fmt.Errorf("GOFLAGS is %q, and Go allows no -mod=mod where there is a go.work: take it out", env.GOFLAGS)
	}
	tc := toolchain{CXX: strings.Fields(env.CXX)}
	return tc, s.checkCompiler(tc)
}

// plainGoVersion returns the part of GOVERSION that go/version understands: "go1.27" of "devel go1.27-a1b2c3 X:foo".
func plainGoVersion(v string) string {
	v = strings.TrimPrefix(v, "devel ")
	v, _, _ = strings.Cut(v, " ")
	v, _, _ = strings.Cut(v, "-")
	return v
}

// cxxCheck is the least that libtorch's headers ask of a compiler (c10/util/C++17.h).
const cxxCheck = `#include <optional>
#if __cplusplus < 201703L
#error no C++17
#endif
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 9
#error g++ is older than 9
#endif
std::optional<int> lorabench;
`

func (s *setup) checkCompiler(tc toolchain) error {
	source, clean, err := s.scratch("check.cpp", cxxCheck)
	if err != nil {
		return err
	}
	defer clean()
	if err := s.compile(tc, "-std=c++17", "-fsyntax-only", source); err != nil {
		return fmt.Errorf("%s cannot compile C++17 for libtorch (%w): install g++ 9 or newer (apt-get install g++), or set CXX to it", strings.Join(tc.CXX, " "), err)
	}
	return nil
}

// probeSource asks libtorch_cpu for one thing, without its headers, so that a failure is one of linking or loading.
const probeSource = `namespace at { int get_num_threads(); }
int main() { return at::get_num_threads() < 1; }
`

// probe links a small program with the libtorch and runs it. It finds, here and in one sentence, what would otherwise be
// pages from the linker at the end of the first build: a missing libcudart, another machine's libraries, an older glibc.
func (s *setup) probe(tc toolchain, lt libtorch) error {
	source, clean, err := s.scratch("probe.cpp", probeSource)
	if err != nil {
		return err
	}
	defer clean()
	lib, program := filepath.Join(lt.Dir, "lib"), strings.TrimSuffix(source, ".cpp")
	if err := s.compile(tc, "-std=c++17", source, "-o", program, "-L"+lib, "-ltorch_cpu", "-lc10", "-Wl,-rpath,"+lib); err != nil {
		return fmt.Errorf("it cannot be linked: %w", err)
	}
	if _, err := s.output("", nil, program); err != nil {
		return fmt.Errorf("it cannot be loaded: %w", err)
	}
	return nil
}

// scratch writes a source file into a folder of its own in the cache, since programs may not be run from every /tmp.
func (s *setup) scratch(name, text string) (path string, clean func(), err error) {
	dir, err := os.MkdirTemp(s.cache, "probe.partial-")
	if err == nil {
		path = filepath.Join(dir, name)
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		return "", nil, fmt.Errorf("cannot write into the cache (%w): set XDG_CACHE_HOME to a folder you can write", err)
	}
	return path, func() { os.RemoveAll(dir) }, nil
}

var errorWords = regexp.MustCompile(`(?i)error|cannot find|not found|not recognized|undefined reference|no such file`)

// errorLine returns the most precise line of a compiler's or linker's output: the first that names an error, but not collect2's, which
// only says that there was one.
func errorLine(output string) string {
	for line := range strings.Lines(output) {
		if errorWords.MatchString(line) && !strings.HasPrefix(line, "collect2:") {
			return strings.TrimSpace(line)
		}
	}
	return oneLine(output)
}

// compile runs the compiler; the error of one that fails is one line of its output.
func (s *setup) compile(tc toolchain, args ...string) error {
	cmd := s.command(tc.CXX[0], slices.Concat(tc.CXX[1:], args)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // for errorLine
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if line := errorLine(string(out)); line != "" {
		return errors.New(line)
	}
	return err
}
