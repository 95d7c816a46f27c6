package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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
	tokens   map[string][]string                                // by host: what came as Authorization
	answer   func(w http.ResponseWriter, r *http.Request) bool // answers instead, if it says so
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
	return &Client{Endpoint: h.URL, Token: token, Cache: t.TempDir(), pause: time.Millisecond}
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
		type sibling struct {
			Name string `json:"rfilename"`
		}
		var list []sibling
		for _, m := range []map[string]string{h.files, h.large} {
			for name := range m {
				list = append(list, sibling{name})
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
	name := strings.TrimPrefix(r.URL.Path, prefix)
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
	body := h.large[strings.TrimPrefix(r.URL.Path, "/")]
	if h.cdnDoes != nil && h.cdnDoes(w, r, body) {
		return
	}
	w.Header().Set("ETag", `"of-the-store"`)
	_, _ = w.Write([]byte(body))
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func gitHash(s string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(s), s))
	return hex.EncodeToString(sum[:])
}

// tree lists the files below a folder.
func tree(t *testing.T, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
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

func TestModel(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	var seen []string
	c.Progress = func(file string, done, total int64) {
		if done == total {
			seen = append(seen, file)
		}
	}
	dir, commit, err := c.Model(context.Background(), "owner/name", "")
	require.NoError(t, err)
	assert.Equal(t, commit1, commit)
	assert.Equal(t, filepath.Join(c.Cache, "models--owner--name", "snapshots", commit1), dir)
	raw, err := os.ReadFile(filepath.Join(dir, "pytorch_model.bin"))
	require.NoError(t, err)
	assert.Equal(t, h.large["pytorch_model.bin"], string(raw))
	assert.Equal(t, h.whole(), tree(t, c.Cache), "the cache's layout, and nothing else in it")
	assert.ElementsMatch(t, []string{"config.json", "vocab.json", "merges.txt", "pytorch_model.bin"}, seen)
	target, err := os.Readlink(filepath.Join(dir, "pytorch_model.bin"))
	require.NoError(t, err)
	assert.Equal(t, "../../blobs/"+sha(string(raw)), filepath.ToSlash(target), "a relative link, as huggingface_hub makes them")

	assert.Zero(t, h.count("README"), "only what is needed is fetched")
	assert.NotContains(t, h.tokens["hub"], "")
	assert.Equal(t, []string{""}, h.tokens["cdn"], "another host does not see the token")

	before := h.count("resolve")
	_, _, err = c.Model(context.Background(), "owner/name", "main")
	require.NoError(t, err)
	assert.Equal(t, before, h.count("resolve"), "nothing is fetched twice")
	all := h.count("")
	_, _, err = c.Model(context.Background(), "owner/name", commit1)
	require.NoError(t, err)
	assert.Equal(t, all, h.count(""), "a commit that is whole in the cache needs no network")

	// A later commit that changes one file fetches that one; blobs are shared.
	h.commit, h.files["config.json"] = commit2, `{"model_type":"opt","x":1}`
	dir, commit, err = c.Model(context.Background(), "owner/name", "main")
	require.NoError(t, err)
	assert.Equal(t, commit2, commit)
	raw, err = os.ReadFile(filepath.Join(dir, "config.json"))
	require.NoError(t, err)
	assert.Equal(t, h.files["config.json"], string(raw))
	assert.Equal(t, 1, h.count("cdn"), "the weights are the same blob")
}

func TestModelFromTheCacheAlone(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	ctx := context.Background()

	c.Offline = true
	_, _, err := c.Model(ctx, "owner/name", "main")
	require.ErrorContains(t, err, "offline (HF_HUB_OFFLINE)")
	require.ErrorContains(t, err, "-model=DIR")
	assert.Zero(t, h.count(""), "offline means no request")

	c.Offline = false
	want, _, err := c.Model(ctx, "owner/name", "main")
	require.NoError(t, err)
	c.Offline = true
	dir, commit, err := c.Model(ctx, "owner/name", "main")
	require.NoError(t, err)
	assert.Equal(t, want, dir)
	assert.Equal(t, commit1, commit)

	// Not reachable, but not told so either.
	c.Offline = false
	h.Close()
	dir, _, err = c.Model(ctx, "owner/name", "main")
	require.NoError(t, err)
	assert.Equal(t, want, dir)
	_, _, err = c.Model(ctx, "owner/name", "v2")
	require.ErrorContains(t, err, "cannot reach")
	require.ErrorContains(t, err, "HF_ENDPOINT")

	// Half a model is none.
	require.NoError(t, os.Remove(filepath.Join(want, "merges.txt")))
	_, _, err = c.Model(ctx, "owner/name", "main")
	require.ErrorContains(t, err, "cannot reach")
	c.Offline = true
	_, _, err = c.Model(ctx, "owner/name", "main")
	require.ErrorContains(t, err, "neither tokenizer.json nor vocab.json")
}

func TestRevisionWithSlashes(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	_, commit, err := c.Model(context.Background(), "owner/name", "refs/pr/1")
	require.NoError(t, err)
	assert.Equal(t, commit1, commit)
	raw, err := os.ReadFile(filepath.Join(c.Cache, "models--owner--name/refs/refs/pr/1"))
	require.NoError(t, err)
	assert.Equal(t, commit1, string(raw))
}

func TestBrokenTransfers(t *testing.T) {
	cut := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write([]byte(body[:len(body)/2]))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	for _, c := range []struct {
		does func(w http.ResponseWriter, body string)
		want string
		why  string
	}{
		{cut, "connection broke after", "dropped in the middle"},
		{func(w http.ResponseWriter, body string) {
			w.(http.Flusher).Flush() // chunked: no Content-Length to miss
			_, _ = w.Write([]byte(body[:1000]))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "connection broke after", "dropped without a Content-Length"},
		{func(w http.ResponseWriter, body string) { _, _ = w.Write([]byte(body[:len(body)-1])) }, "bytes came, but the file has", "one byte short, by a server that thinks it is done"},
		{func(w http.ResponseWriter, body string) { _, _ = w.Write([]byte(body + "x")) }, "bytes came, but the file has", "one byte too many"},
		{func(w http.ResponseWriter, body string) { _, _ = w.Write([]byte("W" + body[1:])) }, "have hash", "right size, wrong bytes"},
		{func(w http.ResponseWriter, body string) { http.Error(w, "", http.StatusBadGateway) }, "502", "a server in trouble"},
	} {
		t.Run(c.why, func(t *testing.T) {
			h := newFakeHub(t)
			client := h.client(t)
			fail := 2
			h.cdnDoes = func(w http.ResponseWriter, r *http.Request, body string) bool {
				if fail == 0 {
					return false
				}
				fail--
				c.does(w, body)
				return true
			}
			_, _, err := client.Model(context.Background(), "owner/name", "")
			require.NoError(t, err, "two failures are made good by the third try")
			assert.Equal(t, h.whole(), tree(t, client.Cache))

			client = h.client(t)
			fail = 1000
			_, _, err = client.Model(context.Background(), "owner/name", "")
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "pytorch_model.bin")
			require.ErrorContains(t, err, "tried 3 times")
			assert.Equal(t, 1000-3, fail)
			for _, name := range tree(t, client.Cache) {
				assert.NotContains(t, name, "incomplete")
				assert.NotContains(t, name, sha(h.large["pytorch_model.bin"]))
				assert.NotContains(t, name, "snapshots", "no snapshot before all of it is there")
				assert.NotContains(t, name, "refs")
			}
		})
	}
}

// A small file's ETag is git's hash of it.
func TestSmallFileIsChecked(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	h.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/config.json") {
			return false
		}
		w.Header().Set("ETag", `"`+gitHash("{}")+`"`)
		_, _ = w.Write([]byte("[]"))
		return true
	}
	_, _, err := c.Model(context.Background(), "owner/name", "")
	require.ErrorContains(t, err, "config.json: the bytes that came have hash")
}

