package process

import (
	"context"
	"path/filepath"

	"lorabench/internal/root"
)

// Benchmark builds package bench's test binary in dir and returns its path, so that no run's figures include compiling. A
// bundle contains it. top is root.Dir's.
func Benchmark(ctx context.Context, top, dir string) (string, error) {
	if root.Bundled() {
		return filepath.Join(top, "bench", "bench.test"), nil
	}
	path := filepath.Join(dir, "lorabench.test")
	_, err := Command{What: "compiling lorabench", Argv: []string{"go", "test", "-c", "-o", path, "./bench"}, Dir: top,
		Env: []string{"TMPDIR=" + dir}, Log: filepath.Join(dir, "compile.log")}.Run(ctx)
	return path, err
}
