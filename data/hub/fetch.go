package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"time"
)

var downloads atomic.Int64 // tells apart the unfinished files of one process

// fetch downloads a file of a commit into the blobs, unless it is there, and returns the blob's name.
func (c *Client) fetch(ctx context.Context, r repository, commit, name string) (etag string, err error) {
	address, err := c.fileURL(r, commit, name)
	if err != nil {
		return "", err
	}
	err = c.again(ctx, func() error {
		etag, err = c.fetchOnce(ctx, r, address, name)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return etag, nil
}

func (c *Client) fetchOnce(ctx context.Context, r repository, address, name string) (etag string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a, err := c.get(ctx, address, r.has)
	if err != nil {
		return "", err
	}
	if a.Response != nil {
		defer a.Body.Close()
	}
	if !blobName.MatchString(a.etag) {
		return "", fmt.Errorf("the server gives no usable ETag (%.80q)", a.etag)
	}
	if r.has(a.etag, a.size) {
		return a.etag, nil
	}
	blob := r.blob(a.etag)
	if err := os.MkdirAll(filepath.Dir(blob), 0o777); err != nil {
		return "", err
	}
	part := fmt.Sprintf("%s.incomplete.%d", blob, os.Getpid())
	if n := downloads.Add(1); n > 1 {
		part += fmt.Sprintf(".%d", n)
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return "", err
	}
	defer os.Remove(part) // after the rename there is none
	defer f.Close()
	if err := c.transfer(f, a, name, cancel); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return "", cause
		}
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	return a.etag, os.Rename(part, blob)
}

// transfer copies the body to f and checks its size, and its hash where the ETag is one.
func (c *Client) transfer(f io.Writer, a *answer, name string, cancel context.CancelCauseFunc) error {
	stall := c.stall
	if stall == 0 {
		stall = time.Minute
	}
	watchdog := time.AfterFunc(stall, func() { cancel(&damage{fmt.Errorf("nothing came for %v", stall)}) })
	defer watchdog.Stop()
	sum, err := hashFor(a.etag, a.size)
	if err != nil {
		return err
	}
	var done, told int64
	buf := make([]byte, 1<<18)
	for {
		n, readErr := a.Body.Read(buf)
		watchdog.Reset(stall)
		if _, err := f.Write(buf[:n]); err != nil {
			return err
		}
		sum.Write(buf[:n])
		done += int64(n)
		if c.Progress != nil && (done-told >= 1<<20 || readErr == io.EOF) {
			c.Progress(name, done, a.size)
			told = done
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return &damage{fmt.Errorf("the connection broke after %d of %d bytes: %w", done, a.size, readErr)}
		}
	}
	if a.size >= 0 && done != a.size {
		return &damage{fmt.Errorf("%d bytes came, but the file has %d", done, a.size)}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != a.etag && sum.named {
		return &damage{fmt.Errorf("the bytes that came have hash %s, but the file's is %s", got, a.etag)}
	}
	return nil
}

// contentHash is the hash that an ETag is. named is false for an ETag that is none.
type contentHash struct {
	hash.Hash
	named bool
}

var (
	hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)
	hexSHA1   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// hashFor: the Hub's ETag is the sha256 of a large file and git's blob hash of any other.
func hashFor(etag string, size int64) (contentHash, error) {
	switch {
	case hexSHA256.MatchString(etag):
		return contentHash{sha256.New(), true}, nil
	case hexSHA1.MatchString(etag) && size >= 0:
		h := sha1.New()
		_, err := fmt.Fprintf(h, "blob %d\x00", size)
		return contentHash{h, true}, err
	}
	return contentHash{sha256.New(), false}, nil
}
