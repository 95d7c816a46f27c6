//go:build linux

package file

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errRead = errors.New("it was read")

func TestSHA256(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write := func(path, text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o666)) }
	stat := func(path string) fs.FileInfo {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info
	}
	remembers := func(text string, of ...fs.FileInfo) {
		t.Helper()
		sum, err := SHA256(iotest.ErrReader(errRead), of...)
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte(text))), sum)
	}
	hashes := func(text string, of ...fs.FileInfo) {
		t.Helper()
		_, err := SHA256(iotest.ErrReader(errRead), of...)
		require.ErrorIs(t, err, errRead)
		_, err = SHA256(strings.NewReader(text), of...)
		require.NoError(t, err)
	}
	write(a, "one")
	write(b, "two")
	written := stat(a).ModTime()
	time.Sleep(2 * tick)
	hashes("one", stat(a))
	remembers("one", stat(a))
	hashes("two", stat(b))
	hashes("onetwo", stat(a), stat(b))
	remembers("onetwo", stat(a), stat(b))
	hashes("twoone", stat(b), stat(a))

	require.NoError(t, os.Symlink(a, filepath.Join(dir, "link")))
	remembers("one", stat(filepath.Join(dir, "link")))
	before := stat(a)
	require.NoError(t, Rename(a, filepath.Join(dir, "c")))
	a = filepath.Join(dir, "c")
	require.NotEqual(t, changed(before), changed(stat(a)), "renaming changes a file")
	remembers("one", stat(a))

	time.Sleep(2 * tick)
	write(a, "One")
	require.NoError(t, os.Chtimes(a, written, written))
	require.Equal(t, before.ModTime(), stat(a).ModTime())
	hashes("One", stat(a)) // changed in place, size and time of writing as they were
	require.NoError(t, Rename(b, a))
	remembers("two", stat(a))

	require.ErrorIs(t, Rename(b, a), fs.ErrNotExist)
	require.ErrorContains(t, Rename(a, filepath.Join(dir, "none", "x")), "none")
}

// What was changed a moment ago may change again without another time: its digest is not kept.
func TestDigestOfAFileJustWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for range 100 { // a busy machine may take longer than a tick
		require.NoError(t, os.WriteFile(path, []byte("one"), 0o666))
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Unix(1, 0)), "which is not the time of change")
		info, err := os.Stat(path)
		require.NoError(t, err)
		_, err = SHA256(strings.NewReader("one"), info)
		require.NoError(t, err)
		if _, err = SHA256(iotest.ErrReader(errRead), info); errors.Is(err, errRead) {
			return
		}
	}
	t.Fatal("it was kept")
}
