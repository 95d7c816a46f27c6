// Package file writes files so that a reader sees the old content or the new, never half of it, and hashes large files once.
package file

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// temporary matches the names that Replace gives files until they are complete.
var temporary = regexp.MustCompile(`^\..+\.[A-Z2-7]{26}$`)

// Unfinished reports whether a file's name is one that Replace gives: a process that was killed has left the file.
func Unfinished(name string) bool { return temporary.MatchString(name) }

// NoLocks reports whether an error of Lock means that the file system, or the system, has no locks.
func NoLocks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK)
}

// Exists reports whether path can be looked up, a link where it leads.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Write writes data to path: to a file beside it first, then renamed.
func Write(path string, data []byte) error {
	return Replace(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Replace writes what write writes to path: to a file beside it first, flushed to the disk, then
// renamed. The folder is made if needed. On an error path is unchanged and nothing is left beside it.
func Replace(path string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	// Not os.CreateTemp: its mode 0600 would stay, where others expect to read
	// the file as the umask lets them.
	temp := filepath.Join(dir, "."+filepath.Base(path)+"."+rand.Text())
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err == nil {
			return
		}
		if gone := os.Remove(temp); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		err = fmt.Errorf("write %s: %w", path, err)
	}()
	w := bufio.NewWriterSize(file, 1<<20)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = os.Rename(temp, path); err != nil {
		return err
	}
	return syncFolder(dir)
}

// syncFolder makes the rename in dir survive a power cut, where the file system can: some have no flush of folders, and one that may not be
// read cannot be flushed. The file is there then all the same.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
