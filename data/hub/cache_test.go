package hub

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTwoDownloadsOfOneModel(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	waits := make(chan string, 1)
	h.cdnDoes = func(w http.ResponseWriter, r *http.Request, body string) bool {
		assert.Equal(t, fmt.Sprintf("waiting for process %d, which downloads owner/name", os.Getpid()), <-waits)
		return false
	}
	c.Notice = func(text string) { waits <- text }
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			_, _, err := c.Model(t.Context(), "owner/name", "")
			assert.NoError(t, err)
		})
	}
	both.Wait()
	assert.Equal(t, 1, h.count("cdn"))
	assert.Equal(t, h.whole(), tree(t, c.Cache))
}

func TestRoomOnTheDisk(t *testing.T) {
	for _, terse := range []bool{false, true} {
		h := newFakeHub(t)
		h.terse = terse
		body := strings.Repeat("weights ", 400_000) // 3.2 MB
		h.large["pytorch_model.bin"] = body
		c := h.client(t)
		free := uint64(1_500_000)
		c.free = func(dir string) (uint64, error) { assert.Equal(t, c.Cache, dir); return free, nil }
		_, _, err := c.Model(t.Context(), "owner/name", "")
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorContains(t, err, "4 MB are to come, and the disk of the cache "+c.Cache+" has 1 MB free")
		require.ErrorContains(t, err, "make room, or set HF_HUB_CACHE")
		assert.Equal(t, -1, partSize(t, c), "not a byte was written")
		if !terse {
			assert.Zero(t, h.count("resolve"), "nor asked for")
		}
		part := filepath.Join(c.Cache, "models--owner--name", "blobs", sha(body)+partSuffix)
		require.NoError(t, os.WriteFile(part, []byte(body[:2_000_000]), 0o666))
		_, _, err = c.Model(t.Context(), "owner/name", "")
		require.NoError(t, err, "what came before needs no more room")
	}
}

// A disk that fills up in the middle: a small file system in memory, where the system lets a test have one.
func TestFullDisk(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	if err := syscall.Mount("tmpfs", c.Cache, "tmpfs", 0, "size=400k"); err != nil {
		t.Skipf("a test that is not root has no disk to fill: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(c.Cache, 0)) })
	c.free = func(string) (uint64, error) { return 1 << 40, nil } // another program fills it meanwhile
	_, _, err := c.Model(t.Context(), "owner/name", "")
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "pytorch_model.bin")
	require.ErrorContains(t, err, "make room, or set HF_HUB_CACHE to a folder on a larger disk; what came is kept")
	kept := partSize(t, c)
	assert.Greater(t, kept, 200_000)
	require.NoError(t, syscall.Mount("", c.Cache, "", syscall.MS_REMOUNT, "size=2m"))
	h.ranges = nil
	_, _, err = c.Model(t.Context(), "owner/name", "")
	require.NoError(t, err)
	assert.Equal(t, []string{fmt.Sprintf("bytes=%d-", kept)}, h.ranges)
	assert.Equal(t, h.whole(), tree(t, c.Cache))
}

// What a damaged cache gives: the same files, fetched again, or a refusal; never other bytes.
func TestDamagedCache(t *testing.T) {
	flip := func(t *testing.T, path string) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		raw[len(raw)/2] ^= 4
		time.Sleep(20 * time.Millisecond) // until the file system's clock shows another time of change
		require.NoError(t, os.WriteFile(path, raw, 0o666))
		require.NoError(t, os.Chtimes(path, time.Time{}, info.ModTime()))
	}
	for _, c := range []struct {
		name string
		harm func(t *testing.T, path string)
		says string
		why  string
	}{
		{"pytorch_model.bin", func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 799_999)) }, "is damaged: it", "cut"},
		{"pytorch_model.bin", func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 0)) }, "is damaged: it", "empty"},
		{"pytorch_model.bin", flip, "is damaged: its bytes have hash", "a bit flipped, size and time as they were"},
		{"config.json", flip, "is damaged: its bytes have hash", "of a small file, which has git's hash"},
		{"vocab.json", func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 1)) }, "is damaged: it", "a small file cut"},
		{"pytorch_model.bin", func(t *testing.T, path string) {
			target, err := filepath.EvalSymlinks(path)
			require.NoError(t, err)
			require.NoError(t, os.Remove(target))
		}, "", "a link to nowhere"},
		{"pytorch_model.bin", func(t *testing.T, path string) {
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("Weights ", 100_000)), 0o666))
		}, "is damaged: its bytes have hash", "no link, as on a file system without: the Hub's list has the hash"},
	} {
		t.Run(c.why, func(t *testing.T) {
			h := newFakeHub(t)
			client := h.client(t)
			dir, _, err := client.Model(t.Context(), "owner/name", "")
			require.NoError(t, err)
			path := filepath.Join(dir, c.name)
			c.harm(t, path)

			if !strings.HasPrefix(c.why, "no link") {
				client.Offline = true
				_, _, err = client.Model(t.Context(), "owner/name", "")
				require.ErrorContains(t, err, c.says)
				require.ErrorContains(t, err, "unset HF_HUB_OFFLINE")
				require.NotContains(t, err.Error(), "try again later", "which helps nobody who is offline")
				client.Offline = false
			}
			var said []string
			client.Notice = func(text string) { said = append(said, text) }
			dir, _, err = client.Model(t.Context(), "owner/name", "")
			require.NoError(t, err)
			raw, err := os.ReadFile(filepath.Join(dir, c.name))
			require.NoError(t, err)
			assert.Equal(t, h.files[c.name]+h.large[c.name], string(raw))
			assert.Equal(t, h.whole(), tree(t, client.Cache))
			if c.says != "" {
				require.Len(t, said, 1)
				assert.Contains(t, said[0], c.name+" "+c.says)
				assert.Contains(t, said[0], "fetching it again")
			}
		})
	}
}

