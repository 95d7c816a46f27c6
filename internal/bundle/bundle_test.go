package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/internal/root"
)

// most is what an archive may have: people carry it to a card over slow lines.
const most = 60e6

// TestBundle makes the bundle and runs it unpacked in an empty folder, with libtorch and the tools of its script, but without
// the go command, a compiler, python or a home.
func TestBundle(t *testing.T) {
	top, err := root.Dir()
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Join(top, cudaPart)); err != nil {
		skipWithoutCUDA(t)
	}
	torch, err := filepath.EvalSymlinks(filepath.Join(top, "internal/torch/link/libtorch"))
	require.NoError(t, err)
	made := filepath.Join(t.TempDir(), "lorabench-bundle")
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run([]string{"-out=" + made}, &stdout, &stderr), stderr.String())
	t.Log(stdout.String())
	info, err := os.Stat(made + ".tar.gz")
	require.NoError(t, err)
	require.Less(t, float64(info.Size()), most)

	b := unpacked{folder: filepath.Join(unpack(t, made+".tar.gz"), "lorabench-bundle"), out: t.TempDir()}
	require.NoError(t, os.RemoveAll(made), "nothing may need what was packed")
	b.env = []string{"PATH=" + toolsOnly(t), "LIBTORCH=" + torch}
	t.Run("check", b.check)
	t.Run("bench", b.bench)
	t.Run("test", b.test)
	t.Run("sweep", b.sweep)
	t.Run("gpucheck on a CPU", b.gpucheckOnCPU)
	t.Run("gpucheck on the stand-in", b.gpucheckOnStandIn)
}

// skipWithoutCUDA fails in CI, where libtorch has a CUDA half: a test that nobody runs proves nothing.
func skipWithoutCUDA(t *testing.T) {
	t.Helper()
	const why = "this libtorch has no CUDA half, so there is nothing to pack for a card"
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func unpack(t *testing.T, archive string) string {
	dir := t.TempDir()
	f, err := os.Open(archive)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		require.NoError(t, err)
		path := filepath.Join(dir, h.Name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, b, h.FileInfo().Mode()))
	}
}

// toolsOnly is a folder with what the run script calls, and nothing else.
func toolsOnly(t *testing.T) string {
	dir := t.TempDir()
	for _, tool := range []string{"dirname", "readlink", "grep"} {
		path, err := exec.LookPath(tool)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(dir, tool)))
	}
	return dir
}

type unpacked struct {
	folder, out string
	env         []string
}

// run runs the script in an empty folder and returns what it printed.
func (b unpacked) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(b.folder, "run"), args...)
	cmd.Dir, cmd.Env = t.TempDir(), b.env
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "run %s:\n%s", strings.Join(args, " "), out)
	return string(out)
}

func (b unpacked) check(t *testing.T) {
	out := b.run(t, "--check")
	require.Contains(t, out, "libtorch  2.11.")
	require.Contains(t, out, "missing   nothing")
	require.Contains(t, out, "peer      cannot run: ", "it has no python")

	manifest := filepath.Join(b.folder, root.ManifestName)
	whole, err := os.ReadFile(manifest)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(manifest, bytes.Replace(whole, []byte(`"sha256": "`), []byte(`"sha256": "0`), 1), 0o666))
	cmd := exec.CommandContext(t.Context(), filepath.Join(b.folder, "run"), "--check")
	cmd.Env = b.env
	damaged, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(damaged), "unpack the bundle again", "a file that is not as it was packed")
	require.NoError(t, os.WriteFile(manifest, whole, 0o666))
}

func (b unpacked) bench(t *testing.T) {
	dir := filepath.Join(b.out, "bench")
	b.run(t, "bench", "-device=cpu", "-recipe=reported", "-ranks=2,4", "-benchtime=2x", "-count=1", "-eval=4", "-out="+dir)
	records, err := record.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, records, 2)
	m, err := root.Read(b.folder)
	require.NoError(t, err)
	require.Equal(t, m.Commit, records[0].Machine.Commit)
	require.Contains(t, b.run(t, "report", "-out="+dir), "summary", "records are read where they were written")
}

