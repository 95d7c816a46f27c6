package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lorabench/internal/cache"
	"lorabench/internal/file"
)

// state is what the last run found and made, in internal/torch/link/setup.json. While it holds, no command is run.
type state struct {
	Inputs   inputs   `json:"inputs"`
	Libtorch libtorch `json:"libtorch"`
	Gotch    string   `json:"gotch"`
	Helper   string   `json:"helper"`  // key of the CUDA helper library, "" where there is none
	Headers  []string `json:"headers"` // include folders with CUDA's runtime headers, for internal/fakecuda; nil where not looked for
}

// inputs holds what the outcome depends on and the environment shows. The Python on PATH is not among them: entering or leaving a virtual
// environment must not change libtorch, and compile for minutes, each time.
type inputs struct {
	Libtorch string   `json:"LIBTORCH"`
	Cache    string   `json:"cache"`
	Driver   bool     `json:"driver"`
	Patch    string   `json:"patch"` // changes with this program's patch
	Env      []string `json:"env"`   // the compilers'
}

func (s *setup) inputs() inputs {
	in := inputs{
		Libtorch: os.Getenv("LIBTORCH"),
		Cache:    s.cache,
		Driver:   s.hasDriver(),
		Patch:    patchKey(gotchVersion, "", torchVersion),
	}
	for _, name := range []string{"CXX", "CC", "CGO_ENABLED"} {
		in.Env = append(in.Env, name+"="+os.Getenv(name))
	}
	return in
}

func (s *setup) statePath() string { return filepath.Join(s.linkDir(), "setup.json") }

// readState returns the last run's state if everything is still as it says; otherwise the error is the first difference.
func (s *setup) readState(in inputs) (state, error) {
	var st state
	data, err := os.ReadFile(s.statePath())
	if err != nil {
		return st, err
	}
	if err := json.Unmarshal(data, &st); err != nil {
		return st, err
	}
	have, _ := json.Marshal(st.Inputs)
	want, _ := json.Marshal(in)
	if string(have) != string(want) {
		return st, errors.New("the environment is another")
	}
	if err := checkLibtorch(st.Libtorch); err != nil {
		return st, fmt.Errorf("libtorch: %w", err)
	}
	if err := cache.Check(st.Gotch); err != nil {
		return st, fmt.Errorf("gotch: %w", err)
	}
	return st, s.checkRoot(st)
}

// keeps reports whether the libtorch of the last run is to be used again, whatever else has changed since.
func (st state) keeps(in inputs) bool {
	return st.Inputs.Libtorch == in.Libtorch && st.Inputs.Cache == in.Cache && st.Inputs.Driver == in.Driver && checkLibtorch(st.Libtorch) == nil
}

// checkLibtorch checks that a libtorch is still as it was found.
func checkLibtorch(lt libtorch) error {
	if len(lt.Files) == 0 {
		return errors.New("none was found")
	}
	if err := cache.CheckSizes(lt.Dir, lt.Files); err != nil {
		return err
	}
	if lt.Source == sourceCache {
		if err := cache.Check(filepath.Dir(lt.Dir)); err != nil {
			return err
		}
	}
	if version, err := versionOf(lt.Dir); err != nil || version != lt.Version {
		return errors.New("it has another version")
	}
	return nil
}

// checkRoot checks what the last run left in the checkout.
func (s *setup) checkRoot(st state) error {
	goMod, err := os.ReadFile(filepath.Join(s.root, "go.mod"))
	if err != nil {
		return err
	}
	want, err := goWork(goMod, st.Gotch)
	if err != nil {
		return err
	}
	if have, err := os.ReadFile(filepath.Join(s.root, "go.work")); err != nil || string(have) != want {
		return errors.New("go.work is another")
	}
	if target, err := os.Readlink(filepath.Join(s.linkDir(), "libtorch")); err != nil || target != st.Libtorch.Dir {
		return errors.New("the link to libtorch is another")
	}
	return s.checkHelper(st)
}

func (s *setup) writeState(st state) error {
	data, err := json.MarshalIndent(st, "", "\t")
	if err != nil {
		return err
	}
	if err := file.Write(s.statePath(), append(data, '\n')); err != nil {
		return fmt.Errorf("cannot write %s: %w", s.statePath(), err)
	}
	return nil
}
