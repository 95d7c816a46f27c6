package process

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

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

// testFlags are go test's flags that a benchmark's binary takes too.
var testFlags = []string{"bench", "benchmem", "benchtime", "count", "cpu", "failfast", "short", "shuffle", "skip", "timeout", "v"}

// Flag returns a flag of go test or of the benchmark, as its binary takes it.
func Flag(a string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
	if strings.HasPrefix(a, "-") && slices.Contains(testFlags, name) {
		return "-test." + strings.TrimLeft(a, "-")
	}
	return a
}
