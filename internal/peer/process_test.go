package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCommand(t *testing.T) {
	for _, c := range []struct{ script, err, why string }{
		{"exit 0", "", "no output is no error"},
		{"echo one; echo two >&2; exit 5", "it: exit status 5; the end of what it printed:\n    one\n    two\n", "both streams"},
		{"exit 1", "it: exit status 1; it printed nothing", "nothing to show"},
		{"kill -9 $$", "it: signal: killed", "as when memory runs out"},
		{`test "$PROBE" = set || exit 9`, "", "the environment given is added to this one"},
		{`test "$PWD" != / && exit 9; exit 0`, "", "its own folder"},
	} {
		dir := t.TempDir()
		max, err := command{what: "it", argv: []string{"sh", "-c", c.script}, dir: "/", env: []string{"PROBE=set"}, log: filepath.Join(dir, "log")}.run(context.Background())
		if c.err == "" {
			require.NoError(t, err, c.why)
			assert.Greater(t, max, int64(100_000), "a shell has some memory, in bytes")
			continue
		}
		require.ErrorContains(t, err, c.err, c.why)
	}
}

func TestTailIsShort(t *testing.T) {
	dir := t.TempDir()
	_, err := command{what: "it", argv: []string{"sh", "-c", "seq 1000; exit 1"}, dir: dir, log: filepath.Join(dir, "log")}.run(context.Background())
	require.ErrorContains(t, err, "    1000\n")
	assert.Equal(t, 26, strings.Count(err.Error(), "\n"))
	assert.NotContains(t, err.Error(), "    975\n")
}

func TestVisible(t *testing.T) {
	for _, c := range []struct {
		device, now string
		set         bool
		want, err   string
		why         string
	}{
		{"cpu", "0,1", true, "", "", "no device at all"},
		{"cuda", "", false, "0", "", "a Trainer that saw more would use them all"},
		{"cuda:2", "", false, "2", "", ""},
		{"cuda:1", "3, 5", true, "5", "", "numbers count the devices that are visible now"},
		{"cuda:0", "GPU-1c2f", true, "GPU-1c2f", "", "names stay"},
		{"cuda:2", "3,5", true, "", `CUDA_VISIBLE_DEVICES is "3,5" and has no device 2`, ""},
		{"cuda:0", "", true, "", "has no device 0", "set and empty hides all"},
		{"cuda:x", "", false, "", `device "cuda:x"`, ""},
	} {
		got, err := visible(c.device, c.now, c.set)
		if c.err != "" {
			require.ErrorContains(t, err, c.err, c.why)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, c.want, got, c.why)
	}
}