// A cache without a network names the file that is damaged.
func TestDamagedCacheWithoutNetwork(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	dir, _, err := c.Model(t.Context(), "owner/name", "")
	require.NoError(t, err)
	h.Close()
	require.NoError(t, os.Truncate(filepath.Join(dir, "pytorch_model.bin"), 5))
	_, _, err = c.Model(t.Context(), "owner/name", "")
	require.ErrorContains(t, err, "cannot reach")
	require.ErrorContains(t, err, "pytorch_model.bin is damaged: its bytes have hash")
}

// A cache that cannot be written serves what it has.
func TestReadOnlyCache(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	_, _, err := c.Model(t.Context(), "owner/name", "")
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(c.Cache, "models--owner--name", "refs", "main")))
	require.NoError(t, os.Chmod(filepath.Dir(c.Cache), 0o755))
	var dirs []string
	require.NoError(t, filepath.WalkDir(c.Cache, func(path string, d os.DirEntry, err error) error {
		if d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	}))
	for _, dir := range dirs {
		require.NoError(t, os.Chmod(dir, 0o555))
	}
	t.Cleanup(func() {
		for _, dir := range dirs {
			_ = os.Chmod(dir, 0o755)
		}
	})
	if os.Geteuid() == 0 { // who may write everywhere becomes nobody, for files and this thread
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		require.NoError(t, syscall.Setfsuid(65534))
		defer func() { require.NoError(t, syscall.Setfsuid(0)) }()
	}
	_, commit, err := c.Model(t.Context(), "owner/name", "")
	require.NoError(t, err)
	assert.Equal(t, commit1, commit)

	h.commit = commit2
	h.files["config.json"] = "{}"
	_, _, err = c.Model(t.Context(), "owner/name", "")
	require.ErrorIs(t, err, os.ErrPermission)
	require.ErrorContains(t, err, "set HF_HUB_CACHE to a folder you can write, or")
	require.ErrorContains(t, err, "HF_HUB_OFFLINE=1")
	require.Error(t, os.WriteFile(filepath.Join(c.Cache, "x"), nil, 0o666), "the cache of this test cannot be written")
}

// What a log must not show: the token, a mirror's password, the signature of an address, the user's home.
func TestErrorsKeepSecrets(t *testing.T) {
	h := newFakeHub(t)
	for why, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request) bool
		want   string
	}{
		"a redirect in a circle": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "/x?Signature=sesame", http.StatusFound)
			return true
		}, "too many redirects"},
		"a redirect to nowhere": {func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Location", "http://[::1/x?Signature=sesame")
			w.WriteHeader(http.StatusFound)
			return true
		}, "redirect to nowhere"},
		"a redirect to what is no address": {func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Location", "ftp://nowhere.invalid/x?Signature=sesame")
			w.WriteHeader(http.StatusFound)
			return true
		}, "cannot reach nowhere.invalid"},
		"a mirror that is no Hub": {func(w http.ResponseWriter, r *http.Request) bool { _, _ = w.Write([]byte("[]")); return true },
			"did not answer as a Hub does"},
		"a missing repository": {func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }, "check the name"},
		"a file in the way":    {func(w http.ResponseWriter, r *http.Request) bool { return false }, "~/cache"},
	} {
		home := t.TempDir()
		t.Setenv("HOME", home)
		client := h.client(t)
		client.Endpoint = strings.Replace(h.URL, "://", "://alice:password@", 1)
		client.Cache = filepath.Join(home, "cache")
		require.NoError(t, os.WriteFile(client.Cache, nil, 0o666))
		h.answer = c.answer
		_, _, err := client.Model(t.Context(), "owner/name", "")
		require.ErrorContains(t, err, c.want, why)
		for _, secret := range []string{token, "alice", "password", "sesame", home} {
			assert.NotContains(t, err.Error(), secret, why)
		}
	}
}
