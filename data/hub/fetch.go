package hub

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"syscall"

	"lorabench/internal/file"
)

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
	a, err := c.get(ctx, address, r.local)
	if a.Response != nil {
		defer a.Body.Close()
	}
	if err == nil && !blobName.MatchString(a.etag) {
		return "", fmt.Errorf("the server gives no usable ETag (%.80q)", a.etag)
	}
	part := r.part(a.etag)
	if err == nil && a.Response != nil {
		err = c.transfer(part, a, name)
	}
	if err == nil && !r.has(a.etag, a.size) {
		if err = sound(part, a.etag, a.size); err == nil {
			err = file.Rename(part, r.blob(a.etag))
		}
	}
	var broken *damage
	if errors.As(err, &broken) && broken.drop && blobName.MatchString(a.etag) {
		_ = os.Remove(part)
	}
	return a.etag, err
}

// transfer appends the body to the partial file, or rewrites the file if the response starts at byte 0.
func (c *Client) transfer(part string, a *answer, name string) error {
	if err := c.room(a.size - a.had); err != nil {
		return err
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(a.from); err != nil {
		return err
	}
	if _, err := f.Seek(a.from, io.SeekStart); err != nil {
		return err
	}
	done, told := a.from, a.from
	buf := make([]byte, 1<<18)
	for {
		n, readErr := a.Body.Read(buf)
		if _, err := f.Write(buf[:n]); err != nil {
			return err
		}
		done += int64(n)
		if c.Progress != nil && (done-told >= 1<<20 || readErr == io.EOF) {
			c.Progress(name, done, a.size)
			told = done
		}
		if a.size >= 0 && done > a.size {
			return &damage{err: fmt.Errorf("more bytes came than the %d that the file has", a.size), drop: true}
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return &damage{err: fmt.Errorf("the connection broke after %d of %d bytes: %w", done, a.size, readErr), kept: done - a.had}
		}
	}
	if done < a.size {
		return &damage{err: fmt.Errorf("%d bytes came, but the file has %d", done, a.size), kept: done - a.had}
	}
	return errors.Join(f.Sync(), f.Close())
}

// room fails if the cache's disk has fewer than need bytes free. If the system does not report it, writing will fail.
func (c *Client) room(need int64) error {
	free := c.free
	if free == nil {
		free = file.Free
	}
	if have, err := free(c.Cache); err == nil && need > 0 && have < uint64(need) {
		return fmt.Errorf("%d MB are to come, and the disk of the cache %s has %d MB free: %w",
			(need+999_999)/1e6, c.Cache, have/1e6, syscall.ENOSPC)
	}
	return nil
}

// sound returns a damage unless the file has this size, if it is known, and this hash, if the ETag is one.
func sound(path, etag string, size int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if size > 0 && info.Size() != size {
		return &damage{err: fmt.Errorf("it has %d bytes instead of %d", info.Size(), size), drop: true}
	}
	got := etag // the Hub's is the sha256 of a large file and git's hash of any other; a mirror's may be none
	switch {
	case hexSHA256.MatchString(etag):
		got, err = file.SHA256(f, info)
	case hexSHA1.MatchString(etag):
		h := sha1.New()
		_, _ = fmt.Fprintf(h, "blob %d\x00", info.Size())
		_, err = io.Copy(h, f)
		got = hex.EncodeToString(h.Sum(nil))
	}
	if err == nil && got != etag {
		err = &damage{err: fmt.Errorf("its bytes have hash %s instead of %s", got, etag), drop: true}
	}
	return err
}

var (
	hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)
	hexSHA1   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)
