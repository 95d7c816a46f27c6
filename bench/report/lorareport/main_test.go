package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/internal/file"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// records of two ranks and three seeds, by a formula.
func records(t *testing.T) string { return recordsOf(t, []string{"8", "16"}, 3) }

func recordsOf(t testing.TB, ranks []string, seeds int) string {
	dir := t.TempDir()
	for i, rank := range ranks {
		for k := range seeds {
			f := float64(i) + 0.1*float64(k)
			eval, rss := 1.5-0.0001*f, int64(200<<20+i<<20+k<<12)
			r := &record.Record{
				Name: "rank=" + rank, Rank: rank, Seed: int64(42 + k), Scaling: 2 - float64(i),
				Settings:  record.Settings{Model: "m", Data: "d", Recipe: "reported", Alpha: 16, LR: 2e-4, Targets: []string{"q_proj"}, Batch: 4, Accum: 4, MaxLength: 64, Order: "random", Device: "cpu", DType: "float32", Graphs: "off", Eval: 10, Steps: 2},
				Model:     record.ModelInfo{Name: "m", SHA256: "00", Parameters: 1000000},
				Data:      record.DataInfo{Name: "d", SHA256: "01", Train: 100, Held: 10},
				Machine:   record.Machine{Device: "cpu", CPU: "A processor", Threads: 2, OS: "linux/amd64", Go: "go1.26.8", Torch: "2.11.0", Commit: "53bd62dbc571"},
				Trainable: 10000 * int64(i+1), AdapterBytes: 40000 * int64(i+1), Loss: 1.6 - 0.001*f, TrainLoss: 1.7 - 0.001*f, EvalLoss: &eval, GradNorm: 0.5, GlobalStep: 2, Epoch: 0.32,
				Runtime: 1 + 0.05*f, SamplesPerSecond: 32 / (1 + 0.05*f), StepsPerSecond: 2 / (1 + 0.05*f), TokensPerSecond: 900 / (1 + 0.05*f), ProcessedPerSecond: 900 / (1 + 0.05*f), TotalFLOPs: 1e9,
				InitialMemory: record.Peak{RSS: &rss}, PeakMemory: record.Peak{RSS: &rss},
				Steps: []record.Step{{Step: 1, Loss: 1.8, GradNorm: 0.6, LearningRate: 2e-4, Tokens: 450}, {Step: 2, Loss: 1.6 - 0.001*f, GradNorm: 0.5, LearningRate: 1e-4, Tokens: 450}},
			}
			require.NoError(t, r.Save(dir))
		}
	}
	return dir
}

func TestRun(t *testing.T) {
	dir := records(t)
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run([]string{"-out=" + dir, "-width=90"}, &stdout, &stderr), stderr.String())
	require.Empty(t, stderr.String())
	got := strings.ReplaceAll(stdout.String(), dir, "DIR")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o777))
		require.NoError(t, os.WriteFile("testdata/run.txt", []byte(got), 0o666))
	}
	want, err := os.ReadFile("testdata/run.txt")
	require.NoError(t, err, "run the tests with -update")
	require.Equal(t, string(want), got)
	for _, f := range []string{"report.html", "summary.md", "figures/loss.svg", "figures/loss.png", "figures/front-speed.svg"} {
		assert.FileExists(t, filepath.Join(dir, f))
	}
	require.Equal(t, 0, run([]string{"-out=" + dir}, &stdout, &stderr), "a report beside the records is no record to the next one")
}

// TestStudy: docs/study's records still give its report, which is the first that a visitor sees.
func TestStudy(t *testing.T) {
	study, dir := "../../../docs/study", t.TempDir()
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run([]string{"-out=" + dir, filepath.Join(study, "runs")}, &stdout, &stderr), stderr.String())
	if *update {
		for _, name := range []string{"summary.md", "report.html", "figures/loss.svg", "figures/front-speed.svg"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			require.NoError(t, file.Write(filepath.Join(study, name), b))
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "summary.md"))
	require.NoError(t, err)
	want, err := os.ReadFile(filepath.Join(study, "summary.md"))
	require.NoError(t, err, "run the tests with -update")
	require.Equal(t, string(want), string(got))
}

