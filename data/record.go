// Package data turns instruction records into token batches: records come from files or the Hugging Face Hub
// (Load), become text (Prompt), token ids (Tokenizer) and, in a reproducible order (Order), micro-batches without
// padding (Loader, Pack). It is plain Go: nothing here needs torch.
package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"lorabench/data/hub"
)

// Record is one instruction with its answer. Input is often empty.
type Record struct {
	Instruction string `json:"instruction"`
	Input       string `json:"input"`
	Output      string `json:"output"`
	Text        string `json:"text,omitempty"` // in place of the other three: a whole text, used as it is
}

// Set holds the records that Load read.
type Set struct {
	Name    string
	Records []Record
	// Layout names the fields that Records were read from, such as "instruction, input, output".
	Layout string
	// Unused lists the names of further fields that hold text, sorted.
	Unused []string
	// SHA256 is the hex digest of the bytes of Files as they are on disk, one after the other.
	SHA256 string
	// Files lists the files read, in order: absolute paths of local files, or names within the data set's repository.
	Files []string
	// Skipped lists data files beside Files that were left out: another split, or the same data in another format.
	Skipped []string
	// Revision is the commit of a data set from the Hub, empty for local files.
	Revision string
}

// A data set id on the Hub, with an optional revision.
var hubID = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?$`)

// Load reads source: a file, a folder of files, or, where no such path exists, a data set id of the Hub as
// owner/name or owner/name@revision (see hub.FromEnv for its environment variables). Files are a JSON array,
// JSON lines or parquet, plain or gzipped; content decides, not the name. Of a folder or repository the files of the
// train split are read, in one format (hub.DataFiles).
//
// Which fields are read is decided by the first record of a file (layouts). Whatever cannot be read is an error that
// names the file, the record and the field; there are no partial sets.
func Load(ctx context.Context, source string) (*Set, error) {
	return LoadFrom(ctx, nil, source)
}

// LoadFrom is Load with a Hub client of the caller's, for its progress or its settings; nil means hub.FromEnv.
func LoadFrom(ctx context.Context, client *hub.Client, source string) (*Set, error) {
	if source == "" {
		return nil, errors.New("no data: give a file, a folder, or owner/name of a data set on the Hub")
	}
	info, err := os.Stat(source)
	switch {
	case err == nil && info.IsDir():
		return loadFolder(ctx, source)
	case err == nil:
		path, err := filepath.Abs(source)
		if err != nil {
			return nil, fmt.Errorf("data %q: %w", source, err)
		}
		return read(ctx, filepath.Base(path), []string{path}, []string{path})
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("data: %w", err)
	case !hubID.MatchString(source):
		return nil, fmt.Errorf("data %q: there is no such file or folder, and it is not owner/name of a data set on the Hub", source)
	}
	return loadHub(ctx, client, source)
}

func loadFolder(ctx context.Context, folder string) (*Set, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	names, err := filesBelow(folder)
	if err != nil {
		return nil, fmt.Errorf("data %s: %w", folder, err)
	}
	take, skip, err := hub.DataFiles(names)
	if err != nil && slices.ContainsFunc(names, func(name string) bool { return filepath.Ext(name) == ".arrow" }) {
		err = errors.New("it holds Arrow files, as save_to_disk writes them: " + arrow)
	}
	if err != nil {
		return nil, fmt.Errorf("data %s: %w", folder, err)
	}
	paths := within(folder, take)
	set, err := read(ctx, filepath.Base(folder), paths, paths)
	if err != nil {
		return nil, err
	}
	set.Skipped = within(folder, skip)
	return set, nil
}

func loadHub(ctx context.Context, client *hub.Client, source string) (*Set, error) {
	if client == nil {
		var err error
		if client, err = hub.FromEnv(); err != nil {
			return nil, fmt.Errorf("data %q: %w", source, err)
		}
	}
	repo, revision, _ := strings.Cut(source, "@")
	snapshot, err := client.DatasetSnapshot(ctx, repo, revision)
	if err != nil {
		return nil, fmt.Errorf("data %q (no such file or folder here, so taken for a data set on the Hub): %w", source, err)
	}
	set, err := read(ctx, repo, snapshot.Files, within(snapshot.Dir, snapshot.Files))
	if err != nil {
		return nil, err
	}
	set.Skipped, set.Revision = snapshot.Skipped, snapshot.Commit
	return set, nil
}

func filesBelow(folder string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != folder && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		names = append(names, filepath.ToSlash(name))
		return nil
	})
	slices.Sort(names)
	return names, err
}

func within(folder string, names []string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = filepath.Join(folder, filepath.FromSlash(name))
	}
	return paths
}

// read parses the files at paths, which the set calls names.
func read(ctx context.Context, name string, names, paths []string) (*Set, error) {
	set := &Set{Name: name, Files: names}
	sum := sha256.New()
	for i, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		raw, err := os.ReadFile(path)
		if err == nil {
			sum.Write(raw)
			err = set.add(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("data %s: %w", names[i], err)
		}
	}
	if len(set.Records) == 0 {
		return nil, fmt.Errorf("data %s: no records", strings.Join(names, ", "))
	}
	set.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return set, nil
}
