package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const goodResult = `{"steps": [{"loss": 2.5, "learning_rate": 0.1, "grad_norm": 3.0, "real_tokens": 6}, {"loss": 2.25, "learning_rate": 0.05, "real_tokens": 4}], "seconds": 1.5,
	"real_tokens": 10, "padded_tokens": 12, "memory_peak": {"rss_bytes": 1024}, "threads": 2, "trainable_parameters": 8, "attention": "sdpa", "gpu": ""}`

func TestParseResult(t *testing.T) {
	r, err := parseResult([]byte(goodResult), 2)
	require.NoError(t, err)
	assert.Equal(t, 2.25, r.Steps[1].Loss)
	assert.Equal(t, 3.0, *r.Steps[0].GradNorm)
	assert.Nil(t, r.Steps[1].GradNorm, "not logged")
	assert.EqualValues(t, 1024, *r.Peak.RSS)
	assert.Nil(t, r.Peak.GPUAllocated, "not measured")
	for _, c := range []struct{ json, err, why string }{
		{``, "EOF", "empty"},
		{`{"steps": [], `, "EOF", "cut"},
		{goodResult + "{}", "something follows", "two results"},
		{`{"loss": 2}`, `unknown field "loss"`, "another program's"},
		{`{"steps": [{"loss": NaN}]}`, "invalid character", "Python writes NaN where it is not told otherwise"},
		{`{"steps": []}`, "steps has 0 entries, want 2", "ended early"},
		{`{"steps": [{}, {}], "seconds": 0}`, "seconds is 0", "the clock never ran"},
		{`{"steps": [{}, {}], "seconds": 1, "real_tokens": 0}`, "real_tokens is 0", "nothing was trained on"},
		{`{"steps": [{}, {}], "seconds": 1, "real_tokens": 9, "padded_tokens": 8}`, "padded_tokens 8", "padding takes nothing away"},
		{`{"steps": [{"real_tokens": 4}, {"real_tokens": 4}], "seconds": 1, "real_tokens": 9, "padded_tokens": 9}`, "steps have 8 real_tokens of 9", "a step is missing"},
		{`{"steps": [{"real_tokens": 4}, {"real_tokens": 5}], "seconds": 1, "real_tokens": 9, "padded_tokens": 9}`, "trainable_parameters is 0", "no adapter"},
	} {
		_, err := parseResult([]byte(c.json), 2)
		assert.ErrorContains(t, err, c.err, c.why)
	}
}

func TestParseRecord(t *testing.T) {
	for _, c := range []struct{ json, err, why string }{
		{`[]`, "cannot unmarshal", "not a record"},
		{`{"global_step": 3, "log_history": [{}, {}]}`, "global_step is 3 and log_history has 2 entries, want 2", "another run's"},
		{`{"global_step": 2, "log_history": [{}, {}]}`, "train_samples_per_second is 0", "not measured"},
		{`{"global_step": 2, "log_history": [{}, {}], "train_samples_per_second": 1}`, "real_tokens is 0", "not measured"},
	} {
		_, err := parseRecord([]byte(c.json), 2)
		assert.ErrorContains(t, err, c.err, c.why)
	}
	_, err := readRecord(filepath.Join(t.TempDir(), "none.json"), 1)
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = readResult(filepath.Join(t.TempDir(), "none.json"), 1)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzParseResult(f *testing.F) {
	f.Add([]byte(goodResult), 2)
	f.Add([]byte(`{"steps": null, "seconds": 1e999}`), 0)
	f.Add([]byte(`{"steps": [{"real_tokens": 1}], "seconds": 1, "real_tokens": 1, "padded_tokens": 1, "trainable_parameters": 1}`), 1)
	f.Fuzz(func(t *testing.T, b []byte, steps int) {
		r, err := parseResult(b, steps)
		if err != nil {
			return
		}
		if len(r.Steps) != steps || r.Seconds <= 0 || r.RealTokens < 1 || r.PaddedTokens < r.RealTokens {
			t.Fatalf("taken: %+v", r)
		}
	})
}
