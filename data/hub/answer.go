package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// answer is a response of the Hub, with what it and the redirects before it state about the file.
type answer struct {
	*http.Response        // nil where nothing need be downloaded
	etag           string // the file's hash: sha256 of a large file, git's blob hash of a small one; "" if not stated
	size           int64  // -1 if not stated
	had, from      int64  // the bytes in the cache before, and how many of them the response continues from
	direct         bool   // no redirect gave the hash: each response must have it
}

// local reports how much of a file the cache has: all of it, or how many of its first bytes.
type local func(etag string, size int64) (whole bool, part int64)

// get follows redirects itself: they lead to other hosts, which must not see the token (net/http would forward it to
// subdomains), and the redirect, not its target, gives the file's hash and size. have, if given, is called once these are
// known; then only the missing bytes are requested. The answer is not nil, even with an error.
func (c *Client) get(ctx context.Context, address string, have local) (*answer, error) {
	a := &answer{size: -1}
	hub, err := c.endpoint()
	if err != nil {
		return a, err
	}
	stall := c.stall
	if stall == 0 {
		stall = time.Minute
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(stall, func() {
		cancel(&damage{err: fmt.Errorf("nothing came for %v (HF_HUB_DOWNLOAD_TIMEOUT sets the seconds)", stall)})
	})
	end := func() { timer.Stop(); cancel(nil) }
	defer func() {
		if a.Response == nil {
			end()
		}
	}()
	for range 10 {
		timer.Reset(stall)
		resp, err := c.send(ctx, hub, address, a.from)
		if err != nil {
			return a, err
		}
		next, err := a.read(resp, have)
		if a.Response != nil {
			resp.Body = &body{resp.Body, ctx, func() { timer.Reset(stall) }, end}
			return a, nil
		}
		_ = resp.Body.Close()
		if next == nil || err != nil {
			return a, err
		}
		address = next.String()
	}
	return a, fmt.Errorf("%s: too many redirects", hub.Host)
}

// send requests a file from byte from on.
func (c *Client) send(ctx context.Context, hub *url.URL, address string, from int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("the Hub gives an address that is none")
	}
	req.Header.Set("User-Agent", "lorabench")
	req.Header.Set("Accept-Encoding", "identity") // the size must be the file's
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	if c.Token != "" && req.URL.Scheme == hub.Scheme && req.URL.Host == hub.Host {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	client := c.client()
	resp, err := client.Do(req)
	if err == nil {
		return resp, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if strings.Contains(err.Error(), "Location header") { // quoted by net/http where it cannot parse it
		return nil, fmt.Errorf("%s: redirect to nowhere", req.URL.Host)
	}
	// Without the address: that of a redirect is signed, and whoever reads the log could use it.
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return nil, &networkError{err: err, host: req.URL.Host}
}

// read stores what resp states and returns the next address to request: a redirect's, or the same if the cache has the first bytes.
func (a *answer) read(resp *http.Response, have local) (next *url.URL, err error) {
	moved := resp.StatusCode >= 300 && resp.StatusCode <= 399
	known := a.etag != ""
	if a.etag == "" {
		a.etag = bareETag(resp.Header.Get("X-Linked-Etag"))
	}
	if n, bad := strconv.ParseInt(resp.Header.Get("X-Linked-Size"), 10, 64); bad == nil && a.size < 0 {
		a.size = n
	}
	if !moved {
		if err := a.check(resp); err != nil {
			return nil, err
		}
	}
	if have != nil && !known && a.etag != "" {
		whole, part := have(a.etag, a.size)
		if whole || part > 0 && part == a.size {
			return nil, nil
		}
		a.had, a.from = part, part
		if a.direct = !moved; part > 0 && !moved {
			return resp.Request.URL, nil
		}
	}
	if !moved {
		a.Response = resp
		return nil, nil
	}
	next, err = resp.Location()
	if err != nil {
		return nil, fmt.Errorf("%s: redirect to nowhere", resp.Request.URL.Host)
	}
	if resp.Request.URL.Scheme == "https" && next.Scheme != "https" {
		return nil, fmt.Errorf("%s redirects to %s, which is not encrypted", resp.Request.URL.Host, next.Host)
	}
	return next, nil
}

// check turns a status that is not success into an error and fills in what only the last response states.
func (a *answer) check(resp *http.Response) error {
	h := resp.Header
	if got := bareETag(h.Get("ETag")); a.direct && resp.StatusCode < 300 && got != a.etag {
		return &damage{err: fmt.Errorf("its ETag changed from %.80q to %.80q", a.etag, got), drop: true}
	}
	switch resp.StatusCode {
	case http.StatusOK:
		a.from = 0
		a.etag = first(a.etag, bareETag(h.Get("ETag")))
		if a.size < 0 {
			a.size = resp.ContentLength
		}
		return nil
	case http.StatusPartialContent:
		if a.size >= 0 && h.Get("Content-Range") == fmt.Sprintf("bytes %d-%d/%d", a.from, a.size-1, a.size) {
			return nil
		}
		return &damage{err: fmt.Errorf("bytes %d to %d were asked for, and %.80q came", a.from, a.size, h.Get("Content-Range")), drop: true}
	case http.StatusRequestedRangeNotSatisfiable:
		return &damage{err: fmt.Errorf("%s has no bytes from %d on", resp.Request.URL.Host, a.from), drop: true}
	}
	said := first(h.Get("X-Error-Message"), h.Get("X-Error-Code"))
	return &statusError{code: resp.StatusCode, said: said, host: resp.Request.URL.Host, wait: retryAfter(h.Get("Retry-After"))}
}

// retryAfter reads the header of this name: seconds or a date.
func retryAfter(text string) time.Duration {
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(n, 0), 1e6)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at).Round(time.Second))
	}
	return 0
}

// bareETag strips the quotes and the W/ of a weak ETag.
func bareETag(s string) string {
	return strings.Trim(strings.TrimPrefix(s, "W/"), `"`)
}

// body is a response's body that fails when no data comes for too long.
type body struct {
	io.ReadCloser
	ctx   context.Context
	alive func()
	end   func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.alive()
	if err != nil && err != io.EOF && context.Cause(b.ctx) != nil {
		err = context.Cause(b.ctx)
	}
	return n, err
}

func (b *body) Close() error {
	b.end()
	return b.ReadCloser.Close()
}
