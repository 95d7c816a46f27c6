package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// machine is what the program asks of the machine besides its files, environment and commands. Tests give their own.
type machine struct {
	goos, goarch string
	sysroot      string // before the paths under /proc and /dev that tell of a driver
	freeBytes    func(dir string) (uint64, error)
}

type setup struct {
	machine
	root    string // of the module
	cache   string
	stdout  io.Writer
	verbose bool
	acted   bool // whether anything was said, hence done
}

// prepare does the whole work.
func (s *setup) prepare() error {
	if err := s.checkPlatform(); err != nil {
		return err
	}
	if err := checkCgoPath("the checkout", s.root); err != nil {
		return err
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	s.cache = cache
	in := s.inputs()
	if st, err := s.readState(in); err == nil {
		s.note("setup: nothing to do: libtorch %s at %s, gotch at %s", st.Libtorch.Version, st.Libtorch.Dir, st.Gotch)
		return nil
	}
	if err := os.MkdirAll(s.cache, 0o755); err != nil {
		return fmt.Errorf("cannot make the cache (%w): set XDG_CACHE_HOME to a folder you can write", err)
	}
	unlock, err := lockFile(filepath.Join(s.cache, "lock"), func() {
		s.say("setup: waiting for another set-up that is at work in %s", s.cache)
	})
	if err != nil {
		return fmt.Errorf("cannot lock the cache %s (%w): set XDG_CACHE_HOME to a folder you can write", s.cache, err)
	}
	defer unlock()
	if err := s.removeStale(); err != nil {
		return err
	}

	tc, err := s.checkTools()
	if err != nil {
		return err
	}
	lt, err := s.findLibtorch(tc)
	if err != nil {
		return err
	}
	gotch, err := s.prepareGotch(lt)
	if err != nil {
		return err
	}
	if err := s.writeGoWork(gotch); err != nil {
		return err
	}
	if err := s.linkLibtorch(lt); err != nil {
		return err
	}
	helper, err := s.buildHelper(tc, lt)
	if err != nil {
		return err
	}
	if err := s.writeState(state{Inputs: in, Libtorch: lt, Gotch: gotch, Helper: helper}); err != nil {
		return err
	}
	if s.acted || s.verbose {
		s.say("setup: libtorch %s at %s (from %s), gotch %s at %s", lt.Version, lt.Dir, lt.Source, gotchVersion, gotch)
	}
	return nil
}

func (s *setup) checkPlatform() error {
	if s.goos != "linux" || s.goarch != "amd64" && s.goarch != "arm64" {
		return fmt.Errorf("lorabench needs Linux on x86_64 or aarch64, for which libtorch is built, and this is %s/%s", s.goos, s.goarch)
	}
	return nil
}

// cacheDir is where everything large lives, shared by all checkouts of one user.
func cacheDir() (string, error) {
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		if !filepath.IsAbs(dir) {
			return "", fmt.Errorf("XDG_CACHE_HOME is %q: it must be an absolute path", dir)
		}
		return filepath.Join(dir, "lorabench"), nil
	}
	if dir := os.Getenv("HOME"); dir != "" {
		if !filepath.IsAbs(dir) {
			return "", fmt.Errorf("HOME is %q: it must be an absolute path, or set XDG_CACHE_HOME", dir)
		}
		return filepath.Join(dir, ".cache", "lorabench"), nil
	}
	return "", errors.New("neither XDG_CACHE_HOME nor HOME is set: set one, so that libtorch has a place to be kept")
}

func (s *setup) linkDir() string { return filepath.Join(s.root, "internal", "torch", "link") }

func (s *setup) linkLibtorch(lt libtorch) error {
	path := filepath.Join(s.linkDir(), "libtorch")
	changed, err := link(path, lt.Dir)
	if err != nil {
		return fmt.Errorf("cannot link libtorch: %w", err)
	}
	if changed {
		s.say("link: %s is %s", path, lt.Dir)
	}
	return nil
}

// say reports something done.
func (s *setup) say(format string, args ...any) {
	s.acted = true
	fmt.Fprintf(s.stdout, format+"\n", args...)
}

// note reports what only -v wants to know.
func (s *setup) note(format string, args ...any) {
	if s.verbose {
		fmt.Fprintf(s.stdout, format+"\n", args...)
	}
}

// command is a command that ends with this program; -v shows it.
func (s *setup) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = dieTogether()
	line, rest, more := strings.Cut(strings.Join(cmd.Args, " "), "\n")
	if more {
		line = fmt.Sprintf("%s ... (%d more bytes)", line, len(rest))
	}
	s.note("+ %s", line)
	return cmd
}

// output runs a command in dir and returns its stdout. The error of a command that fails ends in the last line it wrote.
func (s *setup) output(dir string, env []string, name string, args ...string) ([]byte, error) {
	cmd := s.command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if last := oneLine(stderr.String()); last != "" {
			err = fmt.Errorf("%w: %s", err, last)
		}
	}
	return stdout.Bytes(), err
}

// oneLine is the last line of a command's output that says something.
func oneLine(output string) string {
	last := ""
	for line := range strings.Lines(output) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	return last
}
