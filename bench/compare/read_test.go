package compare

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lorabench/bench/results"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"
)

// files writes contents as a.txt, b.txt, ... and gives their paths.
func files(t *testing.T, contents ...string) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for i, c := range contents {
		p := filepath.Join(dir, string(rune('a'+i))+".txt")
		require.NoError(t, os.WriteFile(p, []byte(c), 0o666))
		paths = append(paths, p)
	}
	return paths
}

// told is a study in a line: arms with seed=values of one unit.
func told(s *study, unit string) string {
	var b strings.Builder
	t := s.table(unit)
	for i, name := range t.arms {
		fmt.Fprintf(&b, "%s:", name)
		for _, k := range t.shared(i) {
			fmt.Fprintf(&b, " %d=%v", s.seeds[k], t.by[i].value[k])
		}
		b.WriteString("; ")
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func TestReadResults(t *testing.T) {
	for _, c := range []struct {
		files []string
		unit  string
		want  string
		notes []string
		why   string
	}{
		{[]string{"BenchmarkRank/rank=8 3 1.5 loss\nBenchmarkRank/rank=8 3 1.6 loss\n"}, "loss", "rank=8: 1=1.5 2=1.6", nil, "run k has seed k"},
		{[]string{"BenchmarkRank/rank=128-2 3 1 loss\nBenchmarkRank/rank=full-2 3 3 loss\nBenchmarkRank/rank=8-2 3 2 loss\n"}, "loss", "rank=8: 1=2; rank=128: 1=1; rank=full: 1=3", nil, "ranks by size, full last, without GOMAXPROCS"},
		{[]string{"BenchmarkRank/rank=8/lr=1e-4 3 1 loss\nBenchmarkRank/rank=8/lr=2e-4 3 2 loss\n"}, "loss", "rank=8/lr=1e-4: 1=1; rank=8/lr=2e-4: 1=2", nil, "the end of a number is no GOMAXPROCS"},
		{[]string{"BenchmarkRank/rank=8/lr=1e-4-16 3 1 loss\n"}, "loss", "rank=8/lr=1e-4: 1=1", nil, "but what follows it is"},
		{[]string{"BenchmarkRank/rank=8/targets=q,v-4 3 1 loss\n"}, "loss", "rank=8/targets=q,v: 1=1", nil, "text with a suffix"},
		{[]string{"BenchmarkRank/rank=8 3 250 ns/op\nBenchmarkRank/rank=16 3 500 ns/op\n"}, "ns/op", "rank=8: 1=250; rank=16: 1=500", nil, "in the unit that was written"},
		{[]string{"BenchmarkRank/rank=8 3 0.5 sec/op\nBenchmarkRank/rank=16 3 250000000 ns/op\n"}, "sec/op", "rank=8: 1=0.5; rank=16: 1=0.25", nil, "two units of one measure"},
		{[]string{"BenchmarkRank/rank=8 3 0 ns/op\n"}, "ns/op", "rank=8: 1=0", nil, "zero has a unit too"},
		{[]string{"model: m\r\nBenchmarkRank/rank=8-2 \t 3\t 1.5 loss\r\n"}, "loss", "rank=8: 1=1.5", nil, "files from Windows"},
		{[]string{"\ufeffBenchmarkRank/rank=8 3 1.5 loss\n"}, "loss", "rank=8: 1=1.5", nil, "and from its editor"},
		{[]string{"goos: linux\nBenchmarkRank\nBenchmarkRank/rank=8\nBenchmarkRank/rank=8-2 3 1 loss\n--- BENCH: BenchmarkRank/rank=8-2\n    x.go:1: hello\nPASS\nok  \tlorabench/bench\t1.2s\n"}, "loss", "rank=8: 1=1", nil, "go test -v"},
		{[]string{"seed: 42\nBenchmarkRank/rank=8 3 1 loss\nBenchmarkRank/rank=8 3 2 loss\nseed: 50\nBenchmarkRank/rank=8 3 3 loss\n", "seed: 7\nBenchmarkRank/rank=8 3 4 loss\n"}, "loss", "rank=8: 7=4 42=1 43=2 50=3", nil, "a line says the first seed"},
		{[]string{"BenchmarkRank/rank=8 3 1 loss\n", "BenchmarkRank/rank=8 3 2 loss\nBenchmarkRank/rank=16 3 3 loss\n"}, "loss", "rank=8: 1=1 2=2; rank=16: 1=3", nil, "files in order"},
		{[]string{"BenchmarkPart/forward-2 3 5 ns/op\nBenchmarkRank/rank=8-2 3 1 loss\nBenchmarkStart-2 3 5 ns/op\nBenchmarkPart/head-2 3 5 ns/op\n"}, "loss", "rank=8: 1=1",
			[]string{"Other benchmarks are left aside: Part/forward, Part/head and Start."}, "other benchmarks"},
		{[]string{"model: m\ncommit: a\nBenchmarkRank/rank=8 3 1 loss\n", "model: m\ncommit: b\ngpu: G\nBenchmarkRank/rank=8 3 2 loss\n"}, "loss", "rank=8: 1=1 2=2",
			[]string{"The runs are not all of one commit: a, b.", "Only some results say their gpu: those of b.txt:4."}, "what may differ is noted"},
		{[]string{"model: m\nBenchmarkRank/rank=8 3 1 loss\n", "BenchmarkRank/rank=8 3 2 loss\n"}, "loss", "rank=8: 1=1 2=2",
			[]string{"Only some results say their model: those of a.txt:2."}, "and what is not said"},
	} {
		s, err := read(t, c.files...)
		require.NoError(t, err, c.why)
		assert.Equal(t, c.want, told(s, c.unit), c.why)
		assert.Equal(t, c.notes, s.notes, c.why)
	}
}

func TestReadResultsRefuses(t *testing.T) {
	ok := "BenchmarkRank/rank=8 3 1 loss\n"
	for _, c := range []struct {
		files []string
		want  []string
		why   string
	}{
		{[]string{""}, []string{"a.txt: no benchmark result is in the file"}, "an empty file"},
		{[]string{"BenchmarkPart/x 3 1 ns/op\n"}, []string{"a.txt: no result of BenchmarkRank"}, "other benchmarks only"},
		{[]string{ok + "BenchmarkRank/rank=8 3 NaN loss\n"}, []string{"a.txt:2: Rank/rank=8: loss is NaN: the run diverged"}, "a run that diverged"},
		{[]string{ok + "BenchmarkRank/rank=8 3 +Inf ns/op\n"}, []string{"a.txt:2: Rank/rank=8: ns/op is +Inf"}, "infinite"},
		{[]string{ok + "BenchmarkRank/rank=8 3 1e999 loss\n"}, []string{"a.txt:2: ", "range"}, "too large for a number"},
		{[]string{ok + "BenchmarkRank/rank=8-2   loaded the model\n"}, []string{"a.txt:2: ", "parsing iteration count", "if the benchmark printed something in between"}, "a line that output has split"},
		{[]string{ok + "BenchmarkRank/rank=8 3\n"}, []string{"a.txt:2: ", "missing measurements"}, "cut off"},
		{[]string{ok + "BenchmarkRank/rank=8 3 1.5\n"}, []string{"a.txt:2: ", "missing units"}, "cut off later"},
		{[]string{"seed: x\nBenchmarkRank/rank=8 3 1 loss\n"}, []string{`a.txt:2: seed is "x", want a whole number`}, "a seed that is none"},
		{[]string{"seed: 42\nBenchmarkRank/rank=8 3 1 loss\n", "seed: 42\nBenchmarkRank/rank=8 3 1 loss\n"}, []string{"b.txt:2: rank=8 has two results of seed 42"}, "old and new are no one study"},
		{[]string{"BenchmarkRank/rank=8 3 1 loss 2 loss\n"}, []string{"a.txt:1: Rank/rank=8: loss is twice on the line"}, "which of the two"},
		{[]string{"BenchmarkRank/rank=2 36 1 loss\nBenchmarkRank/rank=4 21 1 loss\n"}, []string{"a.txt:2: rank=4 trained for 21 steps, rank=2 for 36 (", "compare runs of one -benchtime"}, "-benchtime=1s"},
		{[]string{"BenchmarkRank/8 3 1 loss\n"}, []string{"a.txt:1: the result BenchmarkRank/8 names no rank"}, "another benchmark of that name"},
		{[]string{"BenchmarkRank/rank=2 3 1 loss\nBenchmarkRank/rank= 3 1 loss\n"}, []string{"a.txt:2: the result BenchmarkRank/rank= names no rank"}, "no rank at all"},
		{[]string{"model: m\n" + ok + "model: n\n" + ok}, []string{`model is "m" in `, "a.txt:2 and ", `"n" in `, "a.txt:4: they are not of one study"}, "two models in a file"},
		{[]string{"gpu: H100 (stand-in) (9.0)\n" + ok}, []string{"a stand-in device, whose kernels compute nothing"}, "no GPU at all"},
		{[]string{"gpu: G\n" + ok, "gpu: H\n" + ok}, []string{`gpu is "G" in `, "a.txt:2 and ", `"H" in `, "b.txt:2: they are not of one study"}, "two GPUs"},
		{[]string{ok + "BenchmarkRank/rank=8-2 3 1 loss\n"}, []string{"a.txt:2: the result BenchmarkRank/rank=8-2 names no rank", "of one -cpu"}, "-cpu 1,2"},
		{[]string{"BenchmarkRank/rank=8-2 3 1 loss\n", "BenchmarkRank/rank=16-4 3 1 loss\n"}, []string{"b.txt:1: Rank/rank=16 was run with GOMAXPROCS 4, Rank/rank=8 with 2 ("}, "files of two -cpu"},
		{[]string{"Unit loss better=higher\n" + ok}, []string{"a.txt:1: Unit loss better=higher: lower is better of it"}, "would turn the verdict around"},
		{[]string{"Unit mine better=up\n" + ok}, []string{"a.txt:1: Unit mine better=up: want higher or lower"}, "no direction"},
		{[]string{"Unit mine better=lower\nUnit mine better=higher\n" + ok}, []string{"a.txt:2: ", "metadata better of unit mine already set to lower"}, "two directions"},
		{[]string{strings.Repeat("x", 1<<17)}, []string{"a.txt: no benchmark result is in the file"}, "no text at all"},
	} {
		_, err := read(t, c.files...)
		require.Error(t, err, c.why)
		for _, w := range c.want {
			assert.ErrorContains(t, err, w, c.why)
		}
	}
	_, err := newStudy(results.Read())
	assert.ErrorContains(t, err, "no runs to compare")
	_, err = newStudy(results.Read(filepath.Join(t.TempDir(), "none.txt")))
	assert.ErrorContains(t, err, "none.txt: the file cannot be read: no such file")
	p := files(t, ok)
	_, err = newStudy(results.Read(p[0], p[0]))
	assert.ErrorContains(t, err, "is given twice")
	_, err = newStudy(results.Read(t.TempDir()))
	assert.ErrorContains(t, err, "is a directory")
}

// Directions come from Unit lines, and ours need none.
func TestUnits(t *testing.T) {
	s, err := read(t, "Unit mine better=higher\nUnit fixed assume=exact\nUnit ns/op better=lower\n"+
		"BenchmarkRank/rank=8 3 5 ns/op 1 mine 2 other 3 fixed 4 samples/sec 5 eval-loss 6 adapter-bytes\n")
	require.NoError(t, err)
	var got, exact []string
	for _, u := range s.units() {
		got = append(got, u.Name+" "+u.Better)
		if s.table(u.Name).exact {
			exact = append(exact, u.Name)
		}
	}
	assert.Equal(t, []string{"eval-loss lower", "samples/sec higher", "ns/op lower", "adapter-bytes lower", "mine higher", "other ", "fixed "}, got)
	assert.Equal(t, []string{"adapter-bytes", "fixed"}, exact)
}

// What lorabench writes comes back to the last digit.
func TestExactValuesComeBack(t *testing.T) {
	values := []float64{436500000.123456, 1.0 / 3e-9, 1e9 / 7, 3, math.Pi, math.E, 1e-300, 1e300}
	for _, unit := range []string{"ns/op", "loss"} {
		lines := ""
		for _, v := range values {
			tidy, base := benchunit.Tidy(v, unit)
			var b bytes.Buffer
			require.NoError(t, benchfmt.NewWriter(&b).Write(&benchfmt.Result{Name: benchfmt.Name("Rank/rank=8"), Iters: 1,
				Values: []benchfmt.Value{{Value: tidy, Unit: base, OrigValue: v, OrigUnit: unit}}}))
			lines += b.String()
		}
		s, err := read(t, lines)
		require.NoError(t, err)
		assert.Equal(t, values, s.table(unit).by[0].value)
	}
}

// A file of any bytes is an error with its name, or a set that can be analysed and written.
func FuzzReadResults(f *testing.F) {
	for _, s := range []string{
		"BenchmarkRank/rank=8-2 3 1.5 loss 3 ns/op\nBenchmarkRank/rank=8-2 3 1.6 loss\nBenchmarkRank/rank=256-2 3 1.4 loss 4 ns/op\n",
		"model: m\nUnit x better=higher\nUnit y assume=exact\nBenchmarkRank/rank=8/lr=1e-4 3 0 x -1 y\nBenchmarkRank/rank=full/lr=1e-4 3 0 x -1 y\n",
		"BenchmarkRank/rank=8 1 1e308 MB/s 5 eval-loss\nBenchmarkRank/rank=9 1 1e-308 B/s 6 eval-loss\n",
		"BenchmarkRank/rank=8 1 1 initial-GPU-GB 2 peak-GPU-GB\nBenchmarkRank/rank=9 1 2 initial-GPU-GB 3 peak-GPU-GB\n",
		"BenchmarkRank/rank=1 1 1e308 x -1e308 loss\nBenchmarkRank/rank=1 1 -1e308 x 2 loss\nBenchmarkRank/rank=2 1 -1e308 x 3 loss\nBenchmarkRank/rank=2 1 9e307 x 1e-300 loss\n" +
			"BenchmarkRank/rank=4 1 0 x 5 loss\nBenchmarkRank/rank=4 1 3 x 1e300 loss\n",
		"BenchmarkRank/rank=1 1 1 x 3 loss\nBenchmarkRank/rank=1 1 2 x 3 loss\nBenchmarkRank/rank=2 1 4 x 4 loss\nBenchmarkRank/rank=2 1 3 x 3 loss\n" +
			"BenchmarkRank/rank=4 1 9 x 5 loss\nBenchmarkRank/rank=4 1 3 x 4 loss\nBenchmarkRank/rank=4 1 3 x 4 loss\nBenchmarkRank/rank=full 1 3 x 4 loss\n",
		"\ufeffBenchmarkRank/rank=8 1 1 a|b\r\nBenchmarkRank/rank=NaN 1 1 a|b\r\nBenchmarkPart/x 1 1 y\n",
		"BenchmarkRank/rank=-1 1 9 sec-to-loss\nBenchmarkRank/rank=/-1 1 9 sec-to-loss\nBenchmarkRank/rank=x#01-1 1 1 sec-to-loss\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		// Lowered, a name's NaN is still read as the same number, and is not taken for a figure that does not exist.
		a, err := Analyze(results.Read(files(t, strings.ReplaceAll(string(b), "NaN", "nan"))...), Options{})
		if err != nil {
			assert.ErrorContains(t, err, "a.txt")
			return
		}
		for _, m := range a.Metrics {
			for _, p := range m.Pairs {
				for _, v := range []float64{p.P, p.Corrected} {
					assert.False(t, v < 0 || v > 1, "p is %v", v)
				}
				assert.False(t, p.Corrected < p.P)
			}
		}
		assert.NotContains(t, string(written(t, a)), "NaN")
	})
}
