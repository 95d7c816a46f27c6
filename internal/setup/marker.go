package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// markerName is the file that says a folder of the cache is whole. It is written last and lists files with their sizes in
// bytes.
const markerName = "lorabench.json"

type marker struct {
	Files map[string]int64 `json:"files"`
}

// ensureDir sees to it that the folder final is whole. Nothing happens where its marker is right. Otherwise build fills a
// folder beside it and says which sizes the marker lists, and the folder is renamed: so final is either whole or not there,
// whenever the program is stopped.
func (s *setup) ensureDir(final, what string, build func(partial string) (map[string]int64, error)) error {
	err := checkMarker(final)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		s.say("%s: %s is damaged (%v), making it anew", what, final, err)
	}
	if err := os.RemoveAll(final); err != nil {
		return fmt.Errorf("cannot remove the damaged %s: %w", final, err)
	}
	partial := final + ".partial-" + strconv.Itoa(os.Getpid())
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %w", partial, err)
	}
	defer os.RemoveAll(partial) // what a failure leaves; after the rename there is nothing
	files, err := build(partial)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(marker{files}, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(partial, markerName), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot finish %s: %w", final, err)
	}
	if err := os.Rename(partial, final); err != nil {
		return fmt.Errorf("cannot finish %s: %w", final, err)
	}
	return nil
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

// checkMarker says what is wrong with a folder of the cache. A folder that is not there gives fs.ErrNotExist, one without
// its marker does not.
func checkMarker(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, markerName))
	if err != nil {
		return fmt.Errorf("no %s", markerName)
	}
	var m marker
	if err := json.Unmarshal(data, &m); err != nil || len(m.Files) == 0 {
		return fmt.Errorf("%s is not readable", markerName)
	}
	return checkSizes(dir, m.Files)
}

func checkSizes(dir string, files map[string]int64) error {
	for name, size := range files {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("%s is missing", name)
		}
		if info.Size() != size {
			return fmt.Errorf("%s has %d bytes instead of %d", name, info.Size(), size)
		}
	}
	return nil
}

// sizesOf lists the sizes in bytes of the named files, each of which must have some.
func sizesOf(dir string, names []string) (map[string]int64, error) {
	files := map[string]int64{}
	for _, name := range names {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("%s is missing", name)
		}
		if info.Size() == 0 {
			return nil, fmt.Errorf("%s is empty", name)
		}
		files[name] = info.Size()
	}
	return files, nil
}

func sizesOfAll(dir string) (map[string]int64, error) {
	files := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		files[rel] = info.Size()
		return err
	})
	return files, err
}
