package judge

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/results"
)

func TestArguments(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	put := func(name string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte("BenchmarkX 1 5 ns/op\n"), 0o644))
	}
	for _, name := range []string{"a.txt", "a=b,[c].txt", "run/bench.txt", "run/parts-0.txt", "run/parts.txt", "seed=[1]/bench.txt", "other/x.txt"} {
		put(name)
	}
	for _, c := range []struct {
		why, arg string
		files    []string
		problem  string
	}{
		{"a file", "a.txt", []string{"a.txt"}, ""},
		{"a folder and its parts", "run", []string{"run/bench.txt", "run/parts-0.txt", "run/parts.txt"}, ""},
		{"a folder whose name looks like a pattern", "seed=[1]", []string{"seed=[1]/bench.txt"}, ""},
		{"a file whose name has the signs of one", "a=b,[c].txt", []string{"a=b,[c].txt"}, ""},
		{"nothing", "", nil, "no such file"},
		{"no such file", "z.txt", nil, "no such file"},
		{"a folder without results", "other", nil, "no such file"},
	} {
		in := Read(c.arg)
		assert.Equal(t, c.files, in.Files, c.why)
		if c.problem == "" {
			assert.Empty(t, in.Problems, c.why)
		} else if assert.NotEmpty(t, in.Problems, c.why) {
			assert.Contains(t, in.Problems[0].Text, c.problem, c.why)
			assert.Equal(t, results.Unreadable, in.Problems[0].Kind, c.why)
		}
	}
}

func TestClasses(t *testing.T) {
	for unit, want := range map[string]Class{
		"loss": Loss, "eval-loss": Loss, "val_loss": Loss, "samples/sec": Speed, "ns/op": Speed, "sec/op": Speed, "MB/s": Speed, "sec-to-loss": Speed,
		"p99-ns": Speed, "peak-GPU-GB": Memory, "B/op": Memory, "heap-bytes": Memory, "allocs/op": Count, "adapter-bytes": Count, "grad-norm": Other,
	} {
		assert.Equal(t, want, classOf(unit, false), unit)
		assert.Equal(t, Count, classOf(unit, true), unit)
	}
}

// FuzzJudge: whatever two files say, something is said of it.
func FuzzJudge(f *testing.F) {
	f.Add([]byte("BenchmarkX 1 5 ns/op 0 loss\nBenchmarkX 1 6 ns/op -1 loss\n"), []byte("Unit x assume=exact\nBenchmarkX 1 5 sec/op 1 loss\nBenchmarkX 1 6 ns/op 2 loss 3 x\n"), "* floor=0")
	f.Add([]byte(lorabench+"BenchmarkRank/rank=8-2 1 1 loss 2 x\n"), []byte(lorabench+"BenchmarkRank/rank=8-2 1 2 loss 2 x\nBenchmarkPart/a 1 2 ns/op\n"), "x mode=exact")
	f.Fuzz(func(t *testing.T, old, new []byte, rule string) {
		o := Options{MinSamples: 2}
		if o.Rules.Read(rule, "-rule") != nil {
			return
		}
		v := Judge(Read(written(t, "old.txt", string(old))), Read(written(t, "new.txt", string(new))), o)
		require.NotEmpty(t, v.Text)
		require.Equal(t, v.Status == Unusable, len(v.Problems) > 0)
		for _, r := range v.Results {
			require.NotEmpty(t, r.Call)
			require.NotEmpty(t, r.Why)
			require.False(t, r.P < 0 || r.P > 1 || r.Corrected < 0 || r.Corrected > 1, "%+v", r)
			require.False(t, math.IsInf(r.Change, 0) || math.IsNaN(r.Baseline.Center) || math.IsInf(r.Baseline.Center, 0), "%+v", r)
			require.False(t, r.High < r.Low, "%+v", r)
		}
	})
}