// TestMergedFolders: the report of a study's parts is that of the whole.
func TestMergedFolders(t *testing.T) {
	whole, out := records(t), t.TempDir()
	var dirs []string
	for _, seed := range []string{"42", "43", "44"} {
		dirs = append(dirs, t.TempDir())
		for _, rank := range []string{"8", "16"} {
			name := "rank=" + rank + ",seed=" + seed + ".json"
			require.NoError(t, os.Rename(filepath.Join(whole, name), filepath.Join(dirs[len(dirs)-1], name)))
		}
	}
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run(append([]string{"-out=" + out, "-width=90"}, dirs...), &stdout, &stderr), stderr.String())
	want, err := os.ReadFile("testdata/run.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), strings.ReplaceAll(stdout.String(), out, "DIR"))
	require.FileExists(t, filepath.Join(out, "report.html"))

	stdout.Reset()
	require.Equal(t, 0, run(append([]string{"-out=" + out}, dirs[1:]...), &stdout, &stderr), stderr.String())
	require.NoError(t, os.Remove(filepath.Join(dirs[0], "rank=16,seed=42.json")))
	require.Equal(t, 0, run(append([]string{"-out=" + out}, dirs...), &stdout, &stderr), stderr.String())
	require.Contains(t, stdout.String(), "1 of 6 cells are missing: rank=16 with seed 42.")
}

// TestSettingsThatMayDiffer: what -differ names is compared all the same, and said.
func TestSettingsThatMayDiffer(t *testing.T) {
	dir := records(t)
	r, err := record.Read(filepath.Join(dir, "rank=16,seed=44.json"))
	require.NoError(t, err)
	r.Machine.CPU = "Another processor"
	require.NoError(t, r.Save(dir))
	var stdout, stderr bytes.Buffer
	require.Equal(t, 1, run([]string{"-out=" + dir}, &stdout, &stderr))
	require.Contains(t, stderr.String(), `cpu is "A processor"`)
	require.Equal(t, 0, run([]string{"-out=" + dir, "-width=200", "-differ=cpu,gpu"}, &stdout, &stderr), stderr.String())
	require.Contains(t, stdout.String(), "The runs are not all of one cpu: A processor, Another processor.")
}

func TestResultFiles(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 0, run([]string{"../../../testdata/study/bench.txt"}, &stdout, &stderr), stderr.String())
	require.Contains(t, stdout.String(), "1 seed cannot tell which rank is enough")
}

func TestRefused(t *testing.T) {
	empty, broken, mixed := t.TempDir(), t.TempDir(), records(t)
	r, err := record.Read(filepath.Join(mixed, "rank=16,seed=44.json"))
	require.NoError(t, err)
	r.Machine.Commit = "0123456789ab"
	require.NoError(t, r.Save(mixed))
	require.NoError(t, os.WriteFile(filepath.Join(broken, "rank=8,seed=1.json"), []byte("{"), 0o666))
	for _, c := range []struct {
		why  string
		args []string
		code int
		want string
	}{
		{"no folder", []string{"-out=" + filepath.Join(empty, "no")}, 1, "no run record"},
		{"no records in it", []string{"-out=" + empty}, 1, "no run record"},
		{"half a record", []string{"-out=" + broken}, 1, "rank=8,seed=1.json"},
		{"a record of another commit", []string{"-out=" + mixed}, 1, `commit is "53bd62dbc571" in rank=8,seed=42 and "0123456789ab" in rank=16,seed=44`},
		{"a flag that is not there", []string{"-ot=x"}, 2, "-ot"},
		{"a margin of nothing", []string{"-margin=0%gain"}, 2, "want a part of what training gained such as 5%gain"},
		{"a margin of nothing said", []string{"-margin=5"}, 2, "or of the best loss such as 1%loss"},
		{"no chance at all", []string{"-level=0"}, 2, "-level is 0"},
		{"a coin", []string{"-level=0.5"}, 2, "-level is 0.5"},
		{"not a number passes no bound", []string{"-margin=NaN%loss"}, 2, "above 0 and below 100 %"},
		{"too narrow for a table", []string{"-width=3"}, 2, "-width is 3"},
		{"a folder without records", []string{empty}, 1, "no run record"},
		{"no such file of results", []string{filepath.Join(empty, "bench.txt")}, 1, "bench.txt"},
		{"help is no error", []string{"-help"}, 0, "-margin"},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, c.code, run(c.args, &stdout, &stderr), c.why)
		require.Contains(t, stderr.String(), c.want, c.why)
		require.Empty(t, stdout.String(), c.why)
	}
}

// BenchmarkTenThousandRecords is the report of 10 ranks and 1,000 seeds of 2 steps; peak-RSS-MB is the process's, the making of the
// records included.
func BenchmarkTenThousandRecords(b *testing.B) {
	dir := recordsOf(b, strings.Fields("1 2 4 8 16 32 64 128 256 512"), 1000)
	b.ResetTimer()
	for range b.N {
		var stdout, stderr bytes.Buffer
		require.Equal(b, 0, run([]string{"-out=" + dir}, &stdout, &stderr), stderr.String())
	}
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	b.ReportMetric(float64(u.Maxrss)/1024, "peak-RSS-MB")
}
