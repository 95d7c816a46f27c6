// Package root finds the folder that relative paths start from: a checkout of lorabench, or a bundle made by internal/bundle,
// which has the same layout without sources.
package root

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// A bundle's run script sets these.
const (
	Variable            = "LORABENCH_ROOT"         // the bundle's folder
	LibraryPathVariable = "LORABENCH_LIBRARY_PATH" // LD_LIBRARY_PATH as the user has it
)

// ManifestName is a bundle's list of its files.
const ManifestName = "manifest.json"

// Manifest records what a bundle was made of.
type Manifest struct {
	Commit string `json:"commit"` // with a + where the tree differed from it
	Go     string `json:"go"`
	Torch  string `json:"torch"` // built against; any build of the same version runs it
	Files  []File `json:"files"`
}

// File is a file of a bundle. Path is relative, with slashes.
type File struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Dir returns the folder that Variable names, else the one with go.mod, here or above.
func Dir() (string, error) {
	if dir := os.Getenv(Variable); dir != "" {
		abs, err := filepath.Abs(dir)
		if err == nil {
			_, err = os.Stat(filepath.Join(abs, ManifestName))
		}
		if err != nil {
			return "", fmt.Errorf("%s is %q: %w: name the folder of a bundle, or unset it", Variable, dir, err)
		}
		return abs, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no go.mod in %s or above it: run this inside a checkout of lorabench, or through a bundle's run", dir)
		}
	}
}

// Bundled reports whether this process runs in a bundle, where there is no repository, source, Go or compiler.
func Bundled() bool { return os.Getenv(Variable) != "" }

// Read returns the manifest of the bundle in dir.
func Read(dir string) (Manifest, error) {
	var m Manifest
	path := filepath.Join(dir, ManifestName)
	b, err := os.ReadFile(path)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%s: %w: unpack the bundle again", path, err)
	}
	return m, nil
}

// Commit returns the revision of this program, with a + where the tree differs from it: from a bundle's manifest, else from git,
// because go test does not stamp its binaries with the revision. It is "unknown" if neither has it.
var Commit = sync.OnceValue(func() string {
	dir, err := Dir()
	if err != nil {
		return "unknown"
	}
	if Bundled() {
		m, err := Read(dir)
		if err != nil {
			return "unknown"
		}
		return m.Commit
	}
	rev, err := exec.Command("git", "-C", dir, "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	c := strings.TrimSpace(string(rev))
	if dirty, err := exec.Command("git", "-C", dir, "status", "--porcelain", "--untracked-files=no").Output(); err != nil || len(dirty) > 0 {
		c += "+"
	}
	return c
})

// NeedCheckout skips a test that needs what a bundle does not have, such as sources or the go command.
func NeedCheckout(t interface {
	Helper()
	Skipf(format string, args ...any)
}, what string) {
	t.Helper()
	if Bundled() {
		t.Skipf("needs %s: not in a bundle", what)
	}
}

// Abs makes a path absolute. In a checkout a relative one starts at its root, because go test runs in the package's own folder, which
// is not where the user typed it; else in the working folder.
func Abs(path string) (string, error) {
	if dir, err := Dir(); err == nil && !Bundled() && !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	return filepath.Abs(path)
}
