package hub

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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

// A repository that was renamed answers with a redirect within the Hub, which may see the token.
func TestRenamed(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	h.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/owner/old/") {
			return false
		}
		http.Redirect(w, r, strings.Replace(r.URL.Path, "/old/", "/name/", 1), http.StatusTemporaryRedirect)
		return true
	}
	dir, commit, err := c.Model(context.Background(), "owner/old", "")
	require.NoError(t, err)
	assert.Equal(t, commit1, commit)
	assert.Contains(t, dir, "models--owner--old")
	assert.NotContains(t, h.tokens["hub"], "")
}

// The address that a file is redirected to is a key to it, and does not belong in a log.
func TestErrorsHideSignedAddresses(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	h.cdn.Close()
	h.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, ".bin") {
			return false
		}
		w.Header().Set("X-Linked-Etag", sha("x"))
		http.Redirect(w, r, h.cdn.URL+"/x?Signature=secret", http.StatusFound)
		return true
	}
	_, _, err := c.Model(context.Background(), "owner/name", "")
	require.ErrorContains(t, err, "cannot reach")
	assert.NotContains(t, err.Error(), "secret")
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
