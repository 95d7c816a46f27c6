package hub

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const childVariable = "LORABENCH_TEST_DOWNLOAD"

// A process that is killed in the middle of a download, five times, leaves what the next goes on from.
func TestKilledDownloadGoesOn(t *testing.T) {
	if os.Getenv(childVariable) != "" {
		c, err := FromEnv()
		require.NoError(t, err)
		_, _, err = c.Model(t.Context(), "owner/name", "")
		t.Fatalf("it was to be killed: %v", err)
	}
	h := newFakeHub(t)
	c := h.client(t)
	release := make(chan struct{})
	defer close(release)
	const kills = 5
	body := h.large["pytorch_model.bin"]
	var until atomic.Int64 // of the body: requests come from another process, so nothing else orders reading and writing it
	h.mu.Lock()
	h.cdnDoes = func(w http.ResponseWriter, r *http.Request, body string) bool {
		until := int(until.Load())
		if until > len(body) {
			return false
		}
		var from int
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write([]byte(body[from:until]))
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-release:
		}
		return true
	}
	h.mu.Unlock()
	var ranges []string
	for range kills {
		now := until.Add(int64(len(body)/(kills+1) + 7))
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledDownloadGoesOn$")
		cmd.Env = append(os.Environ(), childVariable+"=1", "HF_ENDPOINT="+h.URL, "HF_HUB_CACHE="+c.Cache, "HF_TOKEN="+token)
		require.NoError(t, cmd.Start())
		require.Eventually(t, func() bool { return partSize(t, c) == int(now) }, time.Minute, 5*time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		ranges = append(ranges, fmt.Sprintf("bytes=%d-", now))
	}
	until.Store(int64(len(body)) + 1)
	dir, _, err := c.Model(t.Context(), "owner/name", "")
	require.NoError(t, err)
	raw, err := os.ReadFile(filepath.Join(dir, "pytorch_model.bin"))
	require.NoError(t, err)
	assert.Equal(t, body, string(raw))
	assert.Equal(t, h.whole(), tree(t, c.Cache))
	assert.Equal(t, append([]string{""}, ranges...), h.ranges, "no byte came twice")
}

// What is beside a blob when a download begins: from another time, another program, another file.
func TestParts(t *testing.T) {
	body := newFakeHub(t).large["pytorch_model.bin"]
	for _, c := range []struct {
		part   string
		ranges []string
		why    string
	}{
		{body[:5], []string{"bytes=5-"}, "the first bytes"},
		{"", []string{""}, "an empty part"},
		{body, nil, "killed before it got its name"},
		{body + "x", []string{""}, "longer than the file"},
		{"W" + body[1:7], []string{"bytes=7-", ""}, "damaged: noticed at the end, and fetched anew"},
		{"W" + body[1:], []string{""}, "whole and damaged"},
	} {
		for _, direct := range []bool{false, true} {
			h := newFakeHub(t)
			client := h.client(t)
			if direct {
				h.answer = h.mirror
			}
			blobs := filepath.Join(client.Cache, "models--owner--name", "blobs")
			require.NoError(t, os.MkdirAll(blobs, 0o777))
			theirs := sha(body) + ".0123abcd.incomplete"
			for name, text := range map[string]string{sha(body) + partSuffix: c.part, sha("old") + partSuffix: "ol",
				theirs: "x", "link" + partSuffix: ""} {
				require.NoError(t, os.WriteFile(filepath.Join(blobs, name), []byte(text), 0o666))
			}
			dir, _, err := client.Model(t.Context(), "owner/name", "")
			require.NoError(t, err, c.why)
			raw, err := os.ReadFile(filepath.Join(dir, "pytorch_model.bin"))
			require.NoError(t, err)
			assert.Equal(t, body, string(raw), c.why)
			if !direct {
				assert.Equal(t, c.ranges, h.ranges, c.why)
			} else if len(c.ranges) > 0 && c.ranges[0] != "" {
				assert.Equal(t, []string{"", c.ranges[0]}, h.ranges[:2], "%s: a mirror says the hash with the file", c.why)
			}
			require.NoError(t, os.Remove(filepath.Join(blobs, theirs)), "huggingface_hub's part is not ours to remove")
			assert.Equal(t, h.whole(), tree(t, client.Cache), c.why)
		}
	}
}

