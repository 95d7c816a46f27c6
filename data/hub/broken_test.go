package hub

import (
	"context"
	"fmt"
	"net/http"
	"os"
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
		does  func(w http.ResponseWriter, body string)
		want  string
		kept  int // bytes of the file, for the next time; -1 is no part
		again string
		why   string
	}{
		{cut, "connection broke after 400000 of 800000 bytes", 400_000, "bytes=400000-", "dropped in the middle"},
		{func(w http.ResponseWriter, body string) {
			w.(http.Flusher).Flush() // chunked: no Content-Length to miss
			_, _ = w.Write([]byte(body[:1000]))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "connection broke after 1000 of 800000 bytes", 1000, "bytes=1000-", "dropped without a Content-Length"},
		{func(w http.ResponseWriter, body string) { _, _ = w.Write([]byte(body[:len(body)-1])) },
			"799999 bytes came, but the file has 800000", 799_999, "bytes=799999-", "one byte short, by a server that thinks it is done"},
		{func(w http.ResponseWriter, body string) {
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte(body[:10]))
		}, "10 bytes came, but the file has 800000", 10, "bytes=10-", "a Content-Length that is not the file's"},
		{func(w http.ResponseWriter, body string) { _, _ = w.Write([]byte(body + "x")) },
			"more bytes came than the 800000", -1, "", "one byte too many"},
		{func(w http.ResponseWriter, body string) { _, _ = w.Write([]byte("W" + body[1:])) },
			"its bytes have hash", -1, "", "right size, wrong bytes"},
		{func(w http.ResponseWriter, body string) {
			w.Header().Set("Content-Range", "bytes 7-799999/800000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write([]byte(body[7:]))
		}, "bytes 0 to 800000 were asked for", -1, "", "another range than the one asked for"},
		{func(w http.ResponseWriter, body string) { http.Error(w, "", http.StatusBadGateway) }, "502", -1, "", "a server in trouble"},
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
			require.ErrorContains(t, err, "pytorch_model.bin: ")
			require.ErrorContains(t, err, "(tried 3 times); try again later")
			assert.Equal(t, 1000-3, fail)
			for _, name := range tree(t, client.Cache) {
				assert.NotContains(t, name, "snapshots", "no snapshot before all of it is there")
				assert.NotContains(t, name, "refs")
			}
			assert.Equal(t, c.kept, partSize(t, client))

			h.ranges, fail = nil, 0
			dir, _, err := client.Model(context.Background(), "owner/name", "")
			require.NoError(t, err)
			assert.Equal(t, []string{c.again}, h.ranges, "what came need not come again")
			raw, err := os.ReadFile(filepath.Join(dir, "pytorch_model.bin"))
			require.NoError(t, err)
			assert.Equal(t, h.large["pytorch_model.bin"], string(raw))
			assert.Equal(t, h.whole(), tree(t, client.Cache))
		})
	}
}

// partSize is the size of the one part in the cache, -1 where there is none.
func partSize(t *testing.T, c *Client) int {
	t.Helper()
	parts := incomplete(c.Cache)
	if len(parts) == 0 {
		return -1
	}
	require.Len(t, parts, 1)
	info, err := os.Stat(parts[0])
	require.NoError(t, err)
	return int(info.Size())
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
	require.ErrorContains(t, err, "config.json: its bytes have hash")
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
		{429, token, "(tried 3 times); try again later", "too many requests are worth another try"},
		{500, token, "(tried 3 times); try again later", "a server in trouble"},
		{503, token, "(tried 3 times); try again later", "a server that is down"},
	} {
		h := newFakeHub(t)
		client := h.client(t)
		client.Token = c.token
		h.answer = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Error-Message", "the Hub's own words about "+c.token)
			http.Error(w, "", c.code)
			return true
		}
		_, _, err := client.Model(context.Background(), "owner/name", "")
		require.ErrorContains(t, err, c.want, c.why)
		assert.ErrorContains(t, err, "the Hub's own words")
		assert.ErrorContains(t, err, "model owner/name")
		assert.ErrorContains(t, err, strings.TrimPrefix(h.URL, "http://")+" answered "+fmt.Sprint(c.code))
		assert.NotContains(t, err.Error(), token)
		assert.Empty(t, tree(t, client.Cache))
	}
}

func TestCancelKeepsThePart(t *testing.T) {
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
	assert.GreaterOrEqual(t, partSize(t, c), 0)
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
	require.ErrorContains(t, err, "HF_HUB_DOWNLOAD_TIMEOUT")
	require.ErrorContains(t, err, "tried 3 times")
	assert.Equal(t, 10, partSize(t, c))
}

// A line that is slow is none that stands still: there is no limit on the whole.
func TestSlowTransfer(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	c.stall = time.Second
	h.cdnDoes = func(w http.ResponseWriter, r *http.Request, body string) bool {
		for n := len(body) / 10; len(body) > 0; body = body[min(n, len(body)):] {
			_, _ = w.Write([]byte(body[:min(n, len(body))]))
			w.(http.Flusher).Flush()
			time.Sleep(c.stall / 8)
		}
		return true
	}
	_, _, err := c.Model(t.Context(), "owner/name", "")
	require.NoError(t, err)
	assert.Equal(t, []string{""}, h.ranges, "in one go")
}

func incomplete(cache string) []string {
	names, _ := filepath.Glob(filepath.Join(cache, "*", "blobs", "*"+partSuffix))
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
