//go:build !linux

package file

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// Free and Lock are here so that everything compiles everywhere; callers do without them, or report that they need Linux.

func Free(string) (uint64, error) { return 0, errors.ErrUnsupported }

func Lock(context.Context, string, func(string)) (func(), error) { return nil, errors.ErrUnsupported }

// Without a file's time of change no digest is kept.
func identity([]fs.FileInfo) (string, bool) { return "", false }

func changed(f fs.FileInfo) time.Time { return f.ModTime() }