// mirror serves large files itself.
func (h *fakeHub) mirror(w http.ResponseWriter, r *http.Request) bool {
	for name, body := range h.large {
		if strings.HasSuffix(r.URL.Path, "/"+name) {
			h.ranges = append(h.ranges, r.Header.Get("Range"))
			w.Header().Set("ETag", `"`+sha(body)+`"`)
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(body))
			return true
		}
	}
	return false
}

// A server without the rest of the file (416), without ranges, or with another file by then.
func TestServersThatDoNotGoOn(t *testing.T) {
	for why, does := range map[string]func(w http.ResponseWriter, r *http.Request, body string) bool{
		"416": func(w http.ResponseWriter, r *http.Request, body string) bool {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			}
			return r.Header.Get("Range") != ""
		},
		"no ranges": func(w http.ResponseWriter, r *http.Request, body string) bool {
			_, _ = w.Write([]byte(body))
			return true
		},
		"another range": func(w http.ResponseWriter, r *http.Request, body string) bool {
			if r.Header.Get("Range") != "" {
				r.Header.Set("Range", "bytes=1-")
			}
			return false
		},
	} {
		h := newFakeHub(t)
		c := h.client(t)
		part := filepath.Join(c.Cache, "models--owner--name", "blobs", sha(h.large["pytorch_model.bin"])+partSuffix)
		require.NoError(t, os.MkdirAll(filepath.Dir(part), 0o777))
		require.NoError(t, os.WriteFile(part, []byte(h.large["pytorch_model.bin"][:100]), 0o666))
		h.cdnDoes = does
		dir, _, err := c.Model(t.Context(), "owner/name", "")
		require.NoError(t, err, why)
		raw, err := os.ReadFile(filepath.Join(dir, "pytorch_model.bin"))
		require.NoError(t, err, why)
		assert.Equal(t, h.large["pytorch_model.bin"], string(raw), why)
	}
}

// A slow line that breaks every two megabytes is not given up after three of them.
func TestProgressIsNoFailure(t *testing.T) {
	h := newFakeHub(t)
	body := strings.Repeat("0123456789abcdef", 600_000) // 9.6 MB
	h.large["pytorch_model.bin"] = body
	c := h.client(t)
	h.cdnDoes = func(w http.ResponseWriter, r *http.Request, body string) bool {
		var from int
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write([]byte(body[from:min(len(body), from+2<<20)]))
		w.(http.Flusher).Flush()
		if from+2<<20 < len(body) {
			panic(http.ErrAbortHandler)
		}
		return true
	}
	_, _, err := c.Model(context.Background(), "owner/name", "")
	require.NoError(t, err)
	assert.Len(t, h.ranges, 5)
	assert.Equal(t, h.whole(), tree(t, c.Cache))
}

func TestRetryAfter(t *testing.T) {
	assert.Equal(t, 7*time.Second, retryAfter("7"))
	assert.InDelta(t, time.Hour.Seconds(), retryAfter(time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)).Seconds(), 2)
	for _, none := range []string{"", "-1", "soon", time.Unix(0, 0).UTC().Format(http.TimeFormat)} {
		assert.Zero(t, retryAfter(none), none)
	}
	h := newFakeHub(t)
	c := h.client(t)
	var said []string
	c.Notice = func(text string) { said = append(said, text) }
	left, after := 1, "1"
	h.answer = func(w http.ResponseWriter, r *http.Request) bool {
		if left == 0 {
			return false
		}
		left--
		w.Header().Set("Retry-After", after)
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	began := time.Now()
	_, _, err := c.Model(t.Context(), "owner/name", "")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(began), time.Second)
	require.Len(t, said, 1)
	assert.Contains(t, said[0], "answered 429 Too Many Requests and asks to wait 1s")

	left, after = 1, "3600"
	_, _, err = c.Model(t.Context(), "owner/name", "v2")
	require.ErrorContains(t, err, "asks to wait 1h0m0s; try again later", "nobody waits an hour before a terminal")
}
