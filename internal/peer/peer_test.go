package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/internal/fixture"
)

func needsPeer(t *testing.T) {
	if os.Getenv(pythonVariable) == "" {
		t.Skipf("%s names no python with the packages of requirements.txt", pythonVariable)
	}
}

// The real thing: both programs, both recipes' kinds of labels.
func TestEndToEnd(t *testing.T) {
	needsPeer(t)
	for _, c := range []struct {
		recipe, ranks, peers string
		rows                 int
	}{{"reported", "4,32", "stock,tuned", 4}, {"assigned", "8", "stock,tuned", 2}} {
		t.Run(c.recipe, func(t *testing.T) {
			dir := t.TempDir()
			var out, errs bytes.Buffer
			args := []string{"-model=testdata/small/config.json", "-device=cpu", "-threads=1", "-recipe=" + c.recipe, "-ranks=" + c.ranks, "-peers=" + c.peers,
				"-steps=2", "-loss-steps=3", "-out=" + dir}
			require.Equal(t, 0, run(args, &out, &errs), errs.String())
			o, err := parse(args, io.Discard)
			require.NoError(t, err)
			s, err := o.settings()
			require.NoError(t, err)
			timed, err := sequences(t.Context(), s, 2*s.Batch*s.Accum)
			require.NoError(t, err)
			slices.SortFunc(timed, func(a, b sample) int { return len(b.IDs) - len(a.IDs) })
			for _, r := range agreeing(t, dir, c.rows) {
				assert.Positive(t, r.SpeedRatio)
				assert.Positive(t, r.MemoryRatio)
				assert.Equal(t, "sdpa", r.PeerAttention)
				if r.PeerGrouped {
					assert.Equal(t, paddedTokens(timed, s.Batch), r.PeerPadded, "what is timed is sorted, however few steps it is")
					assert.Less(t, r.PeerPadded, r.Padded, "grouping is there to pad less")
				} else {
					assert.Equal(t, r.Padded, r.PeerPadded)
				}
			}
		})
	}
}

// agreeing reads the rows of peer.json, and fails where losses or gradients differ.
func agreeing(t *testing.T, dir string, n int) (rows []row) {
	b, err := os.ReadFile(filepath.Join(dir, "peer.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &rows))
	require.Len(t, rows, n)
	for _, r := range rows {
		assert.Less(t, r.LossDifference, 1e-5, "docs/parity.md's tolerance of a step's loss")
		assert.Less(t, r.NormDifference, 1e-4)
		assert.NotEqual(t, r.Loss[0], r.Loss[2], "something was learnt, so that more than the first forward pass agrees")
	}
	return rows
}

// TestFamilies: with adapters on every linear layer, heads tied and not, with and without a padding token, and norms of q and k.
func TestFamilies(t *testing.T) {
	needsPeer(t)
	for _, family := range []string{"smollm2", "mistral", "qwen3"} {
		t.Run(family, func(t *testing.T) {
			dir := t.TempDir()
			var out, errs bytes.Buffer
			require.Equal(t, 0, run([]string{"-model=" + fixture.Family(t, family), "-device=cpu", "-threads=1", "-ranks=4", "-peers=stock",
				"-steps=0", "-loss-steps=3", "-out=" + dir, "-bench=-targets=q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"},
				&out, &errs), errs.String())
			agreeing(t, dir, 1)
		})
	}
}
