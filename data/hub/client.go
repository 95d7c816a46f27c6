// Package hub fetches models and data sets from the Hugging Face Hub into its local cache, in the layout that
// huggingface_hub has, so that either uses what the other has downloaded:
//
//	CACHE/models--owner--name/blobs/ETAG
//	CACHE/models--owner--name/snapshots/COMMIT/FILE -> ../../blobs/ETAG
//	CACHE/models--owner--name/refs/main             (the commit)
//
// (the Hub's documentation, "Hub Local Cache"). Files appear in it only when complete: they are downloaded to
// ETAG.lorabench.incomplete, checked by size and hash, and renamed; a snapshot's links are made when all of its files are there.
// An interrupted download resumes where it stopped. Cached files are hashed before they are used, and fetched again if damaged. Of
// two processes that download one repository the second waits; huggingface_hub is not disturbed, since it too publishes complete
// files only.
package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lorabench/internal/root"
)

const defaultEndpoint = "https://huggingface.co"

// Client talks to one Hub. The zero Endpoint is the public one.
type Client struct {
	Endpoint string // such as https://huggingface.co
	Token    string // sent to Endpoint's host only; empty for public repositories
	Cache    string // the cache folder
	Offline  bool   // use only the cache
	HTTP     *http.Client
	// Progress, if set, is called as the download of a file advances. total is -1 where the server does not state it.
	Progress func(file string, done, total int64)
	// Notice is called with the reason why the client waits or fetches again; nil writes it to stderr.
	Notice func(text string)

	pause time.Duration // before the second try, twice that before the third; 0 is a second
	stall time.Duration // how long a response may send nothing; 0 is a minute
	free  func(dir string) (uint64, error)
}

// FromEnv makes a client from huggingface_hub's environment variables: HF_ENDPOINT; HF_TOKEN, or the file HF_TOKEN_PATH
// or HF_HOME/token; HF_HUB_CACHE, or HF_HOME/hub; HF_HUB_OFFLINE; HF_HUB_DOWNLOAD_TIMEOUT, the seconds without a byte that end a
// try. HF_HOME is XDG_CACHE_HOME/huggingface or ~/.cache/huggingface. Variables and ~ in folders are expanded; relative ones
// start where those of the flags do (root.Abs). If neither they nor HOME is set, the client has no cache and refuses what needs one,
// so that local files can be read without a home folder.
func FromEnv() (c *Client, err error) {
	home := hfHome()
	c = &Client{
		Endpoint: first(os.Getenv("HF_ENDPOINT"), defaultEndpoint),
		Token:    strings.TrimSpace(first(os.Getenv("HF_TOKEN"), os.Getenv("HUGGING_FACE_HUB_TOKEN"))),
		Cache:    expand(first(os.Getenv("HF_HUB_CACHE"), os.Getenv("HUGGINGFACE_HUB_CACHE"), under(home, "hub"))),
		Offline:  isTrue(first(os.Getenv("HF_HUB_OFFLINE"), os.Getenv("TRANSFORMERS_OFFLINE"))),
	}
	if _, err := c.endpoint(); err != nil {
		return nil, fmt.Errorf("HF_ENDPOINT: %w", err)
	}
	if c.stall, err = seconds("HF_HUB_DOWNLOAD_TIMEOUT"); err != nil {
		return nil, err
	}
	tokenFile := expand(first(os.Getenv("HF_TOKEN_PATH"), under(home, "token")))
	for _, path := range []*string{&c.Cache, &tokenFile} {
		if *path == "" {
			continue
		}
		if *path, err = root.Abs(*path); err != nil {
			return nil, err
		}
	}
	if c.Token == "" && !isTrue(os.Getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		raw, err := os.ReadFile(tokenFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, c.discreet(fmt.Errorf("the Hub's token file: %w", err))
		}
		c.Token = strings.TrimSpace(string(raw))
	}
	return c, nil
}

// under joins a name to a folder; "" if there is none.
func under(dir, name string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func isTrue(s string) bool {
	switch strings.ToUpper(s) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

func (c *Client) endpoint() (*url.URL, error) {
	text := strings.TrimRight(first(c.Endpoint, defaultEndpoint), "/")
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not the address of a Hub, such as %s", text, defaultEndpoint)
	}
	return u, nil
}

// The default client has no limit on a whole download, only on each step of it; answer.go detects a stall.
var defaultHTTP = &http.Client{Transport: &http.Transport{
	Proxy:               http.ProxyFromEnvironment,
	DialContext:         (&net.Dialer{Timeout: 20 * time.Second}).DialContext,
	TLSHandshakeTimeout: 20 * time.Second,
	IdleConnTimeout:     90 * time.Second,
	ForceAttemptHTTP2:   true,
}}

func (c *Client) client() http.Client {
	h := defaultHTTP
	if c.HTTP != nil {
		h = c.HTTP
	}
	own := *h
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return own
}
