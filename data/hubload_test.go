package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A source that is no path here is a data set on the Hub: its parquet file is taken and its commit reported.
func TestLoadFromHub(t *testing.T) {
	file, err := os.ReadFile("testdata/parquet/snappy.parquet")
	require.NoError(t, err)
	sum := sha256.Sum256(file)
	hash := hex.EncodeToString(sum[:])
	const commit = "0123456789012345678901234567890123456789"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/datasets/owner/alpaca/revision/main":
			fmt.Fprintf(w, `{"sha":%q,"siblings":[{"rfilename":"README.md"},{"rfilename":"data/train-00000-of-00001.parquet"},{"rfilename":"alpaca_train.json"}]}`, commit)
		case "/datasets/owner/alpaca/resolve/" + commit + "/data/train-00000-of-00001.parquet":
			w.Header().Set("ETag", `"`+hash+`"`)
			_, _ = w.Write(file)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	for _, name := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN"} {
		t.Setenv(name, "")
	}
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_ENDPOINT", server.URL)

	for _, offline := range []string{"0", "1"} {
		t.Setenv("HF_HUB_OFFLINE", offline)
		set, err := Load(context.Background(), "owner/alpaca")
		require.NoError(t, err)
		assert.Equal(t, testRecords(t), set.Records)
		assert.Equal(t, "owner/alpaca", set.Name)
		assert.Equal(t, commit, set.Revision)
		assert.Equal(t, hash, set.SHA256)
		assert.Equal(t, []string{"data/train-00000-of-00001.parquet"}, set.Files)
		if offline == "0" {
			assert.Equal(t, []string{"alpaca_train.json"}, set.Skipped, "the same again in another format")
		}
	}
	t.Setenv("HF_HUB_OFFLINE", "0")
	_, err = Load(context.Background(), "owner/missing")
	require.ErrorContains(t, err, "check the name and the revision")
}
