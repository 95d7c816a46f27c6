package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/models"
	"lorabench/internal/torch"
)

const small = "../../testdata/small"

func TestPretrainWritesAModelThatLoads(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"vocab.json", "merges.txt", "pretrain.jsonl.gz"} {
		b, err := os.ReadFile(filepath.Join(small, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o644))
	}
	live := torch.Live()
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run([]string{"-dir", dir, "-steps=2", "-warmup=1", "-batch=2", "-accum=1"}, &stdout, &stderr), stderr.String())
	require.Regexp(t, `^step 2 of 2: held-out loss 6\.\d{4}, \d+ s\n$`, stdout.String(), "two steps from nothing: about ln 1024")
	require.Empty(t, stderr.String())
	require.Equal(t, live, torch.Live())
	made, err := models.ReadConfig(dir)
	require.NoError(t, err)
	committed, err := models.ReadConfig(small)
	require.NoError(t, err)
	require.Equal(t, committed, made, "the committed model is of the shape this command makes")
	require.NoError(t, torch.Run(func(s *torch.Scope) error {
		_, _, err := models.Load(s, dir, torch.Float32, torch.CPU)
		return err
	}))
}

func TestPretrainRefuses(t *testing.T) {
	for _, c := range []struct {
		why  string
		args []string
		code int
		text string
	}{
		{"a folder without a tokenizer", []string{"-dir", t.TempDir()}, 1, "pretrain: "},
		{"no steps", []string{"-dir", small, "-steps=0", "-warmup=0"}, 1, "training for 0 steps"},
		{"an unknown flag", []string{"-x"}, 2, "flag provided but not defined: -x"},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, c.code, run(c.args, &stdout, &stderr), c.why)
		require.Contains(t, stderr.String(), c.text, c.why)
		require.Empty(t, stdout.String())
	}
}
