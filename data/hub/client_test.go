package hub

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFromEnv(t *testing.T) {
	names := []string{"HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "HF_HUB_CACHE",
		"HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "XDG_CACHE_HOME", "HF_HUB_DISABLE_IMPLICIT_TOKEN"}
	home := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(home, "token"), []byte("from the file\n"), 0o600))
	for _, c := range []struct {
		env  map[string]string
		want Client
		why  string
	}{
		{map[string]string{"HOME": "/h"}, Client{Endpoint: defaultEndpoint, Cache: "/h/.cache/huggingface/hub"}, "nothing set"},
		{map[string]string{"HOME": ""}, Client{Endpoint: defaultEndpoint}, "no home: files of one's own need none"},
		{map[string]string{"XDG_CACHE_HOME": "/x"}, Client{Endpoint: defaultEndpoint, Cache: "/x/huggingface/hub"}, "XDG"},
		{map[string]string{"HF_HOME": home}, Client{Endpoint: defaultEndpoint, Cache: filepath.Join(home, "hub"), Token: "from the file"}, "HF_HOME, with a token in it"},
		{map[string]string{"HF_HOME": home, "HF_TOKEN": "t"}, Client{Endpoint: defaultEndpoint, Cache: filepath.Join(home, "hub"), Token: "t"}, "the variable before the file"},
		{map[string]string{"HF_HOME": home, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, Client{Endpoint: defaultEndpoint, Cache: filepath.Join(home, "hub")}, "a token that must not be sent unasked"},
		{map[string]string{"HF_HOME": "/h", "HF_HUB_CACHE": "/c", "HF_ENDPOINT": "https://mirror/", "HF_HUB_OFFLINE": "yes"},
			Client{Endpoint: "https://mirror/", Cache: "/c", Offline: true}, "all of them"},
		{map[string]string{"HF_HOME": "/h", "HF_HUB_OFFLINE": "0"}, Client{Endpoint: defaultEndpoint, Cache: "/h/hub"}, "0 is not offline"},
	} {
		for _, name := range names {
			t.Setenv(name, "")
		}
		for name, value := range c.env {
			t.Setenv(name, value)
		}
		got, err := FromEnv()
		require.NoError(t, err, c.why)
		assert.Equal(t, &c.want, got, c.why)
	}
	t.Setenv("HF_ENDPOINT", "huggingface.co")
	_, err := FromEnv()
	require.ErrorContains(t, err, `HF_ENDPOINT: "huggingface.co" is not the address of a Hub`)
}
