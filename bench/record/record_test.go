package record_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

func made(name string, seed int64) *record.Record {
	rss, loss := int64(3<<30), 1.5
	return &record.Record{Name: name, Rank: "8", Seed: seed, Started: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), GlobalStep: 2, Runtime: 4,
		Loss: 1.75, TrainLoss: 2, EvalLoss: &loss, SamplesPerSecond: 8, TokensPerSecond: 100, GradNorm: 0.5, PeakMemory: record.Peak{RSS: &rss},
		Steps: []record.Step{{Step: 1, Loss: 2.25}, {Step: 2, Loss: 1.75}}}
}

func TestARecordSurvivesItsFile(t *testing.T) {
	dir := t.TempDir()
	r := made("rank=8/lr=1e-4/targets=q,v", 7)
	require.NoError(t, r.Save(dir))
	back, err := record.Read(filepath.Join(dir, "rank=8,lr=1e-4,targets=q,v,seed=7.json"))
	require.NoError(t, err)
	require.Equal(t, r, back)
}

func TestNoDamagedRecordIsRead(t *testing.T) {
	dir := t.TempDir()
	r := made("rank=8", 7)
	require.NoError(t, r.Save(dir))
	path := filepath.Join(dir, "rank=8,seed=7.json")
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	refused := func(b []byte, what string, at int) {
		require.NoError(t, os.WriteFile(path, b, 0o644))
		_, err := record.Read(path)
		require.ErrorContains(t, err, path, "%s %d", what, at)
	}
	source := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		bit, cut := source.IntN(8*len(whole)), source.IntN(len(whole))
		flipped := slices.Clone(whole)
		flipped[bit/8] ^= 1 << (bit % 8)
		refused(flipped, "bit", bit)
		refused(whole[:cut], "cut at", cut)
	}
	refused(whole[:len(whole)-1], "cut at", len(whole)-1)
	require.NoError(t, os.WriteFile(path, bytes.Replace(whole, []byte(`"train_loss": 2`), []byte(`"train_loss": 1`), 1), 0o644))
	_, err = record.Read(path)
	require.EqualError(t, err, path+": its checksum is not the one written in it: the file is damaged or was edited")
}

func TestAResumedRunHasLossesOnly(t *testing.T) {
	r := made("rank=8", 7)
	require.Same(t, r, r.Comparable())
	r.Resumed, r.Laps = 1, []record.Lap{{Step: 1, Seconds: 2}}
	c := r.Comparable()
	require.Equal(t, r.EvalLoss, c.EvalLoss)
	require.True(t, math.IsNaN(c.Runtime) && math.IsNaN(c.SamplesPerSecond) && math.IsNaN(c.TokensPerSecond))
	require.Zero(t, c.PeakMemory)
	require.Empty(t, c.Laps)
	require.Equal(t, 4.0, r.Runtime, "the record itself is as it was")
	for _, m := range r.Metrics() {
		require.Contains(t, []string{"loss", "train-loss", "eval-loss", "grad-norm"}, m.Unit)
	}
}

func TestReadDirIsInOrder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"rank=full", "rank=128", "rank=8", "rank=16"} {
		for _, seed := range []int64{10, 9} {
			require.NoError(t, made(name, seed).Save(dir))
		}
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "peer.json"), []byte("{}"), 0o644))
	rs, err := record.ReadDir(dir)
	require.NoError(t, err)
	var got []string
	for _, r := range rs {
		got = append(got, r.FileName())
	}
	require.Equal(t, []string{"rank=8,seed=9", "rank=8,seed=10", "rank=16,seed=9", "rank=16,seed=10", "rank=128,seed=9", "rank=128,seed=10",
		"rank=full,seed=9", "rank=full,seed=10"}, got, "ranks as numbers, full last, other files left aside")
	_, err = record.ReadDir(t.TempDir())
	require.ErrorContains(t, err, "has no run record")
}

func TestAnArmWithARunThatDivergedIsLeftOut(t *testing.T) {
	rs := []*record.Record{made("rank=8/lr=1e-3", 1), made("rank=8/lr=1e-3", 2), made("rank=8/lr=1", 1), made("rank=8/lr=1", 2)}
	finite, left, err := record.Finite(rs)
	require.NoError(t, err)
	require.Equal(t, rs, finite)
	require.Empty(t, left)

	rs[3].Diverged = 2
	require.Empty(t, rs[3].Metrics())
	finite, left, err = record.Finite(rs)
	require.NoError(t, err)
	require.Equal(t, rs[:2], finite, "the seed that went well by luck is not chosen")
	require.Equal(t, "Left out, because training diverged: rank=8/lr=1 (seed 2 at step 2).", left)

	rs[2].Diverged = 1
	_, left, err = record.Finite(rs[2:])
	require.ErrorContains(t, err, "no arm is left to compare")
	require.Contains(t, left, "rank=8/lr=1 (seed 1 at step 1, seed 2 at step 2)")
}

