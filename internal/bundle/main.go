// Bundle packs lorabench into a folder and a .tar.gz that run on another machine, such as one with a GPU, without Go, a
// compiler, the repository or a network: only libtorch 2.11 is needed there. It is run by `make bundle`.
//
//	go run ./internal/bundle -out=out/lorabench-bundle
//
// The folder has the repository's layout, so that tests find their fixtures, and a script `run` that finds libtorch.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"lorabench/internal/process"
	"lorabench/internal/root"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := process.Interruptible(context.Background())
	defer stop()
	fs := flag.NewFlagSet("bundle", flag.ContinueOnError)
	fs.SetOutput(stderr)
	out := fs.String("out", filepath.Join("out", "lorabench-bundle"), "`folder` to make; the archive is FOLDER.tar.gz")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(stderr, "bundle: unexpected argument %q: it takes flags only\n", fs.Arg(0))
		return 2
	}
	if err := bundle(ctx, *out, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "bundle: %v\n", err)
		return 1
	}
	return 0
}

func bundle(ctx context.Context, out string, stdout, stderr io.Writer) error {
	top, err := root.Dir()
	if err != nil {
		return err
	}
	if root.Bundled() {
		return fmt.Errorf("a bundle is made in a checkout: unset %s", root.Variable)
	}
	if out, err = filepath.Abs(out); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	m, err := replace(ctx, top, out, stderr)
	if err != nil {
		return err
	}
	archive := out + ".tar.gz"
	if err := pack(archive, out, m); err != nil {
		return err
	}
	info, err := os.Stat(archive)
	if err != nil {
		return err
	}
	var bytes int64
	for _, f := range m.Files {
		bytes += f.Bytes
	}
	fmt.Fprintf(stdout, "bundle: %s, %d files, %.1f MB; %s, %.1f MB; commit %s\n", out, len(m.Files), float64(bytes)/1e6, archive,
		float64(info.Size())/1e6, m.Commit)
	return nil
}
