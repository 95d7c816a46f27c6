package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lorabench/internal/cache"
	"lorabench/internal/file"
)

// prepareGotch returns the folder with the patched copy of gotch for the given libtorch, making it if need be.
//
// The copy is in the user's cache and not in the checkout because Go's build cache keys on the folder: so every clone and
// work tree of one user shares one compilation of about 100 s. Go's -overlay was tried first; it refuses to replace files of
// the module cache.
func (s *setup) prepareGotch(lt libtorch) (string, error) {
	source, sum, err := s.downloadGotch()
	if err != nil {
		return "", err
	}
	final := filepath.Join(s.cache, "gotch-"+gotchVersion+"-"+patchKey(sum, lt.Dir, lt.Version))
	if err := checkCgoPath("the cache", final); err != nil {
		return "", err
	}
	err = s.ensureDir(final, "gotch", func(partial string) (map[string]int64, error) {
		s.say("gotch: preparing %s for libtorch %s in %s", gotchVersion, lt.Version, final)
		s.say("gotch: the next build compiles it, which takes a minute or two, once")
		if err := copyGotch(source, partial); err != nil {
			return nil, fmt.Errorf("cannot copy gotch to %s: %w", partial, err)
		}
		if err := patchGotch(partial, lt.Dir); err != nil {
			return nil, err
		}
		return cache.AllSizes(partial)
	})
	return final, err
}

// downloadGotch has the go command put gotch into the module cache, which also checks it against go.sum.
func (s *setup) downloadGotch() (dir, sum string, err error) {
	module := gotchPath + "@" + gotchVersion
	out, runErr := s.output(s.root, []string{"GOWORK=off"}, "go", "mod", "download", "-json", module)
	var answer struct{ Dir, Sum, Error string }
	if err := json.Unmarshal(out, &answer); err != nil && runErr == nil {
		return "", "", fmt.Errorf("go mod download %s gave no JSON (%w): check that `go` on PATH is the Go tool", module, err)
	}
	switch {
	case answer.Error != "":
		return "", "", fmt.Errorf("gotch cannot be downloaded (%s): check the network or set GOPROXY, then run make again", oneLine(answer.Error))
	case runErr != nil:
		return "", "", fmt.Errorf("gotch cannot be downloaded (%w): check the network or set GOPROXY, then run make again", runErr)
	case answer.Dir == "":
		return "", "", fmt.Errorf("go mod download %s named no folder: run `go clean -modcache` and make again", module)
	}
	return answer.Dir, answer.Sum, nil
}

// copyGotch copies what a build reads. The examples and the code generator, 90 of 94 MB, stay behind.
func copyGotch(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if rel == "example" || rel == "gen" {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		switch filepath.Ext(rel) {
		case ".go", ".h", ".cpp", ".mod", ".sum":
		default:
			if rel != "LICENSE" {
				return nil
			}
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
}

func patchGotch(dir, torch string) error {
	libGo := filepath.Join(dir, "libtch", "lib.go")
	original, err := os.ReadFile(libGo)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("gotch %s has no libtch/lib.go, so its download is damaged: run `go clean -modcache` and make again", gotchVersion)
	}
	if err != nil {
		return fmt.Errorf("cannot read gotch: %w", err)
	}
	if sum := sha256.Sum256(original); hex.EncodeToString(sum[:]) != libGoSum {
		return fmt.Errorf("libtch/lib.go of gotch %s is not the one the patch was written for (sha256 %x): run `go clean -modcache` and make again, or renew the patch in internal/setup/patch.go", gotchVersion, sum[:4])
	}
	if err := os.WriteFile(libGo, []byte(patchedLibGo(torch)), 0o644); err != nil {
		return fmt.Errorf("cannot patch gotch: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "libtch", compatName), []byte(compatHeader), 0o644); err != nil {
		return fmt.Errorf("cannot patch gotch: %w", err)
	}
	return nil
}

// goWork returns the content of go.work. Its go line is the module's own, since Go refuses a workspace older than its module.
func goWork(goMod []byte, gotch string) (string, error) {
	for line := range strings.Lines(string(goMod)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "go" {
			return fmt.Sprintf("// Written by internal/setup, which make runs. Not under version control: the path is this machine's.\n\n"+
				"go %s\n\nuse .\n\nreplace %s => %s\n", fields[1], gotchPath, modQuote(gotch)), nil
		}
	}
	return "", errors.New("go.mod has no go line: restore it from version control")
}

// modQuote quotes a path for go.work, whose syntax is go.mod's.
func modQuote(path string) string {
	if strings.ContainsAny(path, " '`\"()[]{},") || strings.Contains(path, "//") {
		return fmt.Sprintf("%q", path)
	}
	return path
}

// writeGoWork writes go.work in the root, unless it is already so.
func (s *setup) writeGoWork(gotch string) error {
	goMod, err := os.ReadFile(filepath.Join(s.root, "go.mod"))
	if err != nil {
		return fmt.Errorf("cannot read go.mod: %w", err)
	}
	want, err := goWork(goMod, gotch)
	if err != nil {
		return err
	}
	path := filepath.Join(s.root, "go.work")
	have, err := os.ReadFile(path)
	if err == nil && string(have) == want {
		return nil
	}
	if err := file.Write(path, []byte(want)); err != nil {
		return fmt.Errorf("cannot write go.work: %w", err)
	}
	s.say("go.work: gotch is %s", gotch)
	return nil
}
