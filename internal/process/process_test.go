package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
		max, err := Command{What: "it", Argv: []string{"sh", "-c", c.script}, Dir: "/",
			Env: []string{"PROBE=set"}, Log: filepath.Join(dir, "log")}.Run(t.Context())
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
	_, err := Command{What: "it", Argv: []string{"sh", "-c", "seq 1000; exit 1"}, Dir: dir, Log: filepath.Join(dir, "log")}.Run(t.Context())
	require.ErrorContains(t, err, "    1000\n")
	assert.Equal(t, 26, strings.Count(err.Error(), "\n"))
	assert.NotContains(t, err.Error(), "    975\n")
}

func TestLimitAsksBeforeItEnds(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("its limit"))
	defer cancel()
	_, err := Command{What: "it", Argv: []string{"sh", "-c", "trap 'echo kept >left; exit 1' TERM; sleep 600 & wait"}, Dir: dir,
		Log: filepath.Join(dir, "log"), Grace: 20 * time.Second}.Run(ctx)
	require.EqualError(t, err, "it: its limit")
	b, err := os.ReadFile(filepath.Join(dir, "left"))
	require.NoError(t, err)
	require.Equal(t, "kept\n", string(b))
}

// TestOut is that what is printed on stderr does not break the lines of a file of stdout.
func TestOut(t *testing.T) {
	dir := t.TempDir()
	c := Command{What: "it", Argv: []string{"sh", "-c", "printf one; echo warning >&2; echo two"}, Dir: dir,
		Log: filepath.Join(dir, "log"), Out: filepath.Join(dir, "out")}
	_, err := c.Run(t.Context())
	require.NoError(t, err)
	for path, want := range map[string]string{c.Out: "onetwo\n", c.Log: "warning\n"} {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, want, string(b))
	}
}
