package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

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
// revision is a branch, a tag or a commit; empty is main. The weights are model.safetensors, else its shards,
// else pytorch_model.bin, else its shards.
//
// A commit whose files are all in the cache needs no network. Otherwise the Hub is asked for the revision's
// commit; if it cannot be reached, or with Offline, the cached commit is used, if it is complete.
func (c *Client) Model(ctx context.Context, repo, revision string) (dir, commit string, err error) {
	s, err := c.snapshot(ctx, "models", repo, revision, modelFiles)
	if err != nil {
		return "", "", err
	}
	return s.Dir, s.Commit, nil
}

// DatasetSnapshot returns a data set's files, as chosen by DataFiles, downloading them as Model does. Unless the network
// is missing the Hub is asked for the list of files even for a commit: the cache does not know whether it has all.
func (c *Client) DatasetSnapshot(ctx context.Context, repo, revision string) (*Snapshot, error) {
	return c.snapshot(ctx, "datasets", repo, revision, func(names []string, _ reader) ([]string, []string, error) {
		return DataFiles(names)
	})
}

// A reader returns the contents of a file of the snapshot.
type reader func(name string) ([]byte, error)

// A chooser returns which of a revision's files are wanted, or why they are not all there.
type chooser func(names []string, read reader) (take, skip []string, err error)

func (c *Client) snapshot(ctx context.Context, kind, repo, revision string, choose chooser) (*Snapshot, error) {
	r, err := c.repository(kind, repo, revision)
	if err != nil {
		return nil, err
	}
	if kind == "models" && commitID.MatchString(r.revision) {
		if s, err := r.fromCache(choose); err == nil {
			return s, nil
		}
	}
	if c.Offline {
		s, err := r.fromCache(choose)
		if err != nil {
			return nil, c.explain(r, fmt.Errorf("offline (HF_HUB_OFFLINE), and the cache %s does not have it: %w; unset HF_HUB_OFFLINE, or %s",
				c.Cache, missing(err), r.remedy()))
		}
		return s, nil
	}
	l, err := c.list(ctx, r)
	if err != nil {
		if ctx.Err() == nil && transient(err) {
			s, cacheErr := r.fromCache(choose)
			if cacheErr == nil {
				return s, nil
			}
			if broken := (*damage)(nil); errors.As(cacheErr, &broken) {
				err = fmt.Errorf("%w; and in the cache %w", err, cacheErr)
			}
		}
		return nil, c.explain(r, err)
	}
	s, err := r.whole(l, choose)
	if err != nil {
		s, err = c.download(ctx, r, l, choose)
	}
	if err == nil {
		err = r.writeRef(l.commit)
	}
	if err != nil {
		return nil, c.explain(r, err)
	}
	return s, nil
}

// missing shortens the error of an absent file, which names its path.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no snapshot of this revision")
	}
	return err
}

func (r repository) fromCache(choose chooser) (*Snapshot, error) {
	l, err := r.cached()
	if err != nil {
		return nil, err
	}
	return r.whole(l, choose)
}

// whole returns the snapshot if the cache has all of the chosen files, undamaged.
func (r repository) whole(l listing, choose chooser) (*Snapshot, error) {
	dir := r.snapshot(l.commit)
	take, skip, err := choose(l.names, func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	})
	if err != nil {
		return nil, err
	}
	for _, name := range take {
		if err := r.check(l, name); err != nil {
			return nil, err
		}
	}
	return &Snapshot{Dir: dir, Commit: l.commit, Files: take, Skipped: skip}, nil
}

