package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lorabench/internal/file"
)

// Snapshot is a revision's files in the cache.
type Snapshot struct {
	Dir     string   // the folder
	Commit  string   // 40 hex digits
	Files   []string // the files that were asked for, by their names in the repository
	Skipped []string // data files that were left out
}

// Model returns the folder with a model's config.json, weights and tokenizer, downloading what the cache lacks.
// revision is a branch, a tag or a commit; empty is main. Of the weights it takes model.safetensors, else its shards,
// else pytorch_model.bin, else its shards.
//
// A commit whose files are all in the cache needs no network. Otherwise the Hub is asked where the revision stands;
// if it cannot be reached, or with Offline, what the cache knows of it is used, if that is whole.
func (c *Client) Model(ctx context.Context, repo, revision string) (dir, commit string, err error) {
	s, err := c.snapshot(ctx, "models", repo, revision, modelFiles)
	if err != nil {
		return "", "", err
	}
	return s.Dir, s.Commit, nil
}

// Dataset returns the folder with a data set's files (DataFiles says which), as Model does. Unless the network is
// missing the Hub is asked for the list of files even for a commit: the cache cannot tell whether it has all.
func (c *Client) Dataset(ctx context.Context, repo, revision string) (dir, commit string, err error) {
	s, err := c.DatasetSnapshot(ctx, repo, revision)
	if err != nil {
		return "", "", err
	}
	return s.Dir, s.Commit, nil
}

// DatasetSnapshot is Dataset, and says which files were taken and which left out.
func (c *Client) DatasetSnapshot(ctx context.Context, repo, revision string) (*Snapshot, error) {
	return c.snapshot(ctx, "datasets", repo, revision, func(names []string, _ reader) ([]string, []string, error) {
		return DataFiles(names)
	})
}

// A reader returns the contents of a file of the snapshot.
type reader func(name string) ([]byte, error)

// A chooser says which of a revision's files are wanted, or why they are not all there.
type chooser func(names []string, read reader) (take, skip []string, err error)

func (c *Client) snapshot(ctx context.Context, kind, repo, revision string, choose chooser) (*Snapshot, error) {
	r, err := c.repository(kind, repo, revision)
	if err != nil {
		return nil, err
	}
	if kind == "models" && commitID.MatchString(r.revision) {
		if s, err := c.fromCache(r, choose); err == nil {
			return s, nil
		}
	}
	if c.Offline {
		s, err := c.fromCache(r, choose)
		if err != nil {
			return nil, c.explain(r, fmt.Errorf("offline (HF_HUB_OFFLINE), and the cache %s does not have it: %w; unset HF_HUB_OFFLINE, or %s",
				c.Cache, missing(err), r.remedy()))
		}
		return s, nil
	}
	l, err := c.list(ctx, r)
	if err != nil {
		if ctx.Err() == nil && transient(err) {
			if s, cacheErr := c.fromCache(r, choose); cacheErr == nil {
				return s, nil
			}
		}
		return nil, c.explain(r, err)
	}
	s, err := c.download(ctx, r, l, choose)
	if err != nil {
		return nil, c.explain(r, err)
	}
	return s, nil
}

// missing shortens the path that an absent file's error names.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no snapshot of this revision")
	}
	return err
}

func (c *Client) fromCache(r repository, choose chooser) (*Snapshot, error) {
	l, err := r.cached()
	if err != nil {
		return nil, err
	}
	dir := r.snapshot(l.commit)
	take, skip, err := choose(l.names, func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	})
	if err != nil {
		return nil, err
	}
	return &Snapshot{Dir: dir, Commit: l.commit, Files: take, Skipped: skip}, nil
}

// download brings the chosen files into the cache: first all blobs, then the links, then the name of the revision.
func (c *Client) download(ctx context.Context, r repository, l listing, choose chooser) (*Snapshot, error) {
	dir := r.snapshot(l.commit)
	etags := map[string]string{}
	bring := func(name string) (path string, err error) {
		path = filepath.Join(dir, filepath.FromSlash(name))
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if etags[name] == "" {
			if etags[name], err = c.fetch(ctx, r, l.commit, name); err != nil {
				return "", err
			}
		}
		return r.blob(etags[name]), nil
	}
	take, skip, err := choose(l.names, func(name string) ([]byte, error) {
		path, err := bring(name)
		if err != nil {
			return nil, err
		}
		return os.ReadFile(path)
	})
	if err != nil {
		return nil, err
	}
	for _, name := range take {
		if _, err := bring(name); err != nil {
			return nil, err
		}
	}
	for _, name := range take {
		if etag := etags[name]; etag != "" {
			if err := r.link(dir, name, etag); err != nil {
				return nil, err
			}
		}
	}
	if r.revision != l.commit {
		if err := writeFile(r.ref(), l.commit); err != nil {
			return nil, err
		}
	}
	return &Snapshot{Dir: dir, Commit: l.commit, Files: take, Skipped: skip}, nil
}

// link makes the snapshot's file a link to its blob. Where the file system has no links, the blob moves there.
func (r repository) link(dir, name, etag string) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	up := strings.Repeat("../", 2+strings.Count(name, "/"))
	beside := fmt.Sprintf("%s.%d.%d", path, os.Getpid(), downloads.Add(1))
	if err := os.Symlink(filepath.FromSlash(up+"blobs/"+etag), beside); err != nil {
		return os.Rename(r.blob(etag), path)
	}
	if err := os.Rename(beside, path); err != nil {
		_ = os.Remove(beside)
		return err
	}
	return nil
}

// writeFile replaces a small file in one step.
func writeFile(path, text string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil // the cache may be one that cannot be written
	}
	return file.Write(path, []byte(text))
}