func TestCompare(t *testing.T) {
	names := []string{"rank=128", "rank=full", "rank=8/lr=1e-3", "rank=8/lr=2e-4", "rank=8", "rank=8/lr=2e-4/targets=q"}
	slices.SortFunc(names, record.Compare)
	require.Equal(t, []string{"rank=8", "rank=8/lr=2e-4", "rank=8/lr=2e-4/targets=q", "rank=8/lr=1e-3", "rank=128", "rank=full"}, names)
}

func TestFilesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ why, content, text string }{
		{"no JSON", "rank 8", "it is no run record"},
		{"another version's field", `{"name": "rank=8", "rank": "8", "ranks": ["8"]}`, `unknown field "ranks"`},
		{"two records", `{"name": "rank=8", "rank": "8", "global_step": 1, "train_runtime": 1} {}`, "after top-level value"},
		{"a later version", `{"schema": 2, "name": "rank=8", "steps_skipped": 3}`, `"schema" is 2, this lorabench reads up to 1`},
		{"a version below the first", `{"schema": -1, "name": "rank=8"}`, `"schema" is -1`},
		{"a place before the first", `{"schema": 1, "block": 1, "position": -1}`, `"block" is 1 and "position" -1`},
		{"divergence after the end", `{"name": "rank=8", "rank": "8", "global_step": 1, "train_runtime": 1, "diverged_at_step": 2}`,
			`"diverged_at_step" is 2`},
		{"no name", `{"rank": "8"}`, `"name" is missing`},
		{"no rank", `{"name": "x"}`, `"rank" is missing`},
		{"a stand-in device", `{"name": "x", "rank": "8", "machine": {"gpu": "H100 (stand-in) (9.0)"}}`, "a stand-in device, whose kernels compute nothing"},
		{"no step", `{"name": "x", "rank": "8"}`, `"global_step" is 0`},
		{"no time", `{"name": "x", "rank": "8", "global_step": 1}`, `"train_runtime" is 0`},
		{"more steps logged than taken", `{"name": "x", "rank": "8", "global_step": 1, "train_runtime": 1, "log_history": [{}, {}]}`, `"log_history" has 2 steps`},
	} {
		path := filepath.Join(t.TempDir(), "rank=8,seed=1.json")
		require.NoError(t, os.WriteFile(path, []byte(c.content), 0o644))
		_, err := record.Read(path)
		require.ErrorContains(t, err, c.text, c.why)
		require.ErrorContains(t, err, path, c.why)
	}
}

func TestRecordsFromBeforeThereWasASchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rank=8,seed=1.json")
	for _, c := range []struct {
		content string
		inBlock bool
	}{
		{`{"name": "rank=8", "rank": "8", "seed": 1, "global_step": 1, "train_runtime": 1}`, false},
		{`{"schema": 1, "name": "rank=8", "rank": "8", "seed": 1, "block": 0, "position": 2, "global_step": 1, "train_runtime": 1}`, true},
	} {
		require.NoError(t, os.WriteFile(path, []byte(c.content), 0o644))
		r, err := record.Read(path)
		require.NoError(t, err, c.content)
		require.Equal(t, c.inBlock, r.InBlock(), c.content)
	}
}

func TestMetricsAreOnlyWhatWasMeasured(t *testing.T) {
	units := func(r *record.Record) (us []string) {
		for _, m := range r.Metrics() {
			us = append(us, m.Unit)
		}
		return us
	}
	r := made("rank=8", 1)
	require.Equal(t, []string{"ns/op", "loss", "train-loss", "eval-loss", "samples/sec", "tokens/sec", "grad-norm", "peak-RSS-GB"}, units(r))
	require.Equal(t, record.Metric{Unit: "ns/op", Value: 2e9}, r.Metrics()[0])
	gpu, seconds := int64(1<<30), 2.0
	r.PeakMemory.GPUAllocated, r.SecondsToTarget, r.EvalLoss = &gpu, &seconds, nil
	require.Equal(t, []string{"ns/op", "loss", "train-loss", "samples/sec", "tokens/sec", "grad-norm", "peak-GPU-GB", "sec-to-loss"}, units(r))
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"name": "rank=8", "rank": "8", "seed": 1, "global_step": 1, "train_runtime": 1, "log_history": [{"step": 1, "loss": 2}]}`))
	f.Add([]byte(`{"name": "rank=8", "memory": [{"name": "adapter", "measured_bytes": 3}]}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "r.json")
		require.NoError(t, os.WriteFile(path, b, 0o644))
		if r, err := record.Read(path); err == nil {
			r.FileName()
			r.Metrics()
		}
	})
}
