package turns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// repository is a checkout and the module in it.
type repository struct {
	root   string // of the checkout
	module string // the folder of go.mod relative to root: "." mostly
	git    string // what all its worktrees share
}

// find is the repository that has dir, and the module there: go.mod's folder, dir or above.
func find(ctx context.Context, dir string) (repository, error) {
	var r repository
	root, err := git(ctx, dir, "rev-parse", "--show-toplevel")
	if errors.Is(err, exec.ErrNotFound) {
		return r, fmt.Errorf("%w: the gate checks the base revision out with git; install it", err)
	}
	if err != nil {
		return r, fmt.Errorf("%s is in no checkout of a git repository: %w", dir, err)
	}
	common, err := git(ctx, root, "rev-parse", "--path-format=absolute", "--git-common-dir")
	if err != nil {
		return r, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil { // as git gives root
		return r, err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			module, err := filepath.Rel(root, d)
			return repository{root, module, common}, err
		}
		if d == root || d == filepath.Dir(d) {
			return r, fmt.Errorf("no go.mod in %s or above it up to %s: run the gate in a Go module", dir, root)
		}
	}
}

// resolve is the full name of the commit that a revision means.
func (r repository) resolve(ctx context.Context, revision string) (string, error) {
	if strings.HasPrefix(revision, "-") { // git would take it as a flag, and not every version has --end-of-options here
		return "", fmt.Errorf("there is no commit %q: no revision begins with a dash", revision)
	}
	commit, err := git(ctx, r.root, "rev-parse", "--verify", "--quiet", revision+"^{commit}")
	if err == nil {
		return commit, nil
	}
	if ctx.Err() != nil {
		return "", err
	}
	advice := "name a branch, tag or commit that git rev-parse knows; one that only a remote has must be fetched first"
	if shallow, err := git(ctx, r.root, "rev-parse", "--is-shallow-repository"); err == nil && shallow == "true" {
		advice = "this is a shallow clone, which has not the whole history: run git fetch --unshallow, or in CI clone whole (actions/checkout: fetch-depth: 0; GitLab: GIT_DEPTH: 0)"
	}
	return "", fmt.Errorf("there is no commit %q in %s: %s", revision, r.root, advice)
}

// state is the commit of the working tree, with a + where files differ from it. A file that git does not
// know counts: the compiler takes it.
func (r repository) state(ctx context.Context) (string, error) {
	commit, err := git(ctx, r.root, "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return "", err
	}
	changes, err := git(ctx, r.root, "status", "--porcelain")
	if err != nil {
		return "", err
	}
	if changes != "" {
		commit += "+"
	}
	return commit, nil
}

// checkOut makes dir a worktree at commit, with what git ignores left in place: it is the set-up's. One that
// is stale, half made or broken is made anew.
func (r repository) checkOut(ctx context.Context, dir, commit string) error {
	if r.owns(ctx, dir) && r.update(ctx, dir, commit) == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// Twice forced: git locks a worktree while it makes it, so one half made stays locked.
	_, _ = git(ctx, r.root, "worktree", "remove", "--force", "--force", dir)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("cannot make the base's worktree anew: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	// No git worktree prune: the user's own worktrees may be on a disk that is not there now. Forced
	// twice, add takes over what is left of one here.
	if _, err := git(ctx, r.root, "worktree", "add", "--force", "--force", "--detach", dir, commit); err != nil {
		return fmt.Errorf("cannot check the base out at %s: %w", dir, err)
	}
	return submodules(ctx, dir)
}

// owns says whether dir is a worktree of the repository, and not a plain folder in another.
func (r repository) owns(ctx context.Context, dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, ".git")); err != nil {
		return false
	}
	common, err := git(ctx, dir, "rev-parse", "--path-format=absolute", "--git-common-dir")
	return err == nil && common == r.git
}

func (r repository) update(ctx context.Context, dir, commit string) error {
	if _, err := git(ctx, dir, "checkout", "--quiet", "--force", "--detach", commit); err != nil {
		return err
	}
	if _, err := git(ctx, dir, "clean", "-ffdq"); err != nil {
		return err
	}
	return submodules(ctx, dir)
}

// submodules checks out what a worktree's commit has of them; git worktree leaves them empty.
func submodules(ctx context.Context, dir string) error {
	if !exists(filepath.Join(dir, ".gitmodules")) {
		return nil
	}
	if _, err := git(ctx, dir, "submodule", "--quiet", "update", "--init", "--recursive", "--force"); err != nil {
		return fmt.Errorf("the base's submodules: %w", err)
	}
	return nil
}
