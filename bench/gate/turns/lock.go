package turns

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// cacheDir is where worktrees and the lock live, in the user's cache folder ($XDG_CACHE_HOME).
func cacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: set one, so that the base's worktree has a place", err)
	}
	return filepath.Join(dir, "lorabench", "gate"), nil
}

// worktreeDir is where a repository's base is checked out. It is the same each time, since Go's build cache
// knows what cgo compiled by its folder: anywhere else, lorabench's C++ would take minutes again.
func worktreeDir(cache, root string) string {
	sum := sha256.Sum256([]byte(root))
	return filepath.Join(cache, hex.EncodeToString(sum[:6]), "base")
}

// lock waits until this is the only gate of the user: two at a time would measure each other, and those of
// one repository share a worktree. The result gives the lock back.
func lock(ctx context.Context, o Options, cache, root string) (func(), error) {
	path := filepath.Join(cache, "lock")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, fmt.Errorf("%w: set XDG_CACHE_HOME to a folder that you can write", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("%w: set XDG_CACHE_HOME to a folder that you can write", err)
	}
	for told := false; ; {
		ok, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		}
		if ok {
			break
		}
		if !told {
			told = true
			holder, _ := os.ReadFile(path)
			o.say("waiting for another gate to end (%s)", strings.TrimSpace(string(holder)))
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("waiting for another gate: %w", context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
	if err := f.Truncate(0); err == nil { // for people: who has it
		_, _ = fmt.Fprintf(f, "process %d, of %s\n", os.Getpid(), root)
	}
	return func() { f.Close() }, nil
}