func TestStatusErrors(t *testing.T) {
	for _, c := range []struct {
		code      int
		token     string
		want, why string
	}{
		{401, "", "set HF_TOKEN", "private, gated or missing: the Hub does not say which"},
		{401, token, "the token (HF_TOKEN) is not valid", "a token that has run out"},
		{403, token, "accept its terms at ", "a gated model"},
		{404, token, "check the name and the revision", "no such thing"},
		{429, token, "tried 3 times", "too many requests are worth another try"},
		{500, token, "tried 3 times", "a server in trouble"},
	} {
		h := newFakeHub(t)
		client := h.client(t)
		client.Token = c.token
		h.answer = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Error-Message", "the Hub's own words")
			http.Error(w, "", c.code)
			return true
		}
		_, _, err := client.Model(context.Background(), "owner/name", "")
		require.ErrorContains(t, err, c.want, c.why)
		assert.ErrorContains(t, err, "the Hub's own words")
		assert.ErrorContains(t, err, "model owner/name")
		assert.NotContains(t, err.Error(), token)
		assert.Empty(t, tree(t, client.Cache))
	}
}

func TestCancelLeavesNothing(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	release := make(chan struct{})
	defer close(release)
	h.cdnDoes = func(w http.ResponseWriter, r *http.Request, body string) bool {
		_, _ = w.Write([]byte(body[:len(body)/2]))
		w.(http.Flusher).Flush()
		for len(incomplete(c.Cache)) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		select {
		case <-r.Context().Done():
		case <-release:
		}
		return true
	}
	_, _, err := c.Model(ctx, "owner/name", "")
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, incomplete(c.Cache))
	for _, name := range tree(t, c.Cache) {
		assert.NotContains(t, name, "snapshots")
	}
}

