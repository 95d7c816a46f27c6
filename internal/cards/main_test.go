package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/shard"
)

// TestCards trains a study of four seeds on two cards that are none: with -device=cpu their names change nothing.
func TestCards(t *testing.T) {
	t.Setenv("OMP_NUM_THREADS", "1")
	out := t.TempDir()
	var stderr bytes.Buffer
	require.Equal(t, 0, run(t.Context(), []string{"-gpus=0,1", "-device=cpu", "-model=testdata/small", "-data=testdata/small/train.jsonl.gz", "-ranks=2,4",
		"-lr=1e-3", "-limit=40", "-eval=4", "-batch=1", "-benchtime=2x", "-count=4", "-out=" + out}, &stderr), stderr.String())
	require.Contains(t, stderr.String(), "card 1, part 2/2: "+out+"/shard-2-of-2/bench.log")
	rs, notes, err := shard.Merge([]string{out})
	require.NoError(t, err)
	require.Empty(t, notes, "no cell is missing or twice, and every block is on one card")
	require.Len(t, rs, 8)
	parts := map[string]int{}
	for _, r := range rs {
		parts[r.Shard]++
		require.False(t, r.Scattered)
	}
	require.Equal(t, map[string]int{"1/2": 4, "2/2": 4}, parts)
	stderr.Reset()
	require.Equal(t, 1, run(t.Context(), []string{"-gpus=0", "-device=cpu", "-out=" + out}, &stderr), "another number of cards")
	require.Contains(t, stderr.String(), "shard-1-of-2 there is of another study: move it away, or give another folder")
}

func TestFewer(t *testing.T) {
	require.True(t, fewer("-test.count=3", 4))
	require.False(t, fewer("-test.count=4", 4))
	require.False(t, fewer("-ranks=3", 4))
}

func TestRefused(t *testing.T) {
	t.Setenv("CUDA_VISIBLE_DEVICES", "")
	for _, c := range []struct {
		why  string
		args []string
		code int
		text string
	}{
		{"no cards", []string{"-out=x"}, 2, "-gpus is missing"},
		{"no folder", []string{"-gpus=0"}, 2, "-out is missing"},
		{"two processes on a card", []string{"-gpus=0,1,0", "-out=x"}, 2, `-gpus is "0,1,0": want each card once`},
		{"a card without a name", []string{"-gpus=0,", "-out=x"}, 2, "want each card once"},
		{"parts of parts", []string{"-gpus=0", "-out=x", "-shard=1/2"}, 2, "a card is a part of the study"},
		{"no card is shown", []string{"-gpus=all", "-out=x"}, 2, "cards: "},
		{"a part that fails says why", []string{"-gpus=0", "-out=" + t.TempDir(), "-device=cpu", "-ranks=0"}, 1, `card 0, part 1/1: exit status 1`},
	} {
		var stderr bytes.Buffer
		require.Equal(t, c.code, run(t.Context(), c.args, &stderr), c.why)
		require.Contains(t, stderr.String(), c.text, c.why)
	}
}