// check fails unless a file of the snapshot matches the name of its blob, or the Hub's list where it is no link.
func (r repository) check(l listing, name string) error {
	path := filepath.Join(r.snapshot(l.commit), filepath.FromSlash(name))
	want := l.files[name]
	if target, err := os.Readlink(path); err == nil {
		want.etag = filepath.Base(target)
	}
	err := sound(path, want.etag, want.size)
	if broken := (*damage)(nil); errors.As(err, &broken) {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return err
}

// download fetches the chosen files into the cache: first all blobs, then the links.
func (c *Client) download(ctx context.Context, r repository, l listing, choose chooser) (*Snapshot, error) {
	unlock, err := c.lock(ctx, r)
	if err != nil {
		return nil, err
	}
	defer unlock()
	dir := r.snapshot(l.commit)
	etags := map[string]string{}
	bring := func(name string) (path string, err error) {
		if etags[name] == "" {
			if err := r.check(l, name); err == nil {
				return filepath.Join(dir, filepath.FromSlash(name)), nil
			} else if broken := (*damage)(nil); errors.As(err, &broken) {
				c.notice(err.Error() + ": fetching it again")
			}
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
	if err := c.room(r.lacks(l, take)); err != nil {
		return nil, err
	}
	for _, name := range take {
		if _, err := bring(name); err != nil {
			return nil, err
		}
	}
	for i, name := range take {
		if etag := etags[name]; etag != "" {
			shared := slices.ContainsFunc(take[i+1:], func(later string) bool { return etags[later] == etag })
			if err := r.link(dir, name, etag, shared); err != nil {
				return nil, err
			}
		}
	}
	r.clean()
	return &Snapshot{Dir: dir, Commit: l.commit, Files: take, Skipped: skip}, nil
}

// lock makes the repository's folders and waits until no other process downloads into them.
func (c *Client) lock(ctx context.Context, r repository) (unlock func(), err error) {
	locks := filepath.Join(c.Cache, ".locks", filepath.Base(r.folder)) // where huggingface_hub keeps them
	for _, dir := range []string{locks, filepath.Dir(r.blob("x"))} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, err
		}
	}
	unlock, err = file.Lock(ctx, filepath.Join(locks, "lorabench.lock"), func(holder string) {
		c.notice(fmt.Sprintf("waiting for %s, which downloads %s", holder, r.name))
	})
	if file.NoLocks(err) {
		// Files are hashed on the disk before they get their names: two processes at a time only waste time.
		return func() {}, nil
	}
	return unlock, err
}

// lacks counts the bytes to download, as far as the Hub's list states them.
func (r repository) lacks(l listing, names []string) (sum int64) {
	for _, name := range names {
		f := l.files[name]
		if f.size <= 0 || r.check(l, name) == nil {
			continue
		}
		if whole, part := r.local(f.etag, f.size); !whole {
			sum += f.size - part
		}
	}
	return sum
}

// clean removes what downloads that were interrupted and never resumed left behind. The caller holds the lock.
func (r repository) clean() {
	dir := filepath.Dir(r.blob("x"))
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), partSuffix) {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// link makes the snapshot's file a link to its blob. If the file system has no links, the blob is moved there, or copied if
// another file needs it too, so that large files are not stored twice.
func (r repository) link(dir, name, etag string, shared bool) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	up := strings.Repeat("../", 2+strings.Count(name, "/"))
	beside := r.part("link")
	_ = os.Remove(beside)
	if err := os.Symlink(filepath.FromSlash(up+"blobs/"+etag), beside); err == nil {
		return os.Rename(beside, path)
	}
	if !shared {
		return file.Rename(r.blob(etag), path)
	}
	blob, err := os.Open(r.blob(etag))
	if err != nil {
		return err
	}
	defer blob.Close()
	return file.Replace(path, func(w io.Writer) error {
		_, err := io.Copy(w, blob)
		return err
	})
}

// writeRef records which commit the revision is, for use without a network. A cache that cannot be written is no error.
func (r repository) writeRef(commit string) error {
	if old, err := os.ReadFile(r.ref()); r.revision == commit || err == nil && string(old) == commit {
		return nil
	}
	err := file.Write(r.ref(), []byte(commit))
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil
	}
	return err
}
