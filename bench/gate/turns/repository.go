package turns

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"lorabench/internal/file"
)

// repository is a checkout and the module in it.
type repository struct {
	root   string // of the checkout
	module string // the folder of go.mod relative to root: "." mostly
}

// untie removes from this process's environment what ties its children to one checkout: git sets GIT_DIR and others when it calls the gate
// from a hook; a GOWORK that names this checkout's go.work would compile the base with the head's packages.
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

// find returns the repository of the working folder, and the module in it: the folder of go.mod, there or above.
func find(ctx context.Context) (r repository, err error) {
	out, err := git(ctx, ".", "rev-parse", "--show-toplevel", "--show-prefix")
	if err != nil {
		return r, fmt.Errorf("the working folder is in no checkout of a git repository, or git is not installed: %w", err)
	}
	r.root, r.module, _ = strings.Cut(out, "\n")
	for r.module = filepath.Clean(r.module); !file.Exists(filepath.Join(r.root, r.module, "go.mod")); r.module = filepath.Dir(r.module) {
		if r.module == "." {
			return r, fmt.Errorf("no go.mod in the working folder or above it up to %s: run the gate in a Go module", r.root)
		}
	}
	return r, nil
}

// resolve returns the full name of the commit that a revision means.
func (r repository) resolve(ctx context.Context, revision string) (string, error) {
	if strings.HasPrefix(revision, "-") { // git would take it as a flag, and not every version has --end-of-options here
		return "", fmt.Errorf("there is no commit %q: no revision begins with a dash", revision)
	}
	commit, err := git(ctx, r.root, "rev-parse", "--verify", "--quiet", revision+"^{commit}")
	if err == nil || ctx.Err() != nil {
		return commit, err
	}
	return "", fmt.Errorf("there is no commit %q in %s: name a branch, tag or commit that git rev-parse knows; one that only a remote has "+
		"must be fetched first. A shallow clone has not the whole history: run git fetch --unshallow, or in CI clone whole "+
		"(actions/checkout: fetch-depth: 0; GitLab: GIT_DEPTH: 0)", revision, r.root)
}

// state returns the working tree's commit, with a + if files differ from it. A file that git does not know counts: the compiler reads it.
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
	return git(ctx, r.root, "rev-list", "-1", "--abbrev-commit", "-i", "-E", "--grep=^[[:space:]]*"+Accept+"[[:space:]]*$", base+"..HEAD")
}

// worktreeDir returns the folder for a repository's base. It is always the same, because Go's build cache identifies what cgo compiled by
// its folder: anywhere else, lorabench's C++ would compile for minutes again.
func worktreeDir(cache, root string) string {
	sum := sha256.Sum256([]byte(root))
	return filepath.Join(cache, hex.EncodeToString(sum[:6]), "base")
}

// checkOut makes dir a new worktree at commit, so that nothing that an earlier gate changed or left half made counts. It runs no git
// worktree prune: the user's own worktrees may be on a disk that is not there now.
func (r repository) checkOut(ctx context.Context, dir, commit string) error {
	// Forced twice: git locks a worktree while it makes it, so a half-made one stays locked. remove fails on a broken one, add replaces it.
	_, _ = git(ctx, r.root, "worktree", "remove", "--force", "--force", dir)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("cannot make the base's worktree anew: %w", err)
	}
	if _, err := git(ctx, r.root, "worktree", "add", "--force", "--force", "--detach", dir, commit); err != nil {
		return fmt.Errorf("cannot check the base out at %s: %w", dir, err)
	}
	if _, err := git(ctx, dir, "submodule", "--quiet", "update", "--init", "--recursive", "--force"); err != nil {
		return fmt.Errorf("the base's submodules: %w", err) // git worktree leaves them empty
	}
	return nil
}
