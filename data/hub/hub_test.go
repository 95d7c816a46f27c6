package hub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/internal/file"
)

func TestModel(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	var seen []string
	c.Progress = func(file string, done, total int64) {
		if done == total {
			seen = append(seen, file)
		}
	}
	dir, commit, err := c.Model(context.Background(), "owner/name", "")
	require.NoError(t, err)
	assert.Equal(t, commit1, commit)
	assert.Equal(t, filepath.Join(c.Cache, "models--owner--name", "snapshots", commit1), dir)
	raw, err := os.ReadFile(filepath.Join(dir, "pytorch_model.bin"))
	require.NoError(t, err)
	assert.Equal(t, h.large["pytorch_model.bin"], string(raw))
	assert.Equal(t, h.whole(), tree(t, c.Cache), "the cache's layout, and nothing else in it")
	assert.ElementsMatch(t, []string{"config.json", "vocab.json", "merges.txt", "pytorch_model.bin"}, seen)
	target, err := os.Readlink(filepath.Join(dir, "pytorch_model.bin"))
	require.NoError(t, err)
	assert.Equal(t, "../../blobs/"+sha(string(raw)), filepath.ToSlash(target), "a relative link, as huggingface_hub makes them")

	assert.Zero(t, h.count("README"), "only what is needed is fetched")
	assert.NotContains(t, h.tokens["hub"], "")
	assert.Equal(t, []string{""}, h.tokens["cdn"], "another host does not see the token")

	before := h.count("resolve")
	_, _, err = c.Model(context.Background(), "owner/name", "main")
	require.NoError(t, err)
	assert.Equal(t, before, h.count("resolve"), "nothing is fetched twice")
	all := h.count("")
	_, _, err = c.Model(context.Background(), "owner/name", commit1)
	require.NoError(t, err)
	assert.Equal(t, all, h.count(""), "a commit that is whole in the cache needs no network")

	// A later commit that changes one file fetches that one; blobs are shared.
	h.commit, h.files["config.json"] = commit2, `{"model_type":"opt","x":1}`
	dir, commit, err = c.Model(context.Background(), "owner/name", "main")
	require.NoError(t, err)
	assert.Equal(t, commit2, commit)
	raw, err = os.ReadFile(filepath.Join(dir, "config.json"))
	require.NoError(t, err)
	assert.Equal(t, h.files["config.json"], string(raw))
	assert.Equal(t, 1, h.count("cdn"), "the weights are the same blob")
}

func TestModelFromTheCacheAlone(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	ctx := context.Background()

	c.Offline = true
	_, _, err := c.Model(ctx, "owner/name", "main")
	require.ErrorContains(t, err, "offline (HF_HUB_OFFLINE)")
	require.ErrorContains(t, err, "-model=DIR")
	assert.Zero(t, h.count(""), "offline means no request")

	c.Offline = false
	want, _, err := c.Model(ctx, "owner/name", "main")
	require.NoError(t, err)
	c.Offline = true
	dir, commit, err := c.Model(ctx, "owner/name", "main")
	require.NoError(t, err)
	assert.Equal(t, want, dir)
	assert.Equal(t, commit1, commit)

	// Not reachable, but not told so either.
	c.Offline = false
	h.Close()
	dir, _, err = c.Model(ctx, "owner/name", "main")
	require.NoError(t, err)
	assert.Equal(t, want, dir)
	_, _, err = c.Model(ctx, "owner/name", "v2")
	require.ErrorContains(t, err, "cannot reach")
	require.ErrorContains(t, err, "HF_ENDPOINT")

	// Half a model is none, and a link to a blob that is gone is no file.
	require.NoError(t, os.Remove(filepath.Join(c.Cache, "models--owner--name", "blobs", gitHash(h.files["merges.txt"]))))
	_, _, err = c.Model(ctx, "owner/name", "main")
	require.ErrorContains(t, err, "cannot reach")
	c.Offline = true
	_, _, err = c.Model(ctx, "owner/name", "main")
	require.ErrorContains(t, err, "neither tokenizer.json nor vocab.json")
}

func TestRevisionWithSlashes(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t)
	_, commit, err := c.Model(context.Background(), "owner/name", "refs/pr/1")
	require.NoError(t, err)
	assert.Equal(t, commit1, commit)
	raw, err := os.ReadFile(filepath.Join(c.Cache, "models--owner--name/refs/refs/pr/1"))
	require.NoError(t, err)
	assert.Equal(t, commit1, string(raw))
}

