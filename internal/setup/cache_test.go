package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/internal/cache"
)

func TestRemovesPartialFolders(t *testing.T) {
	w := newWorld(t)
	stale := filepath.Join(w.cache, "torch-2.11.0-cpu.partial-1") // process 1 lives, but the lock says it is not at work here
	w.write(filepath.Join(stale, "torch/lib/libtorch_cpu.so"), "half")
	w.write(filepath.Join(w.cache, "gotch-v0.9.1-0123456789ab.partial-99999999", "go.mod"), "half")
	stdout := w.ready() // which looks for leftovers
	assert.Contains(t, stdout, "cache: removing "+stale+", left by a run that was stopped\n")
}

func TestKeepsWhatIsNotPartial(t *testing.T) {
	w := newWorld(t)
	other := filepath.Join(w.cache, "gotch-v0.9.1-0123456789ab", "go.mod")
	w.write(other, "another checkout's copy")
	w.ready()
	assert.FileExists(t, other)
}

// TestInstallsIntoPartialFolder checks that the folder's own name only ever means a whole folder.
func TestInstallsIntoPartialFolder(t *testing.T) {
	w := newWorld(t)
	w.set("FAKE_INSTALL", "full") // pip leaves half a file behind
	status, _, _ := w.run()
	require.Equal(t, 1, status)
	for _, file := range w.files() {
		assert.NotContains(t, file, filepath.Join(w.cache, "torch"))
	}
}

// TestKilled kills set-up, and nothing else, while pip is at work: pip must end with it, and the next run must succeed.
func TestKilled(t *testing.T) {
	w := newWorld(t)
	w.addCommand("setup")
	w.set("FAKE_INSTALL", "hang")
	cmd := exec.Command(filepath.Join(w.bin, "setup"), "-root", w.root)
	require.NoError(t, cmd.Start())
	partial := filepath.Join(w.cache, "torch-2.11.0-cpu.partial-"+strconv.Itoa(cmd.Process.Pid))
	var pip int
	require.Eventually(t, func() bool {
		data, err := os.ReadFile(filepath.Join(partial, "pid"))
		pip, _ = strconv.Atoi(string(data))
		return err == nil && pip > 0
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.Eventually(t, func() bool { return gone(pip) }, time.Minute, 10*time.Millisecond)

	require.DirExists(t, partial, "nobody was left to remove it")
	w.mend()
	assert.Contains(t, w.ready(), "cache: removing "+partial+", left by a run that was stopped\n")
}

// gone says whether a process has ended, waited for or not.
func gone(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, state, _ := strings.Cut(string(data), ") ")
	return err != nil || strings.HasPrefix(state, "Z")
}

func TestWaitsForAnother(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, os.MkdirAll(w.cache, 0o755))
	unlock, err := cache.Lock(w.cache, func(string) { t.Error("nobody else has the lock") })
	require.NoError(t, err)

	reader, writer := io.Pipe()
	done := make(chan int)
	go func() {
		done <- run([]string{"-root", w.root}, w.on, writer, io.Discard)
		writer.Close()
	}()
	want := "setup: waiting for another set-up, process " + strconv.Itoa(os.Getpid()) + ", that is at work in " + w.cache + "\n"
	said := make([]byte, len(want))
	_, err = io.ReadFull(reader, said)
	require.NoError(t, err)
	assert.Equal(t, want, string(said))
	assert.Empty(t, w.commands(), "nothing is done meanwhile")

	go io.Copy(io.Discard, reader)
	unlock()
	assert.Zero(t, <-done)
	w.ready()
}

func TestTwoAtOnce(t *testing.T) {
	w := newWorld(t)
	roots := []string{w.root, filepath.Join(w.dir, "other")}
	w.newRoot(roots[1])
	var all sync.WaitGroup
	status := make([]int, len(roots))
	for i, root := range roots {
		all.Go(func() { status[i] = run([]string{"-root", root}, w.on, io.Discard, io.Discard) })
	}
	all.Wait()
	assert.Equal(t, []int{0, 0}, status)
	assert.Equal(t, 2, w.installs(), "torch once and the headers once")
}

func TestLockDiesWithItsProcess(t *testing.T) {
	dir := t.TempDir()
	unlock, err := cache.Lock(dir, func(string) {})
	require.NoError(t, err)
	f, err := os.Open(filepath.Join(dir, "lock"))
	require.NoError(t, err)
	defer f.Close()
	require.ErrorIs(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
	unlock() // closes the file, as the end of the process would
	require.NoError(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
}

func TestSizeOf(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, writeTree(dir, map[string]string{"a": "abc", "b/c": "de"}))
	assert.EqualValues(t, 5, sizeOf([]string{dir, filepath.Join(dir, "gone")}), "pip moves things meanwhile")
}
