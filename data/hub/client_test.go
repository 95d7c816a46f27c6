package hub

import (
	"os"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var variables = []string{"HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HOME", "HF_HUB_CACHE",
	"HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "XDG_CACHE_HOME", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_DOWNLOAD_TIMEOUT"}

// environment sets these variables, and clears the others that FromEnv reads.
func environment(t *testing.T, env map[string]string) {
	t.Helper()
	for _, name := range variables {
		t.Setenv(name, "")
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
}

func TestFromEnv(t *testing.T) {
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
		{map[string]string{"HF_HOME": "/h", "HF_HUB_DOWNLOAD_TIMEOUT": "90"}, Client{Endpoint: defaultEndpoint, Cache: "/h/hub", stall: 90 * time.Second}, "a slow line"},
		{map[string]string{"HF_HOME": "/h", "HF_HUB_OFFLINE": "0"}, Client{Endpoint: defaultEndpoint, Cache: "/h/hub"}, "0 is not offline"},
	} {
		environment(t, c.env)
		got, err := FromEnv()
		require.NoError(t, err, c.why)
		assert.Equal(t, &c.want, got, c.why)
	}
	t.Setenv("HF_ENDPOINT", "huggingface.co")
	_, err := FromEnv()
	require.ErrorContains(t, err, `HF_ENDPOINT: "huggingface.co" is not the address of a Hub`)
}

// The folders that huggingface_hub 2.4.0 gave for these variables.
func TestFoldersAreExpanded(t *testing.T) {
	top, err := filepath.Abs("../..")
	require.NoError(t, err)
	somebody, err := user.Current()
	require.NoError(t, err)
	for _, c := range []struct {
		env        map[string]string
		cache, why string
	}{
		{map[string]string{"HF_HOME": "~/hf"}, "/h/hf/hub", "home"},
		{map[string]string{"HF_HOME": "~"}, "/h/hub", "home itself"},
		{map[string]string{"HOME": "/h/", "HF_HOME": "~/x"}, "/h/x/hub", "a slash more"},
		{map[string]string{"HOME": "/", "HF_HOME": "~/x"}, "/x/hub", "as in a container"},
		{map[string]string{"HF_HOME": "~" + somebody.Username + "/hf"}, filepath.Join(somebody.HomeDir, "hf", "hub"), "somebody's home, not HOME"},
		{map[string]string{"HF_HOME": "/x/~nosuchuser/~/hf"}, "/x/~nosuchuser/~/hf/hub", "only at the beginning"},
		{map[string]string{"HF_HOME": "~nosuchuser/hf"}, top + "/~nosuchuser/hf/hub", "nobody's home"},
		{map[string]string{"D": "/disk", "HF_HOME": "$D/hf"}, "/disk/hf/hub", "a variable"},
		{map[string]string{"D": "/disk", "HF_HOME": "$D-x/${D}y$Dz/hf"}, "/disk-x/disky$Dz/hf/hub", "where a name ends"},
		{map[string]string{"HF_HOME": "/x/$NOPE/${NOPE}/$/${}/hf"}, "/x/$NOPE/${NOPE}/$/${}/hf/hub", "unknown ones stay"},
		{map[string]string{"E": "", "HF_HOME": "/x$E/hf"}, "/x/hf/hub", "an empty one"},
		{map[string]string{"D": "~", "HF_HOME": "$D/hf"}, "/h/hf/hub", "HF_HOME is expanded, and the cache below it again"},
		{map[string]string{"D": "$E", "E": "/e", "HF_HOME": "/x$D/hf"}, "/x/e/hf/hub", "likewise"},
		{map[string]string{"XDG_CACHE_HOME": "~/c"}, "/h/c/huggingface/hub", "XDG"},
		{map[string]string{"HF_HUB_CACHE": "~/c"}, "/h/c", "the cache"},
		{map[string]string{"D": "/disk", "HUGGINGFACE_HUB_CACHE": "~/c/$D"}, "/h/c/disk", "its older name"},
		{map[string]string{"HUGGINGFACE_HUB_CACHE": "/old", "HF_HUB_CACHE": "/new"}, "/new", "the newer name first"},
		{map[string]string{"HF_HOME": "rel/hf"}, top + "/rel/hf/hub", "from the root, not from the package, where go test runs"},
		{map[string]string{"HF_HUB_CACHE": "./c"}, top + "/c", "likewise"},
	} {
		environment(t, map[string]string{"HOME": "/h", "HF_TOKEN": token}) // no file is looked for
		for name, value := range c.env {
			t.Setenv(name, value)
		}
		got, err := FromEnv()
		require.NoError(t, err, c.why)
		assert.Equal(t, c.cache, got.Cache, c.why)
	}
}

func TestEnvironmentErrors(t *testing.T) {
	home := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(home, "hf", "token"), 0o777))
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"HF_HUB_DOWNLOAD_TIMEOUT": "1m"}, `HF_HUB_DOWNLOAD_TIMEOUT is "1m": give a number of seconds`},
		{map[string]string{"HF_HUB_DOWNLOAD_TIMEOUT": "-1"}, `HF_HUB_DOWNLOAD_TIMEOUT is "-1"`},
		{map[string]string{"HF_HOME": "~/hf"}, "the Hub's token file: read ~/hf/token: is a directory"},
	} {
		environment(t, map[string]string{"HOME": home})
		for name, value := range c.env {
			t.Setenv(name, value)
		}
		_, err := FromEnv()
		require.ErrorContains(t, err, c.want)
	}
}
