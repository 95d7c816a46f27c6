package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// link makes the symbolic link at path point to target, replacing another link but nothing else. It reports whether it had to.
func link(path, target string) (bool, error) {
	if have, err := os.Readlink(path); err == nil && have == target {
		return false, nil
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink == 0 {
		return false, fmt.Errorf("%s is in the way of a symbolic link: remove it and run make again", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	beside := path + ".partial-" + strconv.Itoa(os.Getpid())
	os.Remove(beside)
	if err := os.Symlink(target, beside); err != nil {
		return false, err
	}
	if err := os.Rename(beside, path); err != nil {
		os.Remove(beside)
		return false, err
	}
	return true, nil
}
