package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"lorabench/internal/fakecuda"
	"lorabench/internal/root"
)

//go:embed run.sh
var runScript []byte

// cudaPart is opened by name at run time, from the folder that run puts on the library path.
const cudaPart = "internal/torch/link/liblorabench_cuda.so"

// standIn is the folder that run names in LORABENCH_FAKECUDA.
const standIn = "internal/fakecuda/lib"

// tested lists the packages whose test binaries are included, with their testdata.
var tested = []string{"bench", "internal/torch", "internal/decoder", "lora"}

// commands maps the programs in bin to their packages.
var commands = map[string]string{
	"check":      "internal/bundle/check",
	"gate":       "bench/gate",
	"gpucheck":   "internal/gpucheck",
	"lorareport": "bench/report/lorareport",
	"peer":       "internal/peer",
	"fit":        "internal/fit",
	"sweep":      "internal/sweep",
}

// replace puts a new bundle at out: built beside it and renamed, so that a failure half way leaves what was there.
func replace(ctx context.Context, top, out string, stderr io.Writer) (m root.Manifest, err error) {
	if err := mayReplace(out); err != nil {
		return m, err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o777); err != nil {
		return m, fmt.Errorf("-out: %w", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(out), "."+filepath.Base(out)+"-")
	if err != nil {
		return m, fmt.Errorf("-out: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	made := filepath.Join(work, "new")
	if m, err = fill(ctx, top, made, stderr); err != nil {
		return m, err
	}
	if err := os.Rename(out, filepath.Join(work, "old")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("-out: %w", err)
	}
	return m, os.Rename(made, out)
}

// fill makes a bundle in a folder that is not there yet.
func fill(ctx context.Context, top, out string, stderr io.Writer) (m root.Manifest, err error) {
	if _, err := os.Stat(filepath.Join(top, cudaPart)); err != nil {
		return m, fmt.Errorf("%w: `make setup` builds it where libtorch has a CUDA half, as PyPI's does", err)
	}
	for _, pkg := range tested {
		binary := filepath.Join(out, pkg, filepath.Base(pkg)+".test")
		if err := build(ctx, top, stderr, "test", "-c", "-o", binary, "./"+pkg); err != nil {
			return m, err
		}
	}
	for name, pkg := range commands {
		if err := build(ctx, top, stderr, "build", "-o", filepath.Join(out, "bin", name), "./"+pkg); err != nil {
			return m, err
		}
	}
	copied := []string{cudaPart, "testdata", "LICENSE"}
	for _, pkg := range tested {
		copied = append(copied, pkg+"/testdata")
	}
	for _, path := range copied {
		if err := copyTree(filepath.Join(out, path), filepath.Join(top, path)); err != nil {
			return m, err
		}
	}
	libs, err := fakecuda.Dir()
	if err == nil {
		err = copyTree(filepath.Join(out, standIn), libs)
	}
	if err != nil {
		return m, err
	}
	if err := os.WriteFile(filepath.Join(out, "run"), runScript, 0o777); err != nil {
		return m, err
	}
	m.Commit, m.Go = root.Commit(), runtime.Version()
	m.Torch, err = torchVersion(filepath.Join(top, "internal/torch/link/libtorch"))
	if err == nil {
		err = list(&m, out)
	}
	return m, err
}

// mayReplace fails where out has any file that no earlier bundle put there: -out may be a mistake, and results are put into bundles.
func mayReplace(out string) error {
	entries, err := os.ReadDir(out)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	m, err := root.Read(out)
	if err != nil {
		return fmt.Errorf("-out %s has files and is no earlier bundle (%w): name a new folder", out, err)
	}
	listed := map[string]bool{root.ManifestName: true}
	for _, f := range m.Files {
		listed[f.Path] = true
	}
	return filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(out, path)
		if err == nil && !listed[filepath.ToSlash(rel)] {
			err = fmt.Errorf("-out %s has %s, which is no part of the bundle there: move it, or name a new folder", out, rel)
		}
		return err
	})
}

// build runs the go command. Symbol tables and DWARF are left out: half of each binary.
func build(ctx context.Context, top string, stderr io.Writer, verb string, args ...string) error {
	args = append([]string{verb, "-ldflags=-s -w"}, args...)
	fmt.Fprintf(stderr, "bundle: go %s\n", strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = top, stderr, stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s %s: %w", verb, args[len(args)-1], err)
	}
	return nil
}

// copyTree copies a file or folder, following links; a folder of a package that has none is no error.
func copyTree(to, from string) error {
	info, err := os.Stat(from)
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(from) == "testdata" {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm()|0o444)
}
