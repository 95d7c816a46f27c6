package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Free returns the bytes that an ordinary user can still write to the file system of dir.
func Free(dir string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// Lock waits for the exclusive lock on the file at path, which it makes if needed, and returns the function that releases it.
// The kernel releases it when the process dies. busy is called once if another process holds it, with "process N" if the file
// names that. A ctx that has ended still gets a lock that is free.
func Lock(ctx context.Context, path string, busy func(holder string)) (unlock func(), err error) {
	told := false
	for round := 0; ; round++ {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil && isAt(f, path) {
			if f.Truncate(0) == nil { // on a full disk the number stays out
				_, _ = f.WriteString(strconv.Itoa(os.Getpid()))
			}
			return func() { f.Close() }, nil
		}
		number, _ := io.ReadAll(io.LimitReader(f, 20))
		f.Close()
		if err == nil { // its holder removed the file
			continue
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
		}
		if holder, known := processOf(string(number)); !told && (known || round > 0) { // it may be about to write its number
			told = true
			busy(holder)
		}
		select { // not flock's own waiting, which ctx could not end
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// identity identifies the files' content by device, inode, size, times of writing and of change. Only the last cannot be set back.
func identity(files []fs.FileInfo) (id string, known bool) {
	for _, f := range files {
		st, ok := f.Sys().(*syscall.Stat_t)
		if !ok {
			return "", false
		}
		id += fmt.Sprintln(st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim)
	}
	return id, true
}

func changed(f fs.FileInfo) time.Time {
	if st, ok := f.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix())
	}
	return time.Now()
}

func isAt(f *os.File, path string) bool {
	have, err := f.Stat()
	at, errAt := os.Stat(path)
	return err == nil && errAt == nil && os.SameFile(have, at)
}

func processOf(number string) (holder string, known bool) {
	if pid, err := strconv.Atoi(strings.TrimSpace(number)); err == nil && pid > 0 {
		return "process " + strconv.Itoa(pid), true
	}
	return "another process", false
}
