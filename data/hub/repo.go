package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// repository is one revision of a repository.
type repository struct {
	kind     string // models or datasets
	name     string // owner/name
	revision string
	folder   string // in the cache
}

var (
	repoName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$`)
	commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)
	blobName = regexp.MustCompile(`^[A-Za-z0-9][\w.+=-]*$`)
)

func (c *Client) repository(kind, name, revision string) (repository, error) {
	revision = first(revision, "main")
	r := repository{kind: kind, name: name, revision: revision}
	switch {
	case !repoName.MatchString(name):
		return r, fmt.Errorf("%q is not the name of a repository on the Hub, such as facebook/opt-350m", name)
	case !filepath.IsLocal(filepath.FromSlash(revision)):
		return r, fmt.Errorf("%s: %q is not a revision", name, revision)
	case c.Cache == "":
		return r, errors.New("the client for the Hub has no cache folder: set HOME or HF_HOME")
	}
	r.folder = filepath.Join(c.Cache, kind+"--"+strings.ReplaceAll(name, "/", "--"))
	return r, nil
}

func (r repository) snapshot(commit string) string {
	return filepath.Join(r.folder, "snapshots", commit)
}
func (r repository) blob(etag string) string { return filepath.Join(r.folder, "blobs", etag) }

// part returns the path that a blob is downloaded to. huggingface_hub's partial files have other names.
func (r repository) part(etag string) string { return r.blob(etag) + partSuffix }

const partSuffix = ".lorabench.incomplete"

// path returns the repository's path in the Hub's addresses.
func (r repository) path() string {
	if r.kind == "models" {
		return "/" + r.name
	}
	return "/" + r.kind + "/" + r.name
}

func (r repository) ref() string {
	return filepath.Join(r.folder, "refs", filepath.FromSlash(r.revision))
}

// has reports whether the file of this hash is in the cache, undamaged. size is 0 or less where it is not known.
func (r repository) has(etag string, size int64) bool {
	return blobName.MatchString(etag) && sound(r.blob(etag), etag, size) == nil
}

// local reports how much of the file of this hash the cache has.
func (r repository) local(etag string, size int64) (whole bool, part int64) {
	if r.has(etag, size) {
		return true, 0
	}
	if info, err := os.Stat(r.part(etag)); err == nil && blobName.MatchString(etag) && (size < 0 || info.Size() <= size) {
		part = info.Size()
	}
	return false, part
}

// remedy returns the end of an error: what to do instead.
func (r repository) remedy() string {
	if r.kind == "models" {
		return "download its files elsewhere and give their folder (-model=DIR)"
	}
	return "download its files elsewhere and give their path (-data=PATH)"
}

// listing holds a revision's commit and files, as the Hub or the cache lists them.
type listing struct {
	commit string
	names  []string
	files  map[string]remote
}

// remote is a file as the Hub lists it. A mirror may state neither: "" and 0.
type remote struct {
	etag string
	size int64
}

func (c *Client) list(ctx context.Context, r repository) (listing, error) {
	hub, err := c.endpoint()
	if err != nil {
		return listing{}, err
	}
	address := hub.String() + "/api/" + r.kind + "/" + r.name + "/revision/" + url.PathEscape(r.revision) + "?blobs=true"
	var body []byte
	err = c.again(ctx, func() error {
		a, err := c.get(ctx, address, nil)
		if err != nil {
			return err
		}
		defer a.Body.Close()
		if body, err = io.ReadAll(io.LimitReader(a.Body, 64<<20)); err != nil {
			return &networkError{host: hub.Host, err: err}
		}
		return nil
	})
	if err != nil {
		return listing{}, err
	}
	l, err := parseListing(body)
	if err != nil {
		return l, fmt.Errorf("%s did not answer as a Hub does: %w", hub.Host, err)
	}
	return l, nil
}

func parseListing(body []byte) (listing, error) {
	var info struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name   string `json:"rfilename"`
			Size   int64  `json:"size"`
			BlobID string `json:"blobId"`
			LFS    struct {
				SHA256 string `json:"sha256"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return listing{}, err
	}
	if !commitID.MatchString(info.SHA) {
		return listing{}, fmt.Errorf("its sha is %.80q", info.SHA)
	}
	l := listing{commit: info.SHA, files: map[string]remote{}}
	for _, s := range info.Siblings {
		// A name that leads out of the snapshot's folder is never one of the files wanted.
		if !filepath.IsLocal(filepath.FromSlash(s.Name)) || strings.Contains(s.Name, `\`) {
			continue
		}
		l.names = append(l.names, s.Name)
		l.files[s.Name] = remote{etag: first(s.LFS.SHA256, s.BlobID), size: s.Size}
	}
	return l, nil
}

// fileURL returns the address of a file of a commit.
func (c *Client) fileURL(r repository, commit, name string) (string, error) {
	hub, err := c.endpoint()
	if err != nil {
		return "", err
	}
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return hub.String() + r.path() + "/resolve/" + commit + "/" + strings.Join(parts, "/"), nil
}

// cached returns what the cache has of the revision. It does not know which other files the repository has.
func (r repository) cached() (listing, error) {
	commit := r.revision
	if !commitID.MatchString(commit) {
		raw, err := os.ReadFile(r.ref())
		if err != nil {
			return listing{}, err
		}
		if commit = strings.TrimSpace(string(raw)); !commitID.MatchString(commit) {
			return listing{}, fmt.Errorf("%s holds %.50q, which is no commit: delete it", r.ref(), commit)
		}
	}
	l := listing{commit: commit}
	dir := r.snapshot(commit)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if _, err := os.Stat(path); err != nil { // a link to a blob that is gone
			return nil
		}
		name, err := filepath.Rel(dir, path)
		l.names = append(l.names, filepath.ToSlash(name))
		return err
	})
	slices.Sort(l.names)
	return l, err
}

// explain adds to a failure what to do about it.
func (c *Client) explain(r repository, err error) error {
	what := strings.TrimSuffix(r.kind, "s")
	if what == "dataset" {
		what = "data set"
	}
	err = fmt.Errorf("%s %s at %q: %w", what, r.name, r.revision, err)
	if advice := c.advice(r, err); advice != "" && !c.Offline {
		err = fmt.Errorf("%w; %s", err, advice)
	}
	return c.discreet(err)
}

func (c *Client) advice(r repository, err error) string {
	page := strings.TrimRight(first(c.Endpoint, defaultEndpoint), "/") + r.path()
	var status *statusError
	var network *networkError
	switch {
	case errors.As(err, &status) && status.code == http.StatusUnauthorized && c.Token == "":
		return "it does not exist, or is not public: check the name, or set HF_TOKEN to a token that may read it"
	case errors.As(err, &status) && status.code == http.StatusUnauthorized:
		return "it does not exist, or the token (HF_TOKEN) is not valid: check both"
	case errors.As(err, &status) && status.code == http.StatusForbidden:
		return "accept its terms at " + page + ", and set HF_TOKEN to a token that may read it"
	case errors.As(err, &status) && status.code == http.StatusNotFound:
		return "check the name and the revision at " + page
	case errors.As(err, &network):
		return "without a network, " + r.remedy() + "; for a mirror set HF_ENDPOINT"
	case transient(err):
		return "try again later: what came whole is kept, and a file that broke off goes on where it was"
	case errors.Is(err, syscall.ENOSPC):
		return "make room, or set HF_HUB_CACHE to a folder on a larger disk; what came is kept"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return "files of the cache are missing or damaged, and it cannot be written: set HF_HUB_CACHE to a folder you can write, or, " +
			"where it has another revision that will do, HF_HUB_OFFLINE=1"
	}
	return ""
}
