package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Torch 2.11 has wheels for CPython 3.10 to 3.14.
const oldestPython, newestPython = 10, 14

const setLibtorch = "or set LIBTORCH to a libtorch " + torchVersion

// pip is a pip that can install torch: the command that starts it.
type pip []string

// findPip finds a pip and checks that torch has wheels for its Python.
func (s *setup) findPip() (pip, error) {
	answer, err := s.askPython()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("python3 is not on PATH, and its pip is what installs libtorch: install both (apt-get install python3 python3-pip), " + setLibtorch)
	}
	if err != nil {
		return nil, fmt.Errorf("python3 does not work (%w): repair it (apt-get install python3 python3-pip), %s", err, setLibtorch)
	}
	if answer.Platform != "linux-x86_64" && answer.Platform != "linux-aarch64" {
		return nil, fmt.Errorf("python3 is built for %s, and torch %s has wheels for linux-x86_64 and linux-aarch64: put such a python3 first on PATH, %s", answer.Platform, torchVersion, setLibtorch)
	}
	if strings.Contains(answer.SOABI, "musl") {
		return nil, fmt.Errorf("this system's C library is musl (python3 is %s), and torch %s has wheels for glibc only: use a system with glibc, such as Debian", answer.SOABI, torchVersion)
	}
	var version string
	for _, command := range []pip{{"python3", "-m", "pip"}, {"pip3"}} {
		out, err := s.output("", pipEnv, command[0], slices.Concat(command[1:], pip{"--version"})...)
		if err != nil {
			continue
		}
		version = oneLine(string(out))
		if m := pipPython.FindStringSubmatch(version); m != nil {
			if minor, err := strconv.Atoi(m[2]); err == nil && m[1] == "3" && minor >= oldestPython && minor <= newestPython {
				return command, nil
			}
		}
	}
	if version == "" {
		return nil, fmt.Errorf("python3 has no pip, which is what installs libtorch: install it (apt-get install python3-pip), %s", setLibtorch)
	}
	return nil, fmt.Errorf("torch %s has wheels for Python 3.%d to 3.%d, and this is %s: put such a python3 first on PATH, %s",
		torchVersion, oldestPython, newestPython, version, setLibtorch)
}

// pipPython is in what pip --version prints: pip 23.2.1 from /usr/lib/python3/dist-packages/pip (python 3.11).
var pipPython = regexp.MustCompile(`\(python (\d+)\.(\d+)\w*\)`)

// pipEnv undoes user settings that conflict with --target: pip refuses --user and a virtual environment it is told to require.
var pipEnv = []string{"PIP_USER=0", "PIP_REQUIRE_VIRTUALENV=0", "PIP_ROOT_USER_ACTION=ignore"}

// install puts packages into dir. Compiled wheels only: nothing is to be built here. No byte code: nothing is run.
func (s *setup) install(p pip, what, dir string, args ...string) error {
	tmp := dir + "-tmp" // pip unpacks there, and /tmp is often small or in memory
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %w", tmp, err)
	}
	defer os.RemoveAll(tmp)
	flags := []string{"install", "--no-input", "--disable-pip-version-check", "--no-warn-script-location", "--no-compile",
		"--progress-bar=off", "--only-binary=:all:", "--target", dir}
	cmd := s.command(p[0], slices.Concat(p[1:], flags, args)...)
	cmd.Env = append(append(os.Environ(), pipEnv...), "TMPDIR="+tmp)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	stop := s.showGrowth(what, dir, tmp)
	err := cmd.Run()
	stop()
	if err == nil {
		return nil
	}
	text, remedy := pipError(out.String(), err), "check the network"
	if strings.Contains(text, "[Errno 28]") {
		remedy = "make room on its disk"
	}
	return fmt.Errorf("pip could not install %s (%s): %s and run make again, %s", what, text, remedy, setLibtorch)
}

// pipError returns what pip's output says went wrong. Without a network pip's last line says only that there is no such package, so its
// retries tell the two apart.
func pipError(output string, err error) string {
	last := oneLine(output)
	for line := range strings.Lines(output) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "ERROR: "); ok {
			last = text
		}
	}
	if last == "" {
		last = err.Error()
	}
	if strings.Contains(output, "Retrying (Retry(") || strings.Contains(output, "Max retries exceeded") {
		last = "the package index cannot be reached; " + last
	}
	return last
}

// showGrowth prints every half minute how much there is, so that a long download does not look like a hang.
func (s *setup) showGrowth(what string, dirs ...string) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(30 * time.Second); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
				s.say("%s: %.1f GB so far", what, float64(sizeOf(dirs))/1e9)
			}
		}
	}()
	return func() { close(done); <-stopped }
}

// sizeOf returns the size in bytes of all files in dirs, which may change meanwhile.
func sizeOf(dirs []string) int64 {
	var sum int64
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return nil
			}
			if info, err := entry.Info(); err == nil {
				sum += info.Size()
			}
			return nil
		})
	}
	return sum
}
