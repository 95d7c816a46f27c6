package turns

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// repository is a checkout and the module in it.
type repository struct {
	root   string // of the checkout
	module string // the folder of go.mod relative to root: "." mostly
	git    string // what all its worktrees share
}

// untie takes out of this process's environment what ties its children to one checkout: git sets GIT_DIR and the like where
// the gate is called from a hook; a GOWORK that names this checkout's go.work would have the base compiled with the head's
// packages.
func untie() {
	for _, name := range []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY",
		"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "PWD", "GOWORK"} {
		_ = os.Unsetenv(name) // these names are valid
	}
}

// git runs git in dir and returns what it printed, without the last newline. Hooks are off: they are for people's commits and
// checkouts, and one that fails would fail the gate.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "-c", "core.hooksPath=" + os.DevNull}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, 10*time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	} else if err != nil {
		err = fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSuffix(stdout.String(), "\n"), err
}

// find is the repository of the working folder, and the module there: go.mod's folder, that one or above.
func find(ctx context.Context) (r repository, err error) {
	dir, err := os.Getwd()
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir) // as git gives root
	}
	if err != nil {
		return r, err
	}
	r.root, err = git(ctx, dir, "rev-parse", "--show-toplevel")
	if errors.Is(err, exec.ErrNotFound) {
		return r, fmt.Errorf("%w: the gate checks the base revision out with git; install it", err)
	}
	if err != nil {
		return r, fmt.Errorf("%s is in no checkout of a git repository: %w", dir, err)
	}
	if r.git, err = git(ctx, r.root, "rev-parse", "--path-format=absolute", "--git-common-dir"); err != nil {
		return r, err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if exists(filepath.Join(d, "go.mod")) {
			r.module, err = filepath.Rel(r.root, d)
			return r, err
		}
		if d == r.root || d == filepath.Dir(d) {
			return r, fmt.Errorf("no go.mod in %s or above it up to %s: run the gate in a Go module", dir, r.root)
		}
	}
}

// resolve is the full name of the commit that a revision means.
func (r repository) resolve(ctx context.Context, revision string) (string, error) {
	if strings.HasPrefix(revision, "-") { // git would take it as a flag, and not every version has --end-of-options here
		return "", fmt.Errorf("there is no commit %q: no revision begins with a dash", revision)
	}
	commit, err := git(ctx, r.root, "rev-parse", "--verify", "--quiet", revision+"^{commit}")
	if err == nil || ctx.Err() != nil {
		return commit, err
	}
	advice := "name a branch, tag or commit that git rev-parse knows; one that only a remote has must be fetched first"
	if shallow, err := git(ctx, r.root, "rev-parse", "--is-shallow-repository"); err == nil && shallow == "true" {
		advice = "this is a shallow clone, which has not the whole history: run git fetch --unshallow, or in CI clone whole " +
			"(actions/checkout: fetch-depth: 0; GitLab: GIT_DEPTH: 0)"
	}
	return "", fmt.Errorf("there is no commit %q in %s: %s", revision, r.root, advice)
}

// state is the commit of the working tree, with a + where files differ from it. A file that git does not know counts: the
// compiler takes it.
func (r repository) state(ctx context.Context) (string, error) {
	commit, err := git(ctx, r.root, "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return "", err
	}
	changes, err := git(ctx, r.root, "status", "--porcelain")
	if changes != "" {
		commit += "+"
	}
	return commit, err
}

// accepts returns the newest commit of the change since base whose message has the line of Accept.
func (r repository) accepts(ctx context.Context, base string) (string, error) {
	log, err := git(ctx, r.root, "log", "--format=%x00%h%n%B", base+"..HEAD")
	for message := range strings.SplitSeq(log, "\x00") {
		commit, lines, _ := strings.Cut(message, "\n")
		for line := range strings.Lines(lines) {
			if strings.EqualFold(strings.TrimSpace(line), Accept) {
				return commit, err
			}
		}
	}
	return "", err
}

// worktreeDir is where a repository's base is checked out. It is the same each time, since Go's build cache knows what cgo
// compiled by its folder: anywhere else, lorabench's C++ would take minutes again.
func worktreeDir(cache, root string) string {
	sum := sha256.Sum256([]byte(root))
	return filepath.Join(cache, hex.EncodeToString(sum[:6]), "base")
}

// checkOut makes dir a worktree at commit, with what git ignores left in place: it is the set-up's. One that is stale, half
// made or broken is made anew.
func (r repository) checkOut(ctx context.Context, dir, commit string) error {
	if !r.update(ctx, dir, commit) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// Twice forced: git locks a worktree while it makes it, so one half made stays locked.
		_, _ = git(ctx, r.root, "worktree", "remove", "--force", "--force", dir)
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("cannot make the base's worktree anew: %w", err)
		}
		// No git worktree prune: the user's own worktrees may be on a disk that is not there now. Forced twice, add takes over
		// what is left of one here.
		if _, err := git(ctx, r.root, "worktree", "add", "--force", "--force", "--detach", dir, commit); err != nil {
			return fmt.Errorf("cannot check the base out at %s: %w", dir, err)
		}
	}
	if !exists(filepath.Join(dir, ".gitmodules")) {
		return nil
	}
	if _, err := git(ctx, dir, "submodule", "--quiet", "update", "--init", "--recursive", "--force"); err != nil {
		return fmt.Errorf("the base's submodules: %w", err) // git worktree leaves them empty
	}
	return nil
}

// update brings a worktree that is there to the commit: false where it is none of this repository's, or broken.
func (r repository) update(ctx context.Context, dir, commit string) bool {
	common, err := git(ctx, dir, "rev-parse", "--path-format=absolute", "--git-common-dir")
	if err != nil || common != r.git || !exists(filepath.Join(dir, ".git")) { // a plain folder in another checkout is not ours to change
		return false
	}
	for _, args := range [][]string{{"checkout", "--quiet", "--force", "--detach", commit}, {"clean", "-ffdq"}} {
		if _, err := git(ctx, dir, args...); err != nil {
			return false
		}
	}
	return true
}
