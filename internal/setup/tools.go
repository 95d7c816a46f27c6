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
	"strings"
)

// minGo is the oldest Go with what the benchmarks use.
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
	return toolchain{CXX: strings.Fields(env.CXX)}, s.checkCompiler(strings.Fields(env.CXX))
}

// plainGoVersion is the part of GOVERSION that go/version understands: "go1.27" of "devel go1.27-a1b2c3 X:foo".
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

func (s *setup) checkCompiler(cxx []string) error {
	dir, err := os.MkdirTemp("", "lorabench-setup-")
	if err != nil {
		return fmt.Errorf("no folder for temporary files (%w): set TMPDIR to one you can write", err)
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "check.cpp")
	if err := os.WriteFile(source, []byte(cxxCheck), 0o644); err != nil {
		return fmt.Errorf("cannot write a temporary file (%w): set TMPDIR to a folder you can write", err)
	}
	if err := s.compile(cxx, "-std=c++17", "-fsyntax-only", source); err != nil {
		return fmt.Errorf("%s cannot compile C++17 (%w): install g++ 9 or newer (apt-get install g++), or set CXX to it", strings.Join(cxx, " "), err)
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
	dir, err := os.MkdirTemp("", "lorabench-setup-")
	if err != nil {
		return fmt.Errorf("no folder for temporary files (%w): set TMPDIR to one you can write", err)
	}
	defer os.RemoveAll(dir)
	source, program := filepath.Join(dir, "probe.cpp"), filepath.Join(dir, "probe")
	if err := os.WriteFile(source, []byte(probeSource), 0o644); err != nil {
		return fmt.Errorf("cannot write a temporary file (%w): set TMPDIR to a folder you can write", err)
	}
	lib := filepath.Join(lt.Dir, "lib")
	if err := s.compile(tc.CXX, "-std=c++17", source, "-o", program, "-L"+lib, "-ltorch_cpu", "-lc10", "-Wl,-rpath,"+lib); err != nil {
		return fmt.Errorf("it cannot be linked: %w", err)
	}
	if _, err := s.output(dir, nil, program); err != nil {
		return fmt.Errorf("it cannot be loaded: %w", err)
	}
	return nil
}

// errorLine finds the line of a compiler's or linker's output that tells most: the first that names an error.
var errorLine = regexp.MustCompile(`(?im)^.*(error:|cannot find|not found|undefined reference|no such file).*$`)

// compile runs the compiler; the error of one that fails is one line of its output.
func (s *setup) compile(cxx []string, args ...string) error {
	cmd := s.command(cxx[0], append(cxx[1:len(cxx):len(cxx)], args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C") // errorLine reads English
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if line := errorLine.Find(out); line != nil {
		return errors.New(strings.TrimSpace(string(line)))
	}
	if line := oneLine(string(out)); line != "" {
		return errors.New(line)
	}
	return err
}