func (b unpacked) test(t *testing.T) {
	out := b.run(t, "test", "lora", "-run=AdapterAgreesWithPEFT|Schedule", "-v")
	require.Contains(t, out, "--- PASS: TestSchedule")
	require.Contains(t, out, "--- PASS: TestAdapterAgreesWithPEFT", "fixtures are found")
	require.Contains(t, b.run(t, "test", "internal/torch", "-run=CUDAPartIsWhole", "-v"), "not in a bundle", "a reason to skip")
}

var quick = []string{"-minutes=20", "-model=testdata/small", "-ranks=2,4", "-steps=3", "-long-steps=12", "-peer-steps=3",
	"-max-length=48", "-bench=-batch=2 -accum=2"}

// sweep prints jobs that run this bundle; a login node need have no libtorch.
func (b unpacked) sweep(t *testing.T) {
	out := b.run(t, "sweep-slurm", "-time=1h", "-benchtime=5x", "-count=2", "-out=/data/x")
	require.Contains(t, out, "--array=0-1")
	require.Contains(t, out, "/run bench -benchtime=5x -count=2 -shard=slurm/2 -out=/data/x")
}

func (b unpacked) gpucheckOnCPU(t *testing.T) {
	dir := filepath.Join(b.out, "cpu")
	out := b.run(t, append([]string{"gpucheck", "-device=cpu", "-stages=2-3,5-6", "-out=" + dir}, quick...)...)
	require.Contains(t, out, "samples/s")
	require.Contains(t, out, "loss at 12")
	require.Contains(t, out, "needed ms")
	require.Contains(t, out, "skipped: ", "there is no peer here")
	speed := stage(t, dir, "stage2-speed.json")
	require.Len(t, speed.Items, 4, "float32 and bf16, with the rows of graphs and without")
	for _, it := range speed.Items {
		require.Len(t, it.Rows, 2, "two ranks")
	}

	later := b.run(t, append([]string{"gpucheck", "-device=cpu", "-stages=1-2", "-out=" + dir}, quick...)...)
	require.Contains(t, later, "passed", "a later call adds to the folder")
	require.Contains(t, later, "loss at 12", "and shows what was there")
	require.Equal(t, speed, stage(t, dir, "stage2-speed.json"), "which it does not run again")
	require.Positive(t, stage(t, dir, "stage1-tests.json").Items[1].Rows[0].Figures[0].Value, "tests that passed")
}

func (b unpacked) gpucheckOnStandIn(t *testing.T) {
	dir := filepath.Join(b.out, "stand-in")
	out := b.run(t, append([]string{"gpucheck", "-stand-in", "-stages=2-4,6", "-out=" + dir}, quick...)...)
	require.NotContains(t, out, "samples/s", "a speed that nothing computed")
	require.Len(t, stage(t, dir, "stage2-speed.json").Items, 6)
	predicted := stage(t, dir, "stage4-standin.json")
	require.Len(t, predicted.Items, 6)
	for _, it := range predicted.Items {
		require.Len(t, it.Rows, 2, it.Name)
		for _, row := range it.Rows {
			figures := map[string]float64{}
			for _, f := range row.Figures {
				figures[f.Column] = f.Value
			}
			require.Contains(t, figures, "allocated off by %")
			require.Zero(t, figures["allocated off by %"], "the same allocator did the same")
			require.Positive(t, figures["kernels/step"])
		}
	}
}

// found is what the test reads of a stage's file.
type found struct {
	Items []struct {
		Name, Error string
		Seconds     float64
		Rows        []struct {
			Name    string
			Figures []struct {
				Column, Text string
				Value        float64
			}
		}
	}
}

func stage(t *testing.T, dir, name string) (f found) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &f))
	return f
}
