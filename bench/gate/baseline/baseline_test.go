package baseline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/gate/judge"
	"lorabench/bench/record"
)

// input has one result for each set of configuration lines.
func input(configs ...string) *judge.Input {
	in := &judge.Input{Files: []string{"bench.txt"}}
	for i, c := range configs {
		s := &judge.Settings{}
		for _, line := range strings.Split(c, "; ") {
			if k, v, ok := strings.Cut(line, ": "); ok {
				s.Keys, s.Values = append(s.Keys, k), append(s.Values, v)
			}
		}
		in.Benchmarks = append(in.Benchmarks, &judge.Benchmark{Procs: 2, Runs: []judge.Run{{Config: s, File: "bench.txt", Line: i + 1}}})
	}
	return in
}

func TestClass(t *testing.T) {
	for _, tt := range []struct {
		why  string
		in   *judge.Input
		want string
		err  string
	}{
		{why: "a CPU and its threads", in: input("device: cpu; cpu: AMD EPYC 7B13; threads: 2"), want: "cpu-amd-epyc-7b13-2-threads"},
		{why: "trade marks and punctuation", in: input("cpu: Intel(R) Xeon(R) CPU @ 2.20GHz; threads: 16"), want: "cpu-intel-xeon-cpu-2-20ghz-16-threads"},
		{why: "a GPU says more than the CPU beside it", in: input("device: cuda:0; gpu: NVIDIA H100 80GB HBM3; cpu: x; threads: 8"), want: "gpu-nvidia-h100-80gb-hbm3"},
		{why: "go test does not count threads", in: input("cpu: AMD EPYC 7B13"), want: "cpu-amd-epyc-7b13-2-procs"},
		{why: "a name may try to leave the folder", in: input("gpu: ../../etc"), want: "gpu-etc"},
		{why: "older files", in: input("device: cpu"), err: "bench.txt: no line says gpu: or cpu:"},
		{why: "a name without a letter or digit", in: input("cpu: ..; threads: 2"), err: "no line says gpu: or cpu:"},
		{why: "two machines in one file", in: input("cpu: a; threads: 2", "cpu: a; threads: 4"), err: `bench.txt:2: threads: "4" here and "2"`},
		{why: "part of it elsewhere", in: input("gpu: A100", "cpu: a"), err: `gpu: "" here and "A100"`},
		{why: "nothing", in: input(), err: "no result"},
	} {
		t.Run(tt.why, func(t *testing.T) {
			got, err := Class(tt.in)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

const results = `cpu: AMD EPYC 7B13
threads: 2
seed: 42

BenchmarkRank/rank=8-2 60 1.5e7 ns/op 2.5 loss
`

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	return got
}

func TestStore(t *testing.T) {
	from, dir := t.TempDir(), filepath.Join(t.TempDir(), "baseline")
	write(t, from, "bench.txt", results)
	write(t, from, "parts.txt", strings.Replace(results, "Rank/rank=8-2 60 1.5e7 ns/op 2.5 loss", "Part/part=matmul-2 3 5 ns/op", 1))
	rec := &record.Record{Name: "rank=8", Rank: "8", Seed: 42, GlobalStep: 60, Runtime: 1, Steps: make([]record.Step, 60), AdapterBytes: 7,
		Model: record.ModelInfo{Name: "testdata/small"}, Settings: record.Settings{Model: "/home/me/secret/testdata/small", Data: "/home/me/data.jsonl", Adapter: "/home/me/adapter"}}
	require.NoError(t, rec.Save(from))
	write(t, from, "rank=8,seed=42.csv", "not kept")

	path, err := Store(dir, from)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "cpu-amd-epyc-7b13-2-threads"), path)
	assert.Equal(t, []string{"bench.txt", "parts.txt", "rank=8,seed=42.json"}, names(t, path))
	kept, err := record.Read(filepath.Join(path, "rank=8,seed=42.json"))
	require.NoError(t, err)
	assert.Empty(t, kept.Steps)
	assert.Equal(t, "testdata/small", kept.Settings.Model)
	assert.Empty(t, kept.Settings.Data)
	assert.Equal(t, "adapter", kept.Settings.Adapter)
	assert.Equal(t, rec.AdapterBytes, kept.AdapterBytes)

	in, problems := judge.Read(from)
	require.Empty(t, problems)
	found, err := Find(dir, in)
	require.NoError(t, err)
	assert.Equal(t, path, found)

	t.Run("an earlier one goes, with all its files", func(t *testing.T) {
		newer := t.TempDir()
		write(t, newer, "bench.txt", strings.Replace(results, "2.5 loss", "2.25 loss", 1))
		again, err := Store(dir, newer)
		require.NoError(t, err)
		assert.Equal(t, path, again)
		assert.Equal(t, []string{"bench.txt"}, names(t, path))
		assert.Equal(t, []string{filepath.Base(path)}, names(t, dir))
	})
	t.Run("what cannot be read is refused and leaves the earlier one", func(t *testing.T) {
		bad := t.TempDir()
		write(t, bad, "bench.txt", results+"BenchmarkRank/rank=8-2 60 1.5e7 ns/op NaN loss\n")
		_, err := Store(dir, bad)
		require.ErrorContains(t, err, "bench.txt:6")
		assert.Equal(t, []string{filepath.Base(path)}, names(t, dir))
		assert.FileExists(t, filepath.Join(path, "bench.txt"))
	})
	t.Run("a folder without results", func(t *testing.T) {
		_, err := Store(dir, t.TempDir())
		require.Error(t, err)
		assert.Equal(t, []string{filepath.Base(path)}, names(t, dir))
	})
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	in := input("cpu: AMD EPYC 7B13; threads: 2")
	_, err := Find(dir, in)
	require.ErrorContains(t, err, "cpu-amd-epyc-7b13-2-threads: there is none at all; make baseline")
	_, err = Find(filepath.Join(dir, "gone"), in)
	require.ErrorContains(t, err, "there is none at all")
	write(t, filepath.Join(dir, "gpu-a100"), "bench.txt", "")
	write(t, filepath.Join(dir, "cpu-x-2-threads"), "bench.txt", "")
	write(t, filepath.Join(dir, ".half"), "bench.txt", "")
	write(t, dir, "README.md", "")
	_, err = Find(dir, in)
	require.ErrorContains(t, err, "there are cpu-x-2-threads, gpu-a100; make baseline")
	write(t, filepath.Join(dir, "cpu-amd-epyc-7b13-2-threads"), "bench.txt", "")
	path, err := Find(dir, in)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "cpu-amd-epyc-7b13-2-threads"), path)
}
