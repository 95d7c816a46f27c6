package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/internal/fakecuda/fakecudatest"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// measured writes records of two steps of two arms.
func measured(t *testing.T) string {
	dir := t.TempDir()
	rss, gpu := int64(3<<30), int64(9<<30)
	for rank, runtime := range map[string]float64{"8": 2, "256": 3} {
		r := &record.Record{Name: "rank=" + rank, Rank: rank, Seed: 42, GlobalStep: 2, Runtime: runtime, Steps: []record.Step{{Step: 1}, {Step: 2}},
			Machine: record.Machine{GPU: "NVIDIA H100 (9.0)"}, PeakMemory: record.Peak{RSS: &rss, GPUReserved: &gpu}}
		require.NoError(t, r.Save(dir))
	}
	return dir
}

func TestScript(t *testing.T) {
	var got strings.Builder
	dir := measured(t)
	for _, args := range [][]string{
		{"-measured=" + dir, "-run=/opt/lorabench/run", "-ranks=8,256", "-benchtime=1000x", "-count=10", "-out=/data/it's here"},
		{"-time=90m", "-mem", "4096", "-parts", "3", "-run=/opt/run", "-sbatch=--partition=gpu --gres=gpu:1", "-benchtime=5x", "-targets=q_proj,v_proj:fc1", "-out=/data/$x"},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, 0, run(t.Context(), args, &stdout, &stderr), stderr.String())
		require.Empty(t, stderr.String())
		script := strings.ReplaceAll(stdout.String(), dir, "DIR")
		check := exec.Command("sh", "-n")
		check.Stdin = strings.NewReader(script)
		require.NoError(t, check.Run(), "sh reads it")
		got.WriteString(script + "\n")
	}
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o777))
		require.NoError(t, os.WriteFile("testdata/scripts.txt", []byte(got.String()), 0o666))
	}
	want, err := os.ReadFile("testdata/scripts.txt")
	require.NoError(t, err, "run the tests with -update")
	require.Equal(t, string(want), got.String())
}

// TestSubmit gives the script to a made sbatch, which says what it was told.
func TestSubmit(t *testing.T) {
	bin, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(filepath.Join(bin, "sbatch"), []byte("#!/bin/sh\nfor a; do echo \"$a\"; done >>"+log+"\necho '17;cluster'\n"), 0o777))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	out := filepath.Join(t.TempDir(), "a b")
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run(t.Context(), []string{"-submit", "-time=1h", "-run=/opt/run", "-benchtime=5x", "-count=2", "-out=" + out}, &stdout, &stderr), stderr.String())
	require.Equal(t, "array job 17, then job 17 writes "+out+"/report.html\n", stdout.String())
	require.DirExists(t, out)
	b, err := os.ReadFile(log)
	require.NoError(t, err)
	for _, line := range []string{"--array=0-1", "--time=01:00:00", "--output=" + out + "/slurm-%A-%a.log", "--dependency=afterany:17",
		"--wrap=exec /opt/run bench -benchtime=5x -count=2 -shard=slurm/2 '-out=" + out + "'", "--wrap=exec /opt/run report '-out=" + out + "'"} {
		require.Contains(t, strings.Split(string(b), "\n"), line)
	}
	require.NoError(t, os.WriteFile(filepath.Join(bin, "sbatch"), []byte("#!/bin/sh\necho 'no such partition' >&2\nexit 1\n"), 0o777))
	require.Equal(t, 1, run(t.Context(), []string{"-submit", "-time=1h", "-run=/opt/run", "-benchtime=5x", "-out=" + out}, &stdout, &stderr))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "sbatch"), []byte("#!/bin/sh\ncase $* in *report*) exit 1;; esac\necho 18\n"), 0o777))
	require.Equal(t, 1, run(t.Context(), []string{"-submit", "-time=1h", "-run=/opt/run", "-benchtime=5x", "-out=" + out}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "array job 18 is submitted, its report is not")
	require.Contains(t, stderr.String(), "no such partition")
}

