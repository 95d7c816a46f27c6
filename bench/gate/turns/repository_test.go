//go:build unix

package turns

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWorktreeIsMadeAnew(t *testing.T) {
	w := newWorld(t)
	w.o.Seeds = 1
	_, _, err := w.run()
	require.NoError(t, err)
	in := func(p string) string { return filepath.Join(w.worktree(), p) }
	require.NoError(t, os.WriteFile(in("bench/marker"), []byte("changed"), 0o644))
	require.NoError(t, os.WriteFile(in("bench/left.go"), nil, 0o644))
	w.o.Base = "main"
	_, _, err = w.run()
	require.NoError(t, err)
	assert.Equal(t, "here\n", w.read(in("bench/marker")), "changed files are put back")
	assert.NoFileExists(t, in("bench/left.go"), "files that git does not know are removed")
	assert.Equal(t, "made\n", w.read(in("go.work")), "nor is anything left of an earlier set-up")
	assert.Equal(t, 2, strings.Count(w.git("worktree", "list"), "\n")+1)
}

func TestBrokenWorktreeIsMadeAnew(t *testing.T) {
	for _, tt := range []struct {
		why  string
		harm func(w *world, dir string)
	}{
		{"it was removed by hand", func(w *world, dir string) { require.NoError(w.t, os.RemoveAll(dir)) }},
		{"a plain folder is there", func(w *world, dir string) { require.NoError(w.t, os.Remove(filepath.Join(dir, ".git"))) }},
		{"its link to the repository is broken", func(w *world, dir string) {
			require.NoError(w.t, os.WriteFile(filepath.Join(dir, ".git"), []byte("gitdir: /nowhere\n"), 0o644))
		}},
		{"a gate was killed while git made it, which leaves it locked", func(w *world, dir string) { w.git("worktree", "lock", dir); require.NoError(w.t, os.RemoveAll(dir)) }},
		{"a gate was killed while git changed it, which leaves the index locked", func(w *world, dir string) {
			require.NoError(w.t, os.WriteFile(filepath.Join(w.root, ".git", "worktrees", "base", "index.lock"), nil, 0o644))
		}},
		{"the repository was cloned anew at the same path", func(w *world, dir string) {
			require.NoError(w.t, os.RemoveAll(filepath.Join(w.root, ".git", "worktrees")))
		}},
	} {
		t.Run(tt.why, func(t *testing.T) {
			w := newWorld(t)
			ctx := t.Context()
			repo, err := find(ctx)
			require.NoError(t, err)
			first, err := repo.resolve(ctx, "HEAD~1")
			require.NoError(t, err)
			dir := w.worktree()
			require.NoError(t, repo.checkOut(ctx, dir, first))
			tt.harm(w, dir)
			second, err := repo.resolve(ctx, "HEAD")
			require.NoError(t, err)
			require.NoError(t, repo.checkOut(ctx, dir, second))
			at, err := git(ctx, dir, "rev-parse", "HEAD")
			require.NoError(t, err)
			assert.Equal(t, second, at)
			assert.Contains(t, w.read(filepath.Join(dir, "bench", "program.sh")), "name=new")
		})
	}
}

func TestOtherWorktreesAreLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.o.Seeds = 1
	away := filepath.Join(t.TempDir(), "away")
	w.git("worktree", "add", "-q", "--detach", away, "HEAD")
	require.NoError(t, os.RemoveAll(away)) // on a disk that is not plugged in
	_, _, err := w.run()
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(w.worktree()))
	_, _, err = w.run()
	require.NoError(t, err)
	assert.Contains(t, w.git("worktree", "list"), away)
}

func TestSubmodules(t *testing.T) {
	w := newWorld(t)
	t.Setenv("GIT_CONFIG_COUNT", "1") // git refuses folders as submodules' sources by default
	t.Setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")
	t.Setenv("GIT_CONFIG_VALUE_0", "always")
	lib := newWorld(t)
	w.git("submodule", "--quiet", "add", lib.root, "third_party/lib")
	w.commit("a submodule")
	w.o.Base, w.o.Seeds = "HEAD", 1
	t.Setenv("TURNS_CALLS", w.calls)
	t.Chdir(w.root)
	_, _, err := w.run()
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(w.worktree(), "third_party", "lib", "bench", "marker"))
}

