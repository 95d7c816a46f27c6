package hub

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	commit1 = "1111111111111111111111111111111111111111"
	commit2 = "2222222222222222222222222222222222222222"
	token   = "hf_secret"
)

// fakeHub is a Hub with one repository; its large files are on another host.
type fakeHub struct {
	*httptest.Server
	cdn *httptest.Server

	mu       sync.Mutex
	kind     string
	commit   string
	files    map[string]string // small ones
	large    map[string]string
	requests []string
	tokens   map[string][]string                               // by host: what came as Authorization
	answer   func(w http.ResponseWriter, r *http.Request) bool // answers instead, if it says so
	terse    bool                                              // the list says no more than names, as a mirror's may
	ranges   []string                                          // what the store was asked for
	cdnDoes  func(w http.ResponseWriter, r *http.Request, body string) bool
}

func newFakeHub(t *testing.T) *fakeHub {
	h := &fakeHub{kind: "models", commit: commit1, tokens: map[string][]string{}, files: map[string]string{
		"config.json": `{"model_type":"opt"}`, "vocab.json": "{}", "merges.txt": "#version: 0.2\n", "README.md": "text",
	}, large: map[string]string{"pytorch_model.bin": strings.Repeat("weights ", 100_000)}}
	h.Server = httptest.NewServer(http.HandlerFunc(h.serveHub))
	h.cdn = httptest.NewServer(http.HandlerFunc(h.serveCDN))
	t.Cleanup(h.Server.Close)
	t.Cleanup(h.cdn.Close)
	return h
}

func (h *fakeHub) client(t *testing.T) *Client {
	return &Client{Endpoint: h.URL, Token: token, Cache: t.TempDir(), pause: time.Millisecond, Notice: func(text string) { t.Log(text) }}
}

func (h *fakeHub) note(r *http.Request, host string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = append(h.requests, host+" "+r.URL.Path)
	h.tokens[host] = append(h.tokens[host], r.Header.Get("Authorization"))
}

func (h *fakeHub) count(part string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.requests {
		if strings.Contains(r, part) {
			n++
		}
	}
	return n
}

func (h *fakeHub) serveHub(w http.ResponseWriter, r *http.Request) {
	h.note(r, "hub")
	if h.answer != nil && h.answer(w, r) {
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/api/"+h.kind+"/owner/name/revision/"); ok {
		if rest != "main" && rest != h.commit && rest != "refs/pr/1" {
			w.Header().Set("X-Error-Code", "RevisionNotFound")
			http.Error(w, "", http.StatusNotFound)
			return
		}
		var list []map[string]any
		for name, body := range h.files {
			list = append(list, map[string]any{"rfilename": name, "size": len(body), "blobId": gitHash(body)})
		}
		for name, body := range h.large {
			list = append(list, map[string]any{"rfilename": name, "size": len(body), "blobId": gitHash("pointer"), "lfs": map[string]any{"sha256": sha(body)}})
		}
		if h.terse || r.URL.RawQuery != "blobs=true" {
			for _, file := range list {
				maps.DeleteFunc(file, func(key string, _ any) bool { return key != "rfilename" })
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"sha": h.commit, "siblings": list})
		return
	}
	prefix := "/owner/name/resolve/" + h.commit + "/"
	if h.kind != "models" {
		prefix = "/" + h.kind + prefix
	}
	w.Header().Set("X-Repo-Commit", h.commit)
	name := strings.TrimPrefix(strings.Replace(r.URL.Path, "/resolve/main/", "/resolve/"+h.commit+"/", 1), prefix)
	if body, ok := h.files[name]; ok {
		w.Header().Set("ETag", `W/"`+gitHash(body)+`"`)
		_, _ = w.Write([]byte(body))
		return
	}
	if body, ok := h.large[name]; ok {
		w.Header().Set("X-Linked-Etag", `"`+sha(body)+`"`)
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(body)))
		w.Header().Set("ETag", `"of-the-redirect"`)
		http.Redirect(w, r, h.cdn.URL+"/"+name, http.StatusFound)
		return
	}
	http.NotFound(w, r)
}

func (h *fakeHub) serveCDN(w http.ResponseWriter, r *http.Request) {
	h.note(r, "cdn")
	h.mu.Lock()
	h.ranges = append(h.ranges, r.Header.Get("Range"))
	does := h.cdnDoes
	h.mu.Unlock()
	body := h.large[strings.TrimPrefix(r.URL.Path, "/")]
	if does != nil && does(w, r, body) {
		return
	}
	w.Header().Set("ETag", `"of-the-store"`)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func gitHash(s string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(s), s))
	return hex.EncodeToString(sum[:])
}

// tree lists the files below a folder, but for locks.
func tree(t *testing.T, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Base(path) != "lorabench.lock" {
			name, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(name))
		}
		return err
	}))
	slices.Sort(names)
	return names
}

// whole is what the cache must hold after the model was fetched; anything else is a leftover.
func (h *fakeHub) whole() []string {
	repo := "models--owner--name/"
	names := []string{repo + "refs/main"}
	for _, m := range []map[string]string{h.files, h.large} {
		for name, body := range m {
			if name == "README.md" {
				continue
			}
			hash := gitHash(body)
			if m[name] == h.large[name] {
				hash = sha(body)
			}
			names = append(names, repo+"blobs/"+hash, repo+"snapshots/"+h.commit+"/"+name)
		}
	}
	slices.Sort(names)
	return names
}
