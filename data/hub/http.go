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

const tries = 3

// answer is a response of the Hub with what it and the redirects before it said of the file.
type answer struct {
	*http.Response
	etag string // the file's hash: sha256 of a large file, git's blob hash of a small one; "" if not said
	size int64  // -1 if not said
}

// get follows redirects itself: they lead to other hosts, which must not see the token (net/http would hand it on to
// subdomains), and the redirect, not what it leads to, says the file's hash and size. If have, given these, says that
// the file is here already, get goes no further and the answer has no Response.
func (c *Client) get(ctx context.Context, address string, have func(etag string, size int64) bool) (*answer, error) {
	hub, err := c.endpoint()
	if err != nil {
		return nil, err
	}
	client := c.client()
	a := answer{size: -1}
	for range 10 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("User-Agent", "lorabench")
		req.Header.Set("Accept-Encoding", "identity") // the size must be the file's
		if c.Token != "" && req.URL.Scheme == hub.Scheme && req.URL.Host == hub.Host {
			req.Header.Set("Authorization", "Bearer "+c.Token)
		}
		resp, err := client.Do(req)
		if err != nil {
			// Without the address: that of a redirect is signed, and whoever reads the log could use it.
			var failed *url.Error
			if errors.As(err, &failed) {
				err = failed.Err
			}
			return nil, &networkError{err: err, host: req.URL.Host}
		}
		a.note(resp)
		if resp.StatusCode < 300 || resp.StatusCode > 399 {
			a.Response = resp
			return a.check()
		}
		next, err := resp.Location()
		_ = resp.Body.Close()
		if have != nil && have(a.etag, a.size) {
			return &a, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: redirect to nowhere: %w", address, err)
		}
		if req.URL.Scheme == "https" && next.Scheme != "https" {
			return nil, fmt.Errorf("%s redirects to %s, which is not encrypted", address, next.Redacted())
		}
		address = next.String()
	}
	return nil, fmt.Errorf("%s: too many redirects", address)
}

func (a *answer) note(resp *http.Response) {
	if a.etag == "" {
		a.etag = bareETag(resp.Header.Get("X-Linked-Etag"))
	}
	if a.size < 0 {
		if n, err := strconv.ParseInt(resp.Header.Get("X-Linked-Size"), 10, 64); err == nil {
			a.size = n
		}
	}
}

// check turns a status that is not success into an error and fills in what only the last response says.
func (a *answer) check() (*answer, error) {
	if a.StatusCode == http.StatusOK {
		if a.etag == "" {
			a.etag = bareETag(a.Header.Get("ETag"))
		}
		if a.size < 0 {
			a.size = a.ContentLength
		}
		return a, nil
	}
	defer a.Body.Close()
	said := first(a.Header.Get("X-Error-Message"), a.Header.Get("X-Error-Code"))
	_, _ = io.Copy(io.Discard, io.LimitReader(a.Body, 1<<16))
	return nil, &statusError{code: a.StatusCode, said: said, url: a.Request.URL}
}

// bareETag strips quotes and the mark of weakness.
func bareETag(s string) string {
	return strings.Trim(strings.TrimPrefix(s, "W/"), `"`)
}

// networkError says that no answer came.
type networkError struct {
	host string
	err  error
}

func (e *networkError) Error() string { return fmt.Sprintf("cannot reach %s: %v", e.host, e.err) }
func (e *networkError) Unwrap() error { return e.err }

// statusError is an answer other than the one asked for.
type statusError struct {
	code int
	said string
	url  *url.URL
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("%s answered %d %s", e.url.Host, e.code, http.StatusText(e.code))
	if e.said != "" {
		text += " (" + e.said + ")"
	}
	return text
}

// transient reports whether another try may help.
func (e *statusError) transient() bool {
	return e.code == http.StatusRequestTimeout || e.code == http.StatusTooManyRequests || e.code >= 500
}

// damage is a transfer that did not bring what was announced.
type damage struct{ err error }

func (e *damage) Error() string { return e.err.Error() }
func (e *damage) Unwrap() error { return e.err }

func transient(err error) bool {
	var status *statusError
	var network *networkError
	var broken *damage
	return errors.As(err, &status) && status.transient() || errors.As(err, &network) || errors.As(err, &broken)
}

// again calls do until it succeeds, fails for good, or has failed three times.
func (c *Client) again(ctx context.Context, do func() error) error {
	pause := c.pause
	if pause == 0 {
		pause = time.Second
	}
	for try := 1; ; try++ {
		err := do()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !transient(err):
			return err
		case try == tries:
			return fmt.Errorf("%w (tried %d times)", err, tries)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
			pause *= 2
		}
	}
}
