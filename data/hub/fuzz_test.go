package hub

import (
	"bytes"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever the Hub's list says, no file's name leads out of the snapshot's folder.
func FuzzListing(f *testing.F) {
	f.Add([]byte(`{"sha":"` + commit1 + `","siblings":[{"rfilename":"config.json","size":2,"blobId":"x"},{"rfilename":"../x","lfs":{"sha256":"y"}}]}`))
	f.Add([]byte(`{"sha":"` + commit1 + `","siblings":[{"rfilename":"a\\..\\b","size":-7,"lfs":null},{"rfilename":"/etc/x"},{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := parseListing(body)
		if err != nil {
			return
		}
		require.Regexp(t, commitID, l.commit)
		for _, name := range l.names {
			require.True(t, filepath.IsLocal(name), "%q", name)
		}
		_, _, _ = DataFiles(l.names)
	})
}

// Whatever an index of shards says, the files named are the repository's.
func FuzzShards(f *testing.F) {
	f.Add([]byte(`{"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../x"}}`))
	names := []string{"model-1.safetensors", "model-2.safetensors", "../x"}
	f.Fuzz(func(t *testing.T, index []byte) {
		shards, err := shardsOf("i.json", names, func(string) ([]byte, error) { return index, nil })
		if err != nil {
			return
		}
		require.NotEmpty(t, shards)
		for _, name := range shards {
			require.True(t, slices.Contains(names[:2], name), "%q", name)
		}
	})
}

// A note of the cache that anybody may have written leads to a commit or to an error.
func FuzzRef(f *testing.F) {
	f.Add([]byte(commit1 + "\n"))
	f.Add([]byte("../../x"))
	dir := f.TempDir()
	r, err := (&Client{Cache: dir}).repository("models", "owner/name", "main")
	require.NoError(f, err)
	require.NoError(f, os.MkdirAll(filepath.Dir(r.ref()), 0o777))
	require.NoError(f, os.MkdirAll(r.snapshot(commit1), 0o777))
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(r.ref(), text, 0o666))
		if l, err := r.cached(); err == nil {
			require.Regexp(t, commitID, l.commit)
		}
	})
}

// Whatever servers answer, and whatever part there is, a blob whose name is a hash has that hash, and only the Hub sees the token.
func FuzzAnswers(f *testing.F) {
	body := []byte("the bytes of a file")
	f.Add(302, sha(string(body)), "19", "http://store.invalid/x", 206, "bytes 3-18/19", []byte("the"), body[3:])
	f.Add(302, sha(string(body)), "19", "/x", 200, "", []byte("The"), body)
	f.Add(200, gitHash(string(body)), "", "", 416, "bytes */19", body, body)
	f.Add(307, "../../x", "-1", "file:///etc/passwd", 206, "bytes -", []byte{}, body)
	f.Fuzz(func(t *testing.T, status int, etag, size, location string, then int, ranges string, part, body []byte) {
		if status < 200 || status > 599 || then < 200 || then > 599 {
			return
		}
		asked := 0
		c := &Client{Endpoint: "http://hub.invalid", Token: token, Cache: t.TempDir(), pause: time.Nanosecond, Notice: func(string) {}}
		c.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			require.Equal(t, authorization(r.URL), r.Header.Get("Authorization"))
			resp := &http.Response{StatusCode: status, Request: r, ContentLength: -1, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}
			maps.Copy(resp.Header, http.Header{"Etag": {etag}, "X-Linked-Etag": {etag}, "X-Linked-Size": {size}, "Location": {location}})
			if asked++; asked%2 == 0 {
				resp.StatusCode = then
				resp.Header = http.Header{"Content-Range": {ranges}, "Etag": {etag}, "Retry-After": {size}}
			}
			if resp.Header.Get("Retry-After") != "" && retryAfter(size) > 0 {
				resp.Header.Set("Retry-After", "3600") // which is refused at once
			}
			return resp, nil
		})}
		r, err := c.repository("models", "owner/name", commit1)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(r.blob("x")), 0o777))
		if blobName.MatchString(etag) && len(etag) < 100 {
			require.NoError(t, os.WriteFile(r.part(etag), part, 0o666))
		}
		got, err := c.fetch(t.Context(), r, commit1, "config.json")
		for _, name := range tree(t, c.Cache) {
			require.True(t, strings.HasPrefix(name, "models--owner--name/blobs/"), name)
			raw, err := os.ReadFile(filepath.Join(c.Cache, name))
			require.NoError(t, err)
			switch hash := filepath.Base(name); {
			case hexSHA256.MatchString(hash):
				require.Equal(t, hash, sha(string(raw)))
			case hexSHA1.MatchString(hash):
				require.Equal(t, hash, gitHash(string(raw)))
			}
		}
		if err == nil {
			require.FileExists(t, r.blob(got))
		}
	})
}

// authorization returns what a request may carry: the token to the Hub alone, to any other host the name and password of the
// redirect's own address, which net/http sends.
func authorization(u *url.URL) string {
	switch {
	case u.Scheme == "http" && u.Host == "hub.invalid":
		return "Bearer " + token
	case u.User == nil:
		return ""
	}
	password, _ := u.User.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
