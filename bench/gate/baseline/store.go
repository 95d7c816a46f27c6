package baseline

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lorabench/bench/gate/judge"
	"lorabench/internal/file"
)

// Find is the folder in dir with the baseline for results. Where there is none for their machine class, the
// error lists the classes that there are.
func Find(dir string, in *judge.Input) (string, error) {
	class, err := Class(in)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, class)
	_, err = os.Stat(filepath.Join(path, "bench.txt"))
	if err == nil {
		return path, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	have, err := Classes(dir)
	if err != nil {
		return "", err
	}
	there := "there is none at all"
	if len(have) > 0 {
		there = "there are " + strings.Join(have, ", ")
	}
	return "", fmt.Errorf("%s has no baseline for the machine class %s: %s; make baseline stores one on this machine", dir, class, there)
}

// Classes are the machine classes that dir has a baseline for, sorted; none where there is no such folder.
func Classes(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var have []string
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(dir, e.Name(), "bench.txt")); err == nil && !strings.HasPrefix(e.Name(), ".") {
			have = append(have, e.Name())
		}
	}
	slices.Sort(have)
	return have, nil
}

// Store makes the results in a folder the baseline of their machine class in dir, in place of an earlier one,
// and returns its folder. It keeps bench.txt, parts.txt where there is one, and the records without their
// steps, which would be nearly all of their size, and without the paths of this machine. What cannot be read
// whole is refused.
func Store(dir, results string) (path string, err error) {
	in, problems := judge.Read(results)
	if len(problems) > 0 {
		p := problems[0]
		at := p.File
		if p.Line > 0 {
			at = fmt.Sprintf("%s:%d", p.File, p.Line)
		}
		return "", fmt.Errorf("%s is no baseline: %s: %s (%d problems)", results, at, p.Text, len(problems))
	}
	class, err := Class(in)
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, class)
	beside := filepath.Join(dir, "."+class+"."+rand.Text())
	if err := os.MkdirAll(beside, 0o777); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("storing %s: %w", path, errors.Join(err, os.RemoveAll(beside)))
		}
	}()
	for _, name := range []string{"bench.txt", "parts.txt"} {
		text, err := os.ReadFile(filepath.Join(results, name))
		if errors.Is(err, fs.ErrNotExist) && name != "bench.txt" {
			continue
		}
		if err == nil {
			err = file.Write(filepath.Join(beside, name), text)
		}
		if err != nil {
			return "", err
		}
	}
	for _, r := range in.Records {
		short := *r
		short.Steps = nil
		// Not where they lay on this machine: a baseline is committed, for others to see.
		short.Settings.Model, short.Settings.Data = r.Model.Name, r.Data.Name
		for _, at := range []*string{&short.Settings.Tokenizer, &short.Settings.Adapter} {
			if *at != "" {
				*at = filepath.Base(*at)
			}
		}
		if err := short.Save(beside); err != nil {
			return "", err
		}
	}
	return path, swap(beside, path)
}

// swap puts the new folder in place of the old one, if there is one, which comes back if that fails.
func swap(from, to string) error {
	old := from + ".old"
	err := os.Rename(to, old)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Rename(from, to)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return errors.Join(err, os.Rename(old, to))
	}
	return os.RemoveAll(old)
}
