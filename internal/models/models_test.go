package models

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/llama"
	"lorabench/opt"
)

func TestReadConfigChoosesTheFamily(t *testing.T) {
	const parity = "../../testdata/parity/"
	for dir, want := range map[string]any{"post": opt.Config{}, "families/llama3": llama.Config{}, "families/mistral": llama.Config{},
		"families/qwen2": llama.Config{}, "families/qwen3": llama.Config{}} {
		c, err := ReadConfig(parity + dir)
		require.NoError(t, err)
		require.IsType(t, want, c, dir)
	}
}

func TestModelsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ why, content, text string }{
		{"another family", `{"model_type": "gemma2"}`, `model_type is "gemma2", want "opt" or one of`},
		{"nothing", `{}`, `model_type is "", want "opt" or one of`},
		{"no JSON", `model_type`, "not a model config"},
		{"a family without its sizes", `{"model_type": "qwen2"}`, "vocab_size is 0"},
	} {
		path := filepath.Join(t.TempDir(), "config.json")
		require.NoError(t, os.WriteFile(path, []byte(c.content), 0o666))
		_, err := ReadConfig(path)
		require.ErrorContains(t, err, c.text, c.why)
		require.ErrorContains(t, err, path, c.why)
	}
	_, err := ReadConfig(t.TempDir())
	require.ErrorContains(t, err, "model config")
}

func TestFilesThatAreNoConfig(t *testing.T) {
	for _, c := range []struct{ why, content, text string }{
		{"empty", "", "not a model config"},
		{"cut", `{"model_type": "opt", "hidd`, "not a model config"},
		{"a list", `[]`, "not a model config"},
		{"nothing", `null`, "model_type"},
		{"no fields", `{}`, "model_type"},
		{"an adapter's config", `{"peft_type": "LORA", "r": 8}`, "model_type"},
		{"two values", `{"model_type": "opt"} {}`, "not a model config"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "config.json")
		require.NoError(t, os.WriteFile(path, []byte(c.content), 0o644))
		for _, given := range []string{dir, path} {
			got, err := ReadConfig(given)
			require.ErrorContains(t, err, c.text, c.why)
			require.ErrorContains(t, err, path, "names the file")
			require.Zero(t, got)
		}
	}
	dir := t.TempDir()
	_, err := ReadConfig(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, filepath.Join(dir, "config.json"))
}
