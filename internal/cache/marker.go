// Package cache keeps what is large or slow to make (libtorch, gotch, compiled helpers) in one folder of the user, which all
// checkouts share. A folder in it is complete or absent, whenever its maker is stopped.
package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// MarkerName is the file that marks a folder of the cache as complete. It is written last and lists files with their
// sizes in bytes.
const MarkerName = "lorabench.json"

type marker struct {
	Files map[string]int64 `json:"files"`
}

// Ensure makes the folder final unless its marker says that it is complete. build fills a folder beside it and returns the
// sizes that the marker lists; then the folder is renamed. damaged is called before an incomplete folder is made anew. The
// caller holds the cache's lock.
func Ensure(final string, damaged func(error), build func(partial string) (map[string]int64, error)) error {
	err := Check(final)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		damaged(err)
	}
	if err := os.RemoveAll(final); err != nil {
		return fmt.Errorf("cannot remove the damaged %s: %w", final, err)
	}
	partial := final + ".partial-" + strconv.Itoa(os.Getpid())
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %w", partial, err)
	}
	defer os.RemoveAll(partial) // what a failure leaves; nothing after the rename
	files, err := build(partial)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(marker{files}, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(partial, MarkerName), append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot finish %s: %w", final, err)
	}
	if err := os.Rename(partial, final); err != nil {
		return fmt.Errorf("cannot finish %s: %w", final, err)
	}
	return nil
}

// Check returns what is wrong with a folder of the cache. A folder that is not there gives fs.ErrNotExist, one
// without its marker does not.
func Check(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, MarkerName))
	if err != nil {
		return fmt.Errorf("no %s", MarkerName)
	}
	var m marker
	if err := json.Unmarshal(data, &m); err != nil || len(m.Files) == 0 {
		return fmt.Errorf("%s is not readable", MarkerName)
	}
	return CheckSizes(dir, m.Files)
}

// CheckSizes returns an error that names a file in dir that is missing or has another size in bytes.
func CheckSizes(dir string, files map[string]int64) error {
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

// Sizes returns the sizes in bytes of the named files, none of which may be empty.
func Sizes(dir string, names []string) (map[string]int64, error) {
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

// AllSizes returns the sizes in bytes of all files in dir.
func AllSizes(dir string) (map[string]int64, error) {
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
