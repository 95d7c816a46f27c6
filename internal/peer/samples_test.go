package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench"
	"lorabench/data"
)

// small are the settings of a run on testdata/small with a recipe.
func small(t *testing.T, recipe string) bench.Settings {
	t.Helper()
	o, err := parse([]string{"-device=cpu", "-recipe=" + recipe, "-max-length=40"}, os.Stderr)
	require.NoError(t, err)
	s, err := o.settings()
	require.NoError(t, err)
	return s
}

func TestSequencesAreTheLoaders(t *testing.T) {
	for _, c := range []struct {
		recipe string
		limit  int
		why    string
	}{
		{"reported", 0, "loss on every token"},
		{"assigned", 0, "loss on the answer only: labels differ from the ids"},
		{"reported", 5, "fewer records than are drawn: epochs run into each other"},
	} {
		t.Run(c.why, func(t *testing.T) {
			s := small(t, c.recipe)
			s.Limit = c.limit
			got, err := sequences(context.Background(), s, 24)
			require.NoError(t, err)

			// What lorabench trains on: bench.Workload's and bench.Run's own steps.
			tok, err := data.LoadTokenizer(s.Tokenizer)
			require.NoError(t, err)
			set, err := data.Load(context.Background(), s.Data)
			require.NoError(t, err)
			recs := set.Records
			if c.limit > 0 {
				recs = recs[:c.limit]
			}
			encoded, err := s.Prompt().Encode(tok, recs, s.MaxLength)
			require.NoError(t, err)
			loader, err := data.NewLoader(encoded, data.NewOrder(len(encoded), 42, false), 4)
			require.NoError(t, err)
			for micro := range slices.Chunk(got, 4) {
				want := loader.Next()
				var ids, targets []int64
				for _, x := range micro {
					for i, id := range x.IDs {
						ids = append(ids, int64(id))
						if i > 0 {
							targets = append(targets, int64(x.Labels[i]))
						}
					}
					targets = append(targets, data.Ignore)
				}
				require.Equal(t, want.IDs, ids)
				require.Equal(t, want.Targets, targets)
			}
		})
	}
}

func TestWriteSamples(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples.json")
	want := []sample{{IDs: []int32{2, 7, 8}, Labels: []int32{-100, 7, 8}}, {IDs: []int32{2, 5}, Labels: []int32{2, 5}}, {IDs: []int32{2}, Labels: []int32{2}}}
	require.NoError(t, writeSamples(path, want))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var got []sample
	require.NoError(t, json.Unmarshal(text, &got))
	assert.Equal(t, want, got)
	assert.Contains(t, string(text), `{"input_ids":[2,7,8],"labels":[-100,7,8]}`, "the Trainer's names")
	assert.EqualValues(t, 6, tokens(want))

	assert.ErrorContains(t, writeSamples(path, nil), "no samples")
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, text, again, "what was there stays")
}