func TestNames(t *testing.T) {
	c := &Client{Cache: t.TempDir(), Offline: true}
	for _, c2 := range []struct{ repo, revision, want string }{
		{"../x", "", "not the name of a repository"},
		{"a/b/c", "", "not the name of a repository"},
		{"", "", "not the name of a repository"},
		{"a/b", "../../x", "not a revision"},
		{"a/b", "/x", "not a revision"},
	} {
		_, _, err := c.Model(context.Background(), c2.repo, c2.revision)
		require.ErrorContains(t, err, c2.want)
	}
	_, _, err := (&Client{}).Model(context.Background(), "a/b", "")
	require.ErrorContains(t, err, "no cache folder")
}

func TestDataset(t *testing.T) {
	h := newFakeHub(t)
	h.kind = "datasets"
	h.files = map[string]string{"README.md": "text", "data/test.jsonl": "{}", "data/train.jsonl": "{}"}
	h.large = map[string]string{"data/train-00000-of-00002.parquet": "one", "data/train-00001-of-00002.parquet": "two"}
	c := h.client(t)
	s, err := c.DatasetSnapshot(context.Background(), "owner/name", "")
	require.NoError(t, err)
	assert.Equal(t, []string{"data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"}, s.Files)
	assert.Equal(t, []string{"data/test.jsonl", "data/train.jsonl"}, s.Skipped)
	assert.Equal(t, filepath.Join(c.Cache, "datasets--owner--name", "snapshots", commit1), s.Dir)
	raw, err := os.ReadFile(filepath.Join(s.Dir, "data", "train-00001-of-00002.parquet"))
	require.NoError(t, err, "links out of a folder of the snapshot lead to the blobs too")
	assert.Equal(t, "two", string(raw))

	c.Offline = true
	again, err := c.DatasetSnapshot(context.Background(), "owner/name", "")
	require.NoError(t, err)
	assert.Equal(t, s.Dir, again.Dir)
	assert.Equal(t, commit1, again.Commit)
	require.NoError(t, os.Remove(filepath.Join(s.Dir, s.Files[0])))
	_, err = c.DatasetSnapshot(context.Background(), "owner/name", "")
	require.ErrorContains(t, err, "of the shards train-*-of-00002 there are 1, not 2")
	require.ErrorContains(t, err, "-data=PATH")
}

// Weights are hashed once in a process: when they are downloaded or found in the cache. Whoever asks later is given that digest.
func TestWeightsAreHashedOnce(t *testing.T) {
	const settle = 50 * time.Millisecond // the digest of a file that was just written is not kept
	for _, links := range []bool{true, false} {
		h := newFakeHub(t)
		c := h.client(t)
		body := h.large["pytorch_model.bin"]
		hashed := func(path string) {
			info, err := os.Stat(path)
			require.NoError(t, err)
			sum, err := file.SHA256(iotest.ErrReader(errors.New("hashed again")), info)
			require.NoError(t, err)
			assert.Equal(t, sha(body), sum)
		}
		part := filepath.Join(c.Cache, "models--owner--name", "blobs", sha(body)+partSuffix)
		require.NoError(t, os.MkdirAll(filepath.Dir(part), 0o777))
		require.NoError(t, os.WriteFile(part, []byte(body), 0o666))
		if !links {
			refuseLinks(t, c)
		}
		time.Sleep(settle)
		dir, _, err := c.Model(t.Context(), "owner/name", "")
		require.NoError(t, err)
		path := filepath.Join(dir, "pytorch_model.bin")
		hashed(path)

		now := time.Now()
		require.NoError(t, os.Chtimes(path, now, now), "as good as another file")
		time.Sleep(settle)
		_, _, err = c.Model(t.Context(), "owner/name", "")
		require.NoError(t, err)
		hashed(path)
	}
}

// refuseLinks makes every link of the cache fail: its place is taken.
func refuseLinks(t *testing.T, c *Client) {
	t.Helper()
	r, err := c.repository("models", "owner/name", "")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(r.part("link"), "x"), 0o777))
}

// On a file system without links each file of the snapshot has its bytes, two of equal content too.
func TestCacheWithoutLinks(t *testing.T) {
	h := newFakeHub(t)
	h.files["config.json"] = h.files["vocab.json"]
	c := h.client(t)
	refuseLinks(t, c)
	dir, _, err := c.Model(t.Context(), "owner/name", "")
	require.NoError(t, err)
	for _, name := range []string{"config.json", "vocab.json", "merges.txt", "pytorch_model.bin"} {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		require.NoError(t, err)
		assert.True(t, info.Mode().IsRegular(), "%s is no link", name)
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, h.files[name]+h.large[name], string(raw))
	}
	for _, name := range tree(t, c.Cache) {
		assert.NotContains(t, name, "/blobs/", "no disk has the files twice")
	}
	before := h.count("resolve")
	_, _, err = c.Model(t.Context(), "owner/name", "")
	require.NoError(t, err)
	assert.Equal(t, before, h.count("resolve"), "nothing is fetched twice")
}
