package turns

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStepByStep(t *testing.T) {
	w := newWorld(t)
	w.o.Seeds = 2
	_, head, err := w.run()
	require.NoError(t, err)
	assert.Equal(t, []string{"old 42", "new 42", "old 42", "new 42", "old 42", "new 42", "new 43", "old 43", "new 43", "old 43", "new 43", "old 43"}, w.turns(),
		"both processes of a pair live at once and take legs in turn, the second pair the other way round")
	assert.Contains(t, w.read(filepath.Join(head, "bench.txt")), "commit: new\nseed: 43\n")
	assert.Contains(t, w.err.String(), "gate: pair 2 of 2: seed 43, head and base step by step\n")
}

func TestAFailureEndsTheOtherSideToo(t *testing.T) {
	for _, side := range []string{"old", "new"} {
		w := newWorld(t)
		w.mark("stop-" + side + "-43")
		_, _, err := w.run()
		require.Error(t, err)
		assert.Regexp(t, "seed 43, .*: exit status 3", err.Error())
		assert.ErrorContains(t, err, "cannot allocate memory")
		assert.NotContains(t, err.Error(), "interrupted")
	}
}