// A connection that stays open and brings nothing is no better than a broken one.
func TestStandstill(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	c.stall = 20 * time.Millisecond
	release := make(chan struct{})
	defer close(release)
	h.cdnDoes = func(w http.ResponseWriter, r *http.Request, body string) bool {
		_, _ = w.Write([]byte(body[:10]))
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-release:
		}
		return true
	}
	_, _, err := c.Model(context.Background(), "owner/name", "")
	require.ErrorContains(t, err, "nothing came for")
	require.ErrorContains(t, err, "tried 3 times")
	assert.Empty(t, incomplete(c.Cache))
}

func incomplete(cache string) []string {
	names, _ := filepath.Glob(filepath.Join(cache, "*", "blobs", "*.incomplete.*"))
	return names
}

func TestStrangeServers(t *testing.T) {
	for _, c := range []struct {
		does func(h *fakeHub, w http.ResponseWriter, r *http.Request) bool
		want string
		why  string
	}{
		{func(h *fakeHub, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
			return true
		}, "too many redirects", "a circle"},
		{func(h *fakeHub, w http.ResponseWriter, r *http.Request) bool {
			_, _ = w.Write([]byte("<html>welcome to the hotel</html>"))
			return true
		}, "did not answer as a Hub does", "a captive portal"},
		{func(h *fakeHub, w http.ResponseWriter, r *http.Request) bool {
			_, _ = w.Write([]byte(`{"sha":"../../../etc"}`))
			return true
		}, "did not answer as a Hub does", "a commit that is a path"},
		{func(h *fakeHub, w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "resolve") {
				return false
			}
			w.Header().Set("ETag", `"../../x"`)
			_, _ = w.Write([]byte("{}"))
			return true
		}, "no usable ETag", "an ETag that is a path"},
		{func(h *fakeHub, w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "resolve") {
				return false
			}
			_, _ = w.Write([]byte("{}"))
			return true
		}, "no usable ETag", "no ETag"},
	} {
		h := newFakeHub(t)
		client := h.client(t)
		h.answer = func(w http.ResponseWriter, r *http.Request) bool { return c.does(h, w, r) }
		_, _, err := client.Model(context.Background(), "owner/name", "")
		require.ErrorContains(t, err, c.want, c.why)
		assert.Empty(t, tree(t, client.Cache), c.why)
	}
}

func TestNames(t *testing.T) {
	c := &Client{Cache: t.TempDir(), Offline: true}
	for _, c2 := range []struct{ repo, revision, want string }{
		{"../x", "", "not the name of a repository"},
		{"a/b/c", "", "not the name of a repository"},
		{"", "", "not the name of a repository"},
		{"a/b", "../../x", "not a revision"},
		{"a/b", "/x", "not a revision"},
	} {
		_, _, err := c.Model(context.Background(), c2.repo, c2.revision)
		require.ErrorContains(t, err, c2.want)
	}
	_, _, err := (&Client{}).Model(context.Background(), "a/b", "")
	require.ErrorContains(t, err, "no cache folder")
}

func TestDataset(t *testing.T) {
	h := newFakeHub(t)
	h.kind = "datasets"
	h.files = map[string]string{"README.md": "text", "data/test.jsonl": "{}", "data/train.jsonl": "{}"}
	h.large = map[string]string{"data/train-00000-of-00002.parquet": "one", "data/train-00001-of-00002.parquet": "two"}
	c := h.client(t)
	s, err := c.DatasetSnapshot(context.Background(), "owner/name", "")
	require.NoError(t, err)
	assert.Equal(t, []string{"data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"}, s.Files)
	assert.Equal(t, []string{"data/test.jsonl", "data/train.jsonl"}, s.Skipped)
	assert.Equal(t, filepath.Join(c.Cache, "datasets--owner--name", "snapshots", commit1), s.Dir)
	raw, err := os.ReadFile(filepath.Join(s.Dir, "data", "train-00001-of-00002.parquet"))
	require.NoError(t, err, "links out of a folder of the snapshot lead to the blobs too")
	assert.Equal(t, "two", string(raw))

	c.Offline = true
	dir, commit, err := c.Dataset(context.Background(), "owner/name", "")
	require.NoError(t, err)
	assert.Equal(t, s.Dir, dir)
	assert.Equal(t, commit1, commit)
	require.NoError(t, os.Remove(filepath.Join(s.Dir, s.Files[0])))
	_, _, err = c.Dataset(context.Background(), "owner/name", "")
	require.ErrorContains(t, err, "of the shards train-*-of-00002 there are 1, not 2")
	require.ErrorContains(t, err, "-data=PATH")
}
