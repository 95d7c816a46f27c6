package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"lorabench/internal/cache"
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
	dir, err := cache.Dir()
	if err != nil {
		return err
	}
	s.cache = dir
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
	unlock, err := cache.Lock(s.cache, func(holder string) {
		s.say("setup: waiting for another set-up, %s, that is at work in %s", holder, s.cache)
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
	helper, headers, err := s.buildHelper(tc, lt)
	return state{Inputs: in, Libtorch: lt, Gotch: gotch, Helper: helper, Headers: headers}, err
}

// checkPlace refuses an unsupported machine or a wrong folder.
func (s *setup) checkPlace() error {
	if s.goos != "linux" || s.goarch != "amd64" && s.goarch != "arm64" {
		return fmt.Errorf("lorabench needs Linux on x86_64 or aarch64, for which libtorch is built, and this is %s/%s", s.goos, s.goarch)
	}
	if _, err := os.Stat(filepath.Join(s.root, "go.mod")); err != nil {
		return fmt.Errorf("%s has no go.mod, so it is not the module's root: run make there, or give -root", s.root)
	}
	return checkCgoPath("the checkout", s.root)
}

// removeStale removes every partial folder. It is called with the cache's lock newly taken, when nobody can be at work in
// one; so no process id has to be trusted, which in a container is soon somebody else's.
func (s *setup) removeStale() error {
	entries, err := os.ReadDir(s.cache)
	if err != nil {
		return fmt.Errorf("cannot read the cache: %w", err)
	}
	for _, entry := range entries {
		if !strings.Contains(entry.Name(), ".partial-") {
			continue
		}
		path := filepath.Join(s.cache, entry.Name())
		s.say("cache: removing %s, left by a run that was stopped", path)
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("cannot remove %s: %w", path, err)
		}
	}
	return nil
}

// ensureDir is cache.Ensure that reports a damaged folder.
func (s *setup) ensureDir(final, what string, build func(partial string) (map[string]int64, error)) error {
	damaged := func(err error) { s.say("%s: %s is damaged (%v), making it anew", what, final, err) }
	return cache.Ensure(final, damaged, build)
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
