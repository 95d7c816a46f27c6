package bench

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/internal/root"
)

// computed returns what a run has computed, without its times and memory.
func computed(r *record.Record) record.Record {
	return record.Record{Steps: r.Steps, Loss: r.Loss, TrainLoss: r.TrainLoss, EvalLoss: r.EvalLoss, EvalHalves: r.EvalHalves, GradNorm: r.GradNorm,
		Epoch: r.Epoch, RealTokens: r.RealTokens, ProcessedTokens: r.ProcessedTokens, PaddedTokens: r.PaddedTokens, TotalFLOPs: r.TotalFLOPs}
}

// TestARunThatWasKilledGoesOn ends studies of two ranks with SIGKILL at 20 moments in all, and with other signals at 6, and goes on with
// them: every record is equal, bit by bit, to that of a study nothing happened to.
func TestARunThatWasKilledGoesOn(t *testing.T) {
	commitKnown(t)
	args := []string{"-ranks=2,full", "-dropout=0.1", "-model-dropout=0.1", "-test.benchtime=24x", "-eval-every=7", "-save-steps=4"}
	whole := t.TempDir()
	began := time.Now()
	out, code := ended(t, append(args, "-out="+whole)...)
	took := time.Since(began)
	require.Zero(t, code, out)
	require.Empty(t, glob(t, whole, "*"+checkpointed), "a run that has its record needs no checkpoint")
	want, err := record.ReadDir(whole)
	require.NoError(t, err)

	rng := rand.New(rand.NewPCG(3, 4))
	others := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
	if signal.Ignored(syscall.SIGHUP) { // under nohup children ignore it too
		others = others[:2]
	}
	signals := slices.Concat(slices.Repeat([]os.Signal{syscall.SIGKILL}, 20), slices.Repeat(others, 2))
	resumed := 0
	for len(signals) > 0 {
		dir := t.TempDir()
		for len(signals) > 0 && len(glob(t, dir, "*seed=*.json")) < 2 {
			cmd := child(t, append(args, "-out="+dir)...)
			require.NoError(t, cmd.Start())
			began, ended := time.Now(), make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended: // before its moment, which lay too late
				require.NoError(t, err)
				took = time.Since(began)
			case <-time.After(time.Duration(rng.Int64N(int64(took)))):
				_ = cmd.Process.Signal(signals[0]) // it may have ended
				if <-ended != nil {
					signals = signals[1:]
				}
			}
		}
		if len(glob(t, dir, "*seed=*.json")) < 2 {
			out, code = ended(t, append(args, "-out="+dir)...)
			require.Zero(t, code, out)
		}
		got, err := record.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, got, 2)
		for i := range want {
			require.Equal(t, computed(want[i]), computed(got[i]), want[i].Name)
			if got[i].Resumed > 0 {
				resumed++
			}
		}
	}
	require.Positive(t, resumed)
}

func glob(t *testing.T, dir, pattern string) []string {
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	require.NoError(t, err)
	return names
}

// stopped interrupts a study as soon as rank 4 has a checkpoint, and returns that one's path.
func stopped(t *testing.T, args ...string) (path, dir string) {
	dir = t.TempDir()
	path = filepath.Join(dir, "rank=4,seed=42"+checkpointed)
	cmd := child(t, append(args, "-save-steps=1", "-out="+dir)...)
	require.NoError(t, cmd.Start())
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			break
		}
	}
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.Equal(t, 1, cmd.ProcessState.ExitCode())
	require.FileExists(t, path)
	return path, dir
}

// TestAnInterruptedRunGoesOn where it was, and is marked; its time is not reported.
func TestAnInterruptedRunGoesOn(t *testing.T) {
	commitKnown(t)
	args := []string{"-ranks=2,4", "-test.benchtime=100x", "-test.v", "-save-adapter"}
	path, dir := stopped(t, args...)
	out, code := ended(t, append(args, "-out="+dir)...)
	require.Zero(t, code, out)
	require.Regexp(t, `rank=4, seed 42 goes on from its checkpoint after step \d+`, out)
	require.Regexp(t, `resumed after step \d+: its record has the losses, and its time is not compared`, out)
	require.Empty(t, order(out), "no speed of a run that two processes made")
	require.NoFileExists(t, path)
	r, err := record.Read(filepath.Join(dir, "rank=4,seed=42.json"))
	require.NoError(t, err)
	require.Positive(t, r.Resumed)
	require.Len(t, r.Steps, 100)
	require.Contains(t, contents(t, dir, "bench.txt"), "BenchmarkRank/rank=4", "its losses are a result")
	require.FileExists(t, filepath.Join(dir, "rank=4,seed=42.adapter", "adapter_model.safetensors"))
	require.FileExists(t, filepath.Join(dir, "rank=2,seed=42.adapter", "adapter_config.json"))
}

// TestADamagedCheckpointIsNamed and the run begins again.
func TestADamagedCheckpointIsNamed(t *testing.T) {
	commitKnown(t)
	args := []string{"-ranks=2,4", "-test.benchtime=100x"}
	path, dir := stopped(t, args...)
	saved, err := os.ReadFile(path)
	require.NoError(t, err)
	saved[len(saved)/2] ^= 1
	require.NoError(t, os.WriteFile(path, saved, 0o600))
	out, code := ended(t, append(args, "-out="+dir)...)
	require.Zero(t, code, out)
	require.Regexp(t, `rank=4, seed 42 begins again: .*checkpoint.safetensors: its SHA-256 is not the one written in it`, out)
	require.Equal(t, []string{"4"}, order(out))
}

// TestRecordsHoldNothingOfTheUser: what a study leaves names no folder of the machine and nothing of the environment.
func TestRecordsHoldNothingOfTheUser(t *testing.T) {
	commitKnown(t)
	top, err := root.Dir()
	require.NoError(t, err)
	home := filepath.Join(t.TempDir(), "users", "ada.lovelace")
	require.NoError(t, os.MkdirAll(home, 0o777))
	require.NoError(t, os.CopyFS(filepath.Join(home, "model"), os.DirFS(filepath.Join(top, "testdata", "small"))))
	require.NoError(t, os.CopyFS(filepath.Join(home, "data"), os.DirFS(filepath.Join(top, "testdata", "small"))))
	t.Setenv("HOME", home)
	t.Setenv("HF_TOKEN", "hf_secret")
	args := []string{"-model=" + filepath.Join(home, "model"), "-data=" + filepath.Join(home, "data", "train.jsonl.gz"),
		"-forget=" + filepath.Join(home, "data", "pretrain.jsonl.gz"), "-tokenizer=" + filepath.Join(home, "model"), "-save-adapter"}
	path, dir := stopped(t, append(args, "-ranks=2,4", "-test.benchtime=100x")...)
	require.FileExists(t, path)
	host, err := os.Hostname()
	require.NoError(t, err)
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		for _, secret := range []string{"lovelace", "hf_secret", home, host} {
			found := len(secret) > 5 && strings.Contains(contents(t, path), secret) // a short host name is in any random bytes
			require.False(t, found, "%s has %s", path, secret)
		}
		return nil
	}))
	require.GreaterOrEqual(t, files, 6, "record, results, log, adapter, checkpoint, description of the study")
}
