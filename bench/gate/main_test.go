package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// made are results of so many runs of each of two ranks, with steps that take so many times the usual.
func made(runs int, slower float64) []byte {
	var b bytes.Buffer
	b.WriteString("model: testdata/small\ndevice: cpu\ncpu: AMD EPYC 7B13\nthreads: 2\ntorch: 2.11.0\ndtype: float32\nseed: 42\n\n")
	r := rand.New(rand.NewPCG(uint64(runs), uint64(slower*1000)))
	for i := range runs {
		for _, rank := range []int{8, 128} {
			fmt.Fprintf(&b, "BenchmarkRank/rank=%d-2 100 %.10g ns/op %.10g loss %.10g peak-RSS-GB\n", rank, 5e7*slower*(1+0.01*r.NormFloat64()),
				1.67+0.001*float64(i%100), 0.2+0.0005*r.Float64())
		}
	}
	return b.Bytes()
}

// TestHugeFiles is that 100,000 lines a side are judged like few, and the report of them is still one.
func TestHugeFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("base.txt", made(50000, 1), 0o666))
	require.NoError(t, os.WriteFile("new.txt", made(50000, 1.06), 0o666))
	var stdout, stderr bytes.Buffer
	require.Equal(t, 1, run([]string{"-markdown=gate.md", "base.txt", "new.txt"}, &stdout, &stderr), &stderr)
	require.Contains(t, stdout.String(), "50000  ✗ worse")
	require.Empty(t, stderr.String())
	stdout.Reset()
	require.Equal(t, 0, run([]string{"base.txt", "base.txt"}, &stdout, &stderr), &stderr)

	// Many benchmarks of few runs each, and a line that breaks off in each of them.
	var many, broken bytes.Buffer
	for i := range 2000 {
		for range 5 {
			fmt.Fprintf(&many, "BenchmarkCase/n=%d 10 100 ns/op 64 B/op 2 allocs/op\n", i)
		}
		fmt.Fprintf(&broken, "BenchmarkCase/n=%d 10 100\n", i)
	}
	require.NoError(t, os.WriteFile("many.txt", many.Bytes(), 0o666))
	require.NoError(t, os.WriteFile("broken.txt", append(many.Bytes(), broken.Bytes()...), 0o666))
	stdout.Reset()
	require.Equal(t, 0, run([]string{"many.txt", "many.txt"}, &stdout, &stderr), &stderr)
	require.Less(t, bytes.Count(stdout.Bytes(), []byte("\n")), 100, "nobody reads 6,000 rows that are the same")
	stdout.Reset()
	require.Equal(t, 2, run([]string{"-markdown=gate.md", "many.txt", "broken.txt"}, &stdout, &stderr))
	require.Less(t, bytes.Count(stdout.Bytes(), []byte("\n")), 100)
	require.Contains(t, stdout.String(), "broken.txt:10001:")
	report, err := os.ReadFile("gate.md")
	require.NoError(t, err)
	require.Less(t, len(report), 65536, "GitHub refuses longer comments")
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run([]string{"-help"}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "Exit status: 0 as good or better, 1 worse or numerics changed, 2 unusable input or arguments, 3 cannot tell.")
}

// FuzzCommand is the whole command over any two files: it never panics, its status is one of the four, and
// its JSON is JSON that says the same.
func FuzzCommand(f *testing.F) {
	f.Add(made(4, 1), made(4, 1.1), []byte("samples/sec floor=5%\n"))
	f.Add([]byte("BenchmarkX 1 0 ns/op\n"), []byte("BenchmarkX 1 NaN ns/op"), []byte(""))
	f.Add([]byte("Unit a better=higher\nBenchmarkX 1 1 a 2 b\n"), []byte("\ufeffUnit a better=lower\r\nBenchmarkX-8 1 -1 a 1e308 b\r\n"), []byte("* mode=exact"))
	f.Add([]byte("k: v\nBenchmark::error::x 1 1e-300 B/op\n"), []byte("k: w\x00\xff\nBenchmark::error::x 1 1e300 B/op\nBenchmarkPart/x 1 1 ns/op"), []byte("B/op required"))
	f.Add([]byte{}, []byte("\x00"), []byte("class:loss alpha=2"))
	f.Fuzz(func(t *testing.T, base, next, rules []byte) {
		dir := t.TempDir()
		paths := make([]string, 3)
		for i, data := range [][]byte{base, next, rules} {
			paths[i] = filepath.Join(dir, []string{"base.txt", "new.txt", "gate.txt"}[i])
			require.NoError(t, os.WriteFile(paths[i], data, 0o666))
		}
		var text, stderr, out bytes.Buffer
		status := run([]string{"-rules=", "-github", "-v", paths[0], paths[1]}, &text, &stderr)
		require.Contains(t, []int{0, 1, 2, 3}, status)
		require.Empty(t, stderr.String())
		require.NotEmpty(t, text.String())
		report := filepath.Join(dir, "gate.json")
		require.Equal(t, status, run([]string{"-rules=", "-json=" + report, paths[0], paths[1]}, &out, &stderr))
		written, err := os.ReadFile(report)
		require.NoError(t, err)
		var v struct {
			Exit int `json:"exit_status"`
		}
		require.NoError(t, json.Unmarshal(written, &v))
		require.Equal(t, status, v.Exit)
		require.Contains(t, []int{0, 1, 2, 3}, run([]string{"-rules=" + paths[2], paths[0], paths[1]}, &out, &stderr))
		out.Reset()
		require.Contains(t, []int{0, 2, 3}, run([]string{"-rules=", "-markdown=" + report, paths[0], paths[0]}, &out, &stderr), "a file is never worse than itself")
	})
}

// TestReportsToDevices is that a report to what is no file is written to it: replacing /dev/null would be
// the end of it for everyone, where the user is root.
func TestReportsToDevices(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("base.txt", made(6, 1), 0o666))
	require.NoError(t, os.Symlink(os.DevNull, "null"))
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run([]string{"-json=null", "base.txt", "base.txt"}, &stdout, &stderr), &stderr)
	info, err := os.Lstat("null")
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink, "it was replaced by a file")
}

// broken is a stdout whose reader has gone.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestReports is that a report replaces an older one, that a job's summary keeps what other steps wrote, and that both are written
// although stdout is not.
func TestReports(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("GITHUB_STEP_SUMMARY", "summary.md")
	require.NoError(t, os.WriteFile("base.txt", made(6, 1), 0o666))
	for _, name := range []string{"summary.md", "gate.json"} {
		require.NoError(t, os.WriteFile(name, []byte("earlier\n"), 0o666))
	}
	var stderr bytes.Buffer
	require.Equal(t, 2, run([]string{"-github", "-json=gate.json", "base.txt", "base.txt"}, broken{}, &stderr))
	require.Equal(t, "gate: broken pipe\n", stderr.String())
	report, err := os.ReadFile("gate.json")
	require.NoError(t, err)
	require.True(t, json.Valid(report))
	summary, err := os.ReadFile("summary.md")
	require.NoError(t, err)
	require.Regexp(t, `^earlier\n\n✓ \*\*Gate:`, string(summary))
}