// TestBaseTakesTheHeadsLibtorch is of a machine with two: each side's set-up would look for itself.
func TestBaseTakesTheHeadsLibtorch(t *testing.T) {
	for _, c := range []struct {
		why      string
		make     func(w *world)
		libtorch []string // of each set-up
	}{
		{"nothing else is asked for", func(w *world) {}, []string{"", "/of/the/head"}},
		{"its set-up refuses it", func(w *world) { w.mark("refuse") }, []string{"", "/of/the/head", ""}},
		{"LIBTORCH says which", func(w *world) { w.t.Setenv("LIBTORCH", "/said") }, []string{"/said", "/said"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := newWorld(t)
			w.o.Seeds = 1
			link := filepath.Join(w.root, "internal", "torch", "link")
			require.NoError(t, os.MkdirAll(link, 0o755))
			require.NoError(t, os.Symlink("/of/the/head", filepath.Join(link, "libtorch")))
			c.make(w)
			_, _, err := w.run()
			require.NoError(t, err)
			dirs := []string{w.root, w.worktree(), w.worktree()}
			want := ""
			for i, l := range c.libtorch {
				want += dirs[i] + " " + l + "\n"
			}
			assert.Equal(t, want, w.read(w.calls+".libtorch"))
		})
	}
}

func TestWorktreeIsFixed(t *testing.T) {
	a, b := worktreeDir("c", "/x"), worktreeDir("c", "/y")
	assert.Equal(t, a, worktreeDir("c", "/x"))
	assert.NotEqual(t, a, b)
	assert.Equal(t, "base", filepath.Base(a))
}

func TestHooksAreOff(t *testing.T) {
	w := newWorld(t)
	hook := filepath.Join(w.root, ".git", "hooks", "post-checkout")
	require.NoError(t, os.MkdirAll(filepath.Dir(hook), 0o755))
	require.NoError(t, os.WriteFile(hook, []byte("#!/bin/sh\nexit 1\n"), 0o755))
	w.o.Seeds = 1
	_, _, err := w.run()
	require.NoError(t, err)
}

// TestLock is that a second gate waits until the first has read what it measured.
func TestLock(t *testing.T) {
	w := newWorld(t)
	w.o.Seeds = 1
	first, err := Open(t.Context(), w.o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	w.err.on = func(all string) {
		if strings.Contains(all, "waiting for another gate") {
			cancel()
		}
	}
	_, err = Open(ctx, w.o)
	require.ErrorIs(t, err, context.Canceled)
	assert.NoFileExists(t, w.calls, "nothing ran meanwhile")
	w.err.on = nil
	_, _, err = first.Run(t.Context())
	require.NoError(t, err)
	first.Close()
	_, _, err = w.run()
	require.NoError(t, err, "it goes on when the other one has ended")
}

func TestInterrupt(t *testing.T) {
	w := newWorld(t)
	w.mark("sleep")
	interrupted := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for written := []byte(nil); !bytes.HasSuffix(written, []byte("\n")); { // the shell makes the file before it writes the number
			written, _ = os.ReadFile(w.calls + ".child")
			time.Sleep(10 * time.Millisecond)
		}
		cancel(interrupted)
	}()
	m, err := Open(ctx, w.o)
	require.NoError(t, err)
	defer m.Close()
	base, _, err := m.Run(ctx)
	require.ErrorIs(t, err, interrupted)
	assert.Empty(t, base)
	for _, name := range []string{".pid", ".child"} {
		pid, err := strconv.Atoi(strings.TrimSpace(w.read(w.calls + name)))
		require.NoError(t, err)
		assert.Eventually(t, func() bool { return gone(pid) }, 10*time.Second, 10*time.Millisecond, "process %d is still there", pid)
	}
}

// gone says whether a process has ended; a zombie has.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && strings.Contains(string(b), ") Z ")
}