// TestGPU tries a study on stand-in cards before it is submitted.
func TestGPU(t *testing.T) {
	fakecudatest.Require(t)
	study := []string{"-time=1h", "-run=/opt/run", "-model=testdata/small", "-data=testdata/small/train.jsonl.gz", "-recipe=assigned", "-limit=40", "-eval=4", "-ranks=2,4096",
		"-benchtime=2x", "-count=3", "-out=" + t.TempDir()}
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run(t.Context(), append(study, "-gpu=24GiB"), &stdout, &stderr), stderr.String())
	require.Regexp(t, `# on a stand-in card of 24 GiB every arm trains all its steps; PyTorch's allocator holds at most \d\.\d GiB\n`, stdout.String())
	require.Contains(t, stdout.String(), " --gres=gpu:1 ")
	require.Contains(t, stdout.String(), "-count=3 -shard=slurm/3", "the tasks are not told of the stand-in")
	stdout.Reset()
	require.Equal(t, 1, run(t.Context(), append(study, "-gpu=700MiB"), &stdout, &stderr))
	require.Contains(t, stderr.String(), "-gpu: a card of 0.6836 GiB is full before the study's 2 steps are done; the arms that trained before that: rank=2. Ask")
	require.Empty(t, stdout.String())
	require.Equal(t, 1, run(t.Context(), append(study, "-gpu=24GiB", "-dora"), &stdout, &stderr))
	require.Contains(t, stderr.String(), "DoRA needs the norms of weights")
}

func TestRefused(t *testing.T) {
	empty := t.TempDir()
	ok := []string{"-time=1h", "-benchtime=5x", "-out=x", "-run=/opt/run"}
	for _, c := range []struct {
		why  string
		args []string
		code int
		text string
	}{
		{"no folder", []string{"-time=1h", "-benchtime=5x"}, 2, "-out is missing"},
		{"a duration", append(ok, "-benchtime=5s"), 2, `-benchtime is "5s", want a number of steps`},
		{"no number of steps", append(ok, "-benchtime=ax"), 2, `-benchtime is "ax"`},
		{"no seeds", append(ok, "-count=0"), 2, "-count is 0"},
		{"fewer than no parts", append(ok, "-parts=-1"), 2, "-parts is -1"},
		{"how long?", []string{"-benchtime=5x", "-out=x"}, 2, "how long does a task take?"},
		{"a card without a unit", append(ok, "-gpu=24"), 2, `"24" is no size of a card: want more than 560 MiB`},
		{"parts of parts", append(ok, "-shard=1/2"), 2, "-shard=1/2: the tasks of the array are the parts"},
		{"a value by itself", append(ok, "-ranks", "8"), 2, `unexpected argument "8": give flags as -name=value`},
		{"records that are not there", append(ok, "-measured="+empty), 1, "-measured: " + empty + " has no run record"},
		{"evaluations that were not measured", []string{"-measured=" + empty, "-eval-every=50", "-benchtime=5x", "-out=x"}, 1, "-eval-every=50: held-out losses between steps take time"},
		{"an arm that was not measured", []string{"-measured=" + measured(t), "-ranks=8,64", "-benchtime=5x", "-out=x"}, 1, "no run of rank 64, which -ranks has: measure every arm, or give -time"},
		{"not a bundle", ok[:3], 1, "nodes run a bundle: make one"},
		{"help", []string{"-help"}, 0, "usage: run sweep-slurm"},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, c.code, run(t.Context(), c.args, &stdout, &stderr), c.why)
		require.Contains(t, stderr.String(), c.text, c.why)
		require.Empty(t, stdout.String(), c.why)
	}
}

func TestBesides(t *testing.T) {
	at := func(minutes, runtime float64, resumed int) *record.Record {
		return &record.Record{Started: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(minutes * float64(time.Minute))), Runtime: 60 * runtime, Resumed: resumed}
	}
	require.Equal(t, time.Duration(preparing), besides([]*record.Record{at(0, 1, 0)}), "one run has no next one")
	require.Equal(t, time.Minute, besides([]*record.Record{at(9, 5, 0), at(0, 2, 0), at(3, 5, 0)}), "each began a minute after the one before it had ended")
	require.Equal(t, time.Minute, besides([]*record.Record{at(0, 2, 0), at(3, 5, 0), at(9, 5, 0), at(600, 5, 0)}), "the study stood still for the night")
	require.Equal(t, time.Minute, besides([]*record.Record{at(0, 2, 0), at(3, 500, 1), at(600, 5, 0), at(606, 5, 0)}), "a run that went on spans a pause")
}
