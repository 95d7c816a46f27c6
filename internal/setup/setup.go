package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// prepare does nothing if the last run's state still holds; otherwise it goes through everything, with the cache locked.
func (s *setup) prepare() error {
	if err := s.checkPlace(); err != nil {
		return err
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	s.cache = cache
	in := s.inputs()
	st, err := s.readState(in)
	if err == nil {
		s.note("setup: nothing to do: libtorch %s at %s, gotch at %s", st.Libtorch.Version, st.Libtorch.Dir, st.Gotch)
		return nil
	}
	s.note("setup: looking at everything: %v", err)
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
	st, err = s.everything(st, in)
	if err != nil {
		return err
	}
	if err := s.writeState(st); err != nil {
		return err
	}
	if s.acted || s.verbose {
		s.say("setup: libtorch %s at %s (from %s), gotch %s at %s", st.Libtorch.Version, st.Libtorch.Dir, st.Libtorch.Source, gotchVersion, st.Gotch)
	}
	return nil
}

// everything does the work, each step only as far as it is not done, and returns the new state.
func (s *setup) everything(last state, in inputs) (state, error) {
	tc, err := s.checkTools()
	if err != nil {
		return state{}, err
	}
	lt := last.Libtorch
	if !last.keeps(in) {
		if lt, err = s.findLibtorch(tc); err != nil {
			return state{}, err
		}
	}
	gotch, err := s.prepareGotch(lt)
	if err != nil {
		return state{}, err
	}
	if err := s.writeGoWork(gotch); err != nil {
		return state{}, err
	}
	if err := s.linkLibtorch(lt); err != nil {
		return state{}, err
	}
	helper, err := s.buildHelper(tc, lt)
	return state{Inputs: in, Libtorch: lt, Gotch: gotch, Helper: helper}, err
}

// checkPlace refuses a machine or a folder that cannot serve.
func (s *setup) checkPlace() error {
	if s.goos != "linux" || s.goarch != "amd64" && s.goarch != "arm64" {
		return fmt.Errorf("lorabench needs Linux on x86_64 or aarch64, for which libtorch is built, and this is %s/%s", s.goos, s.goarch)
	}
	if _, err := os.Stat(filepath.Join(s.root, "go.mod")); err != nil {
		return fmt.Errorf("%s has no go.mod, so it is not the module's root: run make there, or give -root", s.root)
	}
	return checkCgoPath("the checkout", s.root)
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
