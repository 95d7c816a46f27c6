package fakecuda_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/fakecuda"
	"lorabench/internal/fakecuda/fakecudatest"
)

// command runs one of children on a card that counts in a file of the test, whose name it returns.
func command(t *testing.T, name string, card fakecuda.Card) (*exec.Cmd, string) {
	t.Helper()
	dir := fakecudatest.Require(t)
	card.Counters = filepath.Join(t.TempDir(), "counters")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), card.Env(dir)...), childVariable+"="+name)
	return cmd, card.Counters
}

// output is what a child printed and counted.
func output(t *testing.T, name string, card fakecuda.Card) (string, fakecuda.Counters) {
	t.Helper()
	cmd, path := command(t, name, card)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", stderr.String())
	counters, err := fakecuda.ReadCounters(path)
	require.NoError(t, err)
	return string(out), counters
}

func TestElapsed(t *testing.T) {
	out, counters := output(t, "elapsed", fakecuda.Card{})
	require.Equal(t, "true\n", out)
	require.EqualValues(t, 2, counters.Waits(), "when the device is opened, and for the second event")
	require.Empty(t, counters.Errors())
}

// TestDevice looks at the counters while the child runs, between two products.
func TestDevice(t *testing.T) {
	cmd, path := command(t, "device", fakecuda.Card{})
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(stdout)
	next := func() string {
		require.True(t, lines.Scan(), "%s", &stderr)
		return lines.Text()
	}
	counters := func() fakecuda.Counters {
		c, err := fakecuda.ReadCounters(path)
		require.NoError(t, err)
		return c
	}
	require.Equal(t, "NVIDIA H100 80GB HBM3 (stand-in) (9.0) 580.95.05", next())
	require.Equal(t, "done", next())
	first := counters()
	_, err = stdin.Write([]byte("\n"))
	require.NoError(t, err)
	require.Equal(t, "done", next())
	step := counters().Sub(first)
	_, err = stdin.Write([]byte("\n"))
	require.NoError(t, err)
	require.NoError(t, cmd.Wait(), "%s", &stderr)

	require.Equal(t, fakecuda.Counter{Direct: 1}, step.Products())
	require.Equal(t, fakecuda.Counter{Direct: 2 * 64 * 256 * 32}, step.FLOPs())
	require.Equal(t, fakecuda.Counter{Direct: 2}, step.Kernels(), "zeros, twice")
	require.EqualValues(t, 1, step.Waits())
	require.Zero(t, step.LegacyStream())
	require.Zero(t, step.PageableCopies())
	now, peak := step.Memory()
	require.Equal(t, now, peak, "measured, not counted: the allocator keeps what it took")
	require.Positive(t, now)
	require.Empty(t, step.Errors())
}

func TestGraph(t *testing.T) {
	_, counters := output(t, "graph", fakecuda.Card{})
	require.EqualValues(t, 1, counters.Captures())
	require.EqualValues(t, 10, counters.GraphLaunches())
	require.Equal(t, fakecuda.Counter{Direct: 1, Captured: 1, Replayed: 10}, counters.Products())
	const flops = 2 * 8 * 16 * 32
	require.Equal(t, fakecuda.Counter{Direct: flops, Captured: flops, Replayed: 10 * flops}, counters.FLOPs())
	require.EqualValues(t, 11*flops, counters.FLOPs().Done())
	require.EqualValues(t, 10*counters.Kernels().Captured, counters.Kernels().Replayed)
	require.Positive(t, counters.Kernels().Captured)
	require.Empty(t, counters.Errors())
}

func TestSynchroniseInGraph(t *testing.T) {
	out, counters := output(t, "synchronise in a graph", fakecuda.Card{})
	require.Contains(t, out, "operation not permitted when stream is capturing")
	require.Contains(t, counters.Errors(), "cudaDeviceSynchronize: cudaErrorStreamCaptureUnsupported")
}

func TestMemory(t *testing.T) {
	for _, c := range []struct {
		why     string
		card    fakecuda.Card
		tensors string
		refused uint64 // cudaMalloc
	}{
		{"an H100 holds them all", fakecuda.Card{}, "100 tensors\n", 0},
		{"1 GiB, of which a context uses 560 MiB: 464 MiB", fakecuda.Card{Memory: 1 << 30}, "7 tensors\n", 2},
		{"libtorch frees its cache and asks again, with success", fakecuda.Card{FailMalloc: 3}, "100 tensors\n", 1},
	} {
		out, counters := output(t, "fill", c.card)
		require.Equal(t, c.tensors, out, c.why)
		require.Equal(t, c.refused, counters.OutOfMemory(), c.why)
		require.Empty(t, counters.Errors(), c.why)
	}
}

func TestNorms(t *testing.T) {
	out, _ := output(t, "norms", fakecuda.Card{})
	require.Equal(t, "[0 0 0]\n", out)
	out, _ = output(t, "norms", fakecuda.Card{Norms: true})
	require.Equal(t, "[0.7470588 0.7470588 0.7470588]\n", out)
}

func TestCounters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counters")
	_, err := fakecuda.ReadCounters(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("something else"), 0o644))
	_, err = fakecuda.ReadCounters(path)
	require.ErrorContains(t, err, "these are not the stand-in's counters")
}

// TestRequire: without the stand-in a test is skipped with the reason, and fails in CI.
func TestRequire(t *testing.T) {
	require.NotEmpty(t, fakecudatest.Require(t))
	for _, c := range []struct{ ci, want string }{{"", "--- SKIP"}, {"true", "--- FAIL"}} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^TestTrap$")
		cmd.Env = append(os.Environ(), "CI="+c.ci, fakecuda.DirEnv+"="+t.TempDir())
		out, err := cmd.CombinedOutput()
		require.Equal(t, c.ci == "true", err != nil)
		require.Contains(t, string(out), c.want)
		require.Contains(t, string(out), "needs the stand-in CUDA runtime: "+fakecuda.DirEnv)
	}
}
