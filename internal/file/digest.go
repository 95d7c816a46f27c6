package file

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// digests holds the SHA-256 of files by what identifies their content, so that a process hashes gigabytes only once.
var digests sync.Map

// tick is longer than the time within which two changes of a file can have the same timestamp.
const tick = 20 * time.Millisecond

// SHA256 returns the hexadecimal SHA-256 of the files' bytes, one file after the other. They are read from r, unless the
// process has read the same files before and their sizes and times of change are the same.
func SHA256(r io.Reader, of ...fs.FileInfo) (string, error) {
	id, known := identity(of)
	if sum, ok := digests.Load(id); known && ok {
		return sum.(string), nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if known && settled(of) {
		digests.Store(id, sum)
	}
	return sum, nil
}

// settled reports whether a later change of the files will show in their times.
func settled(files []fs.FileInfo) bool {
	for _, f := range files {
		if time.Since(changed(f)) < tick {
			return false
		}
	}
	return true
}

// Rename is os.Rename, but the file keeps its digest, although renaming counts as a change of the file for the system.
func Rename(from, to string) error {
	before, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	old, _ := identity([]fs.FileInfo{before})
	sum, ok := digests.Load(old)
	if after, err := os.Stat(to); ok && err == nil && os.SameFile(before, after) &&
		after.Size() == before.Size() && after.ModTime().Equal(before.ModTime()) {
		id, _ := identity([]fs.FileInfo{after})
		digests.Store(id, sum)
	}
	return nil
}
