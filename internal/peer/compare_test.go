package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCompare(t *testing.T) {
	losses := "our float32,adamw_torch_fused float32,adamw_torch float32,"
	for _, c := range []struct{ turns, want, why string }{
		{"step", losses + strings.Repeat("adamw_torch float32 step,our float32 step,", 2) +
			strings.Repeat("adamw_torch_fused float32 step,our float32 step,", 2), "losses run by run; speed step by step, with lorabench once for each peer"},
		{"round", losses + strings.Repeat("adamw_torch float32 step,adamw_torch_fused float32 step,our float32 step,", 2), "all in one ring"},
		{"run", losses + losses, "one program after the other"},
	} {
		t.Run(c.turns, func(t *testing.T) { testCompare(t, c.turns, strings.Repeat(c.want, 2), c.why) })
	}
}

func TestPrecisions(t *testing.T) {
	calls := filepath.Join(t.TempDir(), "calls")
	t.Setenv(fakeVariable, "")
	t.Setenv("FAKE_CALLS", calls)
	o := tiny(t, "-ranks=8", "-turns=round", "-dtype=float32,bf16", "-loss-steps=0")
	var out bytes.Buffer
	require.NoError(t, compareWith(t.Context(), o, &out, io.Discard, withFakes))
	b, err := os.ReadFile(calls)
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("adamw_torch float32 step,adamw_torch_fused float32 step,adamw_torch_fused bfloat16 step,"+
		"our float32 step,our bfloat16 step,", 2), strings.ReplaceAll(string(b), "\n", ","), "what ignores -dtype runs once, and no losses were asked for")
	var rows []row
	b, err = os.ReadFile(filepath.Join(o.out, "peer.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &rows))
	var got []string
	for _, r := range rows {
		got = append(got, r.DType+" "+r.Peer+" "+r.PeerDType)
	}
	assert.Equal(t, []string{"float32 stock float32", "float32 tuned float32", "bfloat16 stock float32", "bfloat16 tuned bfloat16"}, got)
	assert.Contains(t, out.String(), "lorabench computes in bfloat16: not like for like")
}

func testCompare(t *testing.T, inTurns, want, why string) {
	calls := filepath.Join(t.TempDir(), "calls")
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv(fakeVariable, "")
	t.Setenv("FAKE_CALLS", calls)
	o := tiny(t, "-ranks=8,16", "-turns="+inTurns, "-bench=-batch=2 -lr=1e-3")
	var out bytes.Buffer
	require.NoError(t, compareWith(context.Background(), o, &out, io.Discard, withFakes))

	var rows []map[string]any
	b, err := os.ReadFile(filepath.Join(o.out, "peer.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &rows))
	require.Len(t, rows, 4, "one object for each rank and peer")
	for i, want := range []struct {
		rank  float64
		peer  string
		speed float64
	}{{8, "stock", 2}, {8, "tuned", 1.6}, {16, "stock", 2}, {16, "tuned", 1.6}} {
		r := rows[i]
		assert.Equal(t, want.rank, r["rank"])
		assert.Equal(t, want.peer, r["peer"])
		assert.Equal(t, "cpu", r["device"])
		assert.Equal(t, "float32", r["dtype"])
		assert.InDelta(t, want.speed, r["samples_per_second_ratio"], 1e-9)
		if want.peer == "stock" { // its steps have the same sequences and take twice as long, each of them
			assert.InDeltaSlice(t, []any{2.0, 2.0}, r["samples_per_second_ratio_interval"], 1e-9)
		}
		assert.InDelta(t, 0.5, r["peak_memory_ratio"], 1e-9)
		assert.InDelta(t, 1e-6, r["max_step_loss_difference"], 1e-12)
		assert.InDelta(t, 1e-3, r["max_grad_norm_relative_difference"], 1e-5)
		assert.Equal(t, "rss", r["memory_kind"])
		assert.EqualValues(t, 8, r["samples_per_second"], "2 x 4 records a step")
		assert.Equal(t, inTurns, r["turns"])
		assert.EqualValues(t, 2, r["steps"])
		assert.EqualValues(t, 3, r["loss_steps"])
		assert.EqualValues(t, 1e-3, r["learning_rate"], "-bench's holds for both")
		assert.NotContains(t, r["command"], t.TempDir())
	}
	assert.Contains(t, out.String(), "2.00x")

	b, err = os.ReadFile(calls)
	require.NoError(t, err)
	assert.Equal(t, want, strings.ReplaceAll(string(b), "\n", ","), why)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left, "nothing is left behind")
}

func TestLossesAlone(t *testing.T) {
	t.Setenv(fakeVariable, "")
	o := tiny(t, "-ranks=8", "-peers=tuned", "-steps=0")
	var out bytes.Buffer
	require.NoError(t, compareWith(t.Context(), o, &out, io.Discard, withFakes))
	var rows []row
	b, err := os.ReadFile(filepath.Join(o.out, "peer.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &rows))
	require.Len(t, rows, 1)
	assert.Equal(t, "tuned", rows[0].Peer)
	assert.Len(t, rows[0].PeerLoss, 3)
	assert.NotContains(t, out.String(), "Speed and peak")
}

func TestPeakOfTheProcess(t *testing.T) {
	t.Setenv(fakeVariable, "lorabench has no peak")
	o := tiny(t, "-ranks=8", "-peers=stock")
	require.NoError(t, compareWith(context.Background(), o, io.Discard, io.Discard, withFakes))
	var rows []row
	b, err := os.ReadFile(filepath.Join(o.out, "peer.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &rows))
	assert.Equal(t, "process_rss", rows[0].MemoryKind, "the same kind of figure for both, or the ratio means nothing")
	assert.Positive(t, rows[0].Memory)
	assert.Positive(t, rows[0].PeerMemory)
	assert.NotEqual(t, int64(2<<30), rows[0].PeerMemory)
}

func TestCompareFails(t *testing.T) {
	for _, c := range []struct{ how, err, why string }{
		{"lorabench fails", "rank 8, lorabench, losses: exit status 3; the end of what it printed:\n    lorabench: out of memory", "its words are passed on"},
		{"lorabench leaves no record", "lorabench left no record", "a benchmark that was skipped exits 0"},
		{"lorabench skips a sequence", "real tokens, where the sequences have", "other sequences were timed"},
		{"peer fails in its last run", "rank 8, tuned peer, speed: exit status 3; the end of what it printed:\n    Traceback: step 2 has loss nan", "three figures of four are no result"},
		{"peer pads otherwise", "other micro-batches", "a loss would be another mean"},
		{"peer has another rate", "step 1 has learning rates", "another recipe"},
		{"peer has other threads", "1 and 7 threads: give -threads", "speeds would not compare"},
		{"peer trains more", "100 and 101 trainable parameters", "another adapter"},
		{"peer fails while lorabench waits", "rank 8, stock peer, speed: exit status 3; the end of what it printed:\n    Traceback: killed", "its own words, not those of the one that is ended with it"},
		{"lorabench fails while the peer waits", "rank 8, lorabench, speed: exit status 3", "the other way round"},
		{"peer leaves half a result", "the peer's result", "cut JSON"},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Setenv(fakeVariable, c.how)
			o := tiny(t, "-ranks=8")
			before := filepath.Join(o.out, "peer.json")
			require.NoError(t, os.WriteFile(before, []byte("old"), 0o666))
			var out bytes.Buffer
			err := compareWith(context.Background(), o, &out, io.Discard, withFakes)
			require.ErrorContains(t, err, c.err, c.why)
			b, err := os.ReadFile(before)
			require.NoError(t, err)
			assert.Equal(t, "old", string(b), "the results before stay")
			assert.Empty(t, out.String(), "no table of a part")
		})
	}
}

func TestInterrupted(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o666))
	t.Setenv("FAKE_FIFO", fifo)
	t.Setenv(fakeVariable, "linger")
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv(pythonVariable, self)
	writer, err := os.OpenFile(fifo, os.O_RDWR, 0) // so that opening it to read does not wait
	require.NoError(t, err)
	defer writer.Close()
	reader, err := os.Open(fifo)
	require.NoError(t, err)
	defer reader.Close()

	var out, errs bytes.Buffer
	done, ready := make(chan int, 1), make(chan error, 1)
	go func() { done <- run([]string{"-device=cpu", "-out=" + t.TempDir()}, &out, &errs) }()
	go func() {
		_, err := io.ReadFull(reader, make([]byte, len("ready\n")))
		ready <- err
	}()
	select {
	case err := <-ready:
		require.NoError(t, err)
	case <-done:
		t.Fatalf("it did not wait for its child: %s", errs.String())
	}
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGINT))
	assert.Equal(t, 1, <-done)
	assert.Contains(t, errs.String(), "peer: interrupted: no result")
	require.NoError(t, writer.Close())
	_, err = io.ReadAll(reader)
	require.NoError(t, err, "the pipe ends when the last process of the group has: the child's child too")
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left, "nothing is left behind")
}
