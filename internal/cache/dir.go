package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lorabench/internal/file"
)

// Lock waits for the exclusive lock on the cache dir, as file.Lock does.
func Lock(dir string, busy func(holder string)) (unlock func(), err error) {
	return file.Lock(context.Background(), filepath.Join(dir, "lock"), busy)
}

// Dir returns the cache: $XDG_CACHE_HOME/lorabench, by default ~/.cache/lorabench.
func Dir() (string, error) {
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
