package judge

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"
)

func TestArguments(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	put := func(name string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte("BenchmarkX 1 5 ns/op\n"), 0o644))
	}
	for _, name := range []string{"a.txt", "b.txt", "a=b,c.txt", "run/bench.txt", "run/parts.txt", "seed=1/bench.txt", "other/x.txt"} {
		put(name)
	}
	for _, c := range []struct {
		why, arg, label string
		files           []string
		problem         string
	}{
		{"a file", "a.txt", "", []string{"a.txt"}, ""},
		{"a label", "base=a.txt", "base", []string{"a.txt"}, ""},
		{"several", "base=a.txt,b.txt", "base", []string{"a.txt", "b.txt"}, ""},
		{"a folder and its parts", "run", "", []string{"run/bench.txt", "run/parts.txt"}, ""},
		{"a folder whose name looks like a label", "seed=1", "", []string{"seed=1/bench.txt"}, ""},
		{"a label before such a folder", "new=seed=1", "new", []string{"seed=1/bench.txt"}, ""},
		{"a file whose name has the signs of several", "a=b,c.txt", "", []string{"a=b,c.txt"}, ""},
		{"a pattern", "?.txt", "", []string{"a.txt", "b.txt"}, ""},
		{"a pattern of folders", "r*", "", []string{"run/bench.txt", "run/parts.txt"}, ""},
		{"nothing", "", "", nil, "no result file given"},
		{"no such file", "z.txt", "", nil, "no such file"},
		{"no file of the pattern", "z*", "", nil, "no file matches the pattern"},
		{"no pattern", "[", "", nil, "the pattern cannot be read"},
		{"a folder without results", "other", "", nil, "the folder has no bench.txt"},
		{"twice", "a.txt,./a.txt", "", []string{"a.txt"}, "given twice"},
		{"an empty part", "a.txt,,b.txt", "", []string{"a.txt", "b.txt"}, "empty part"},
	} {
		in, problems := Read(c.arg)
		assert.Equal(t, c.label, in.Label, c.why)
		assert.Equal(t, c.files, in.Files, c.why)
		assert.Equal(t, problems, in.Problems, c.why)
		if c.problem == "" {
			assert.Empty(t, problems, c.why)
		} else if assert.NotEmpty(t, problems, c.why) {
			assert.Contains(t, problems[0].Text, c.problem, c.why)
			assert.Equal(t, Unreadable, problems[0].Kind, c.why)
		}
	}
}

func TestSeeds(t *testing.T) {
	in := read(t, "a.txt", "seed: 42\n"+lines("BenchmarkX 1 %v ns/op", 1, 2)+"BenchmarkY 1 1 ns/op\nseed: 50\ncommit: b\nBenchmarkX 1 3 ns/op\nseed: 42\nBenchmarkX 1 4 ns/op\nseed:\nBenchmarkX 1 5 ns/op\n")
	require.Len(t, in.Benchmarks, 2)
	x := in.Benchmarks[0]
	assert.Equal(t, []int64{42, 43, 50, 44, 5}, x.Metrics[0].Seeds)
	assert.Equal(t, "b", x.Runs[2].Config.Get("commit"))
	assert.Equal(t, "", x.Runs[0].Config.Get("commit"))
	assert.Equal(t, []int64{42}, in.Benchmarks[1].Metrics[0].Seeds)
	two, _ := Read(written(t, "a.txt", lines("BenchmarkX 1 %v ns/op", 1, 2)) + "," + written(t, "b.txt", lines("BenchmarkX 1 %v ns/op", 3)))
	assert.Equal(t, []int64{1, 2, 3}, two.Benchmarks[0].Metrics[0].Seeds, "without seeds they are counted over all files")
	assert.Equal(t, []float64{1, 2, 3}, two.Benchmarks[0].Metrics[0].Values)
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		why, name, bare string
		procs           int
	}{
		{"GOMAXPROCS", "Rank/rank=8-2", "Rank/rank=8", 2},
		{"one processor", "Rank/rank=8", "Rank/rank=8", 1},
		{"an exponent", "Rank/rank=8/lr=1e-4", "Rank/rank=8/lr=1e-4", 1},
		{"an exponent and GOMAXPROCS", "Rank/rank=8/lr=1e-4-2", "Rank/rank=8/lr=1e-4", 2},
		{"a word that ends in e", "Rank/mode=fine-2", "Rank/mode=fine", 2},
		{"no number", "Sort/almost-sorted", "Sort/almost-sorted", 1},
		{"a suffix alone", "-2", "-2", 1},
		{"nobody has so many", "X-99999999999", "X-99999999999", 1},
	} {
		bare, procs := splitProcs(c.name)
		assert.Equal(t, c.bare, bare, c.why)
		assert.Equal(t, c.procs, procs, c.why)
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

func TestLinesThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		why, line string
		kind      Kind
		text      string
	}{
		{"something printed in between", "BenchmarkX-2 \tprinted", Unreadable, `no number of iterations after the name): "BenchmarkX-2 \tprinted"`},
		{"broken off after the name", "BenchmarkX-2 ", Unreadable, "no number of iterations"},
		{"broken off after the iterations", "BenchmarkX-2 10", Unreadable, "no values"},
		{"broken off after a value", "BenchmarkX-2 10 5", Unreadable, `no unit after "5"`},
		{"no number", "BenchmarkX-2 10 five ns/op", Unreadable, `"five" is no number`},
		{"a number that does not fit", "BenchmarkX-2 10 1e999 ns/op", Unreadable, `"1e999" is no number that fits`},
		{"a unit twice", "BenchmarkX-2 10 1 ns/op 2 ns/op", Unreadable, "ns/op is twice on the line"},
		{"a unit twice, spelled differently", "BenchmarkX-2 10 1 ns/op 2 sec/op", Unreadable, "sec/op is twice on the line"},
		{"NaN", "BenchmarkX-2 10 NaN loss", NotFinite, "loss is NaN: the run diverged"},
		{"a direction that is none", "Unit frobs better=up", BadDirection, "want higher or lower"},
		{"a direction that is wrong", "Unit loss better=higher", BadDirection, "lower is better of it"},
		{"two directions", "Unit frobs better=lower better=higher", BadDirection, "before (f.txt:2) it was better=lower"},
		{"no key", "Unit frobs lower", Unreadable, "is not key=value"},
		{"no unit", "Unit", Unreadable, "names no unit"},
		{"no GPU at all", "gpu: NVIDIA H100 (stand-in) (9.0)", Unreadable, "a stand-in device, whose kernels compute nothing"},
		{"a benchmark that failed", "--- FAIL: BenchmarkX", Unreadable, "the run failed"},
		{"a package that failed", "FAIL\tlorabench/bench\t1.2s", Unreadable, "the run failed"},
		{"a panic is no configuration", "panic: oh", Unreadable, "the run failed"},
	} {
		path := written(t, "f.txt", "BenchmarkX-2 10 5 frobs\n"+c.line+"\n")
		_, problems := Read(path)
		if assert.Len(t, problems, 1, c.why) {
			assert.Equal(t, c.kind, problems[0].Kind, c.why)
			assert.Equal(t, path, problems[0].File, c.why)
			assert.Equal(t, 2, problems[0].Line, c.why)
			assert.Contains(t, strings.ReplaceAll(problems[0].Text, path, "f.txt"), c.text, c.why)
		}
	}
	for _, c := range []struct{ why, line string }{
		{"go test -v says what it starts", "BenchmarkX"},
		{"no benchmark is called so", "Benchmarking 3 things"},
		{"a word of a sentence", "FAILURES: none"},
		{"a note", "note: FAIL"},
		{"what programs print", "{\"json\": 1}"},
		{"go test", "ok  \tlorabench/bench\t1.2s"},
		{"a long line", strings.Repeat("x", 1<<20)},
	} {
		in := read(t, "f.txt", "BenchmarkX-2 10 5 frobs\n"+c.line+"\n")
		assert.Len(t, in.Benchmarks[0].Runs, 1, c.why)
	}
	_, problems := Read(written(t, "f.txt", strings.Repeat("BenchmarkX-2 10 x y\n", 1000)))
	require.Len(t, problems, most+1)
	assert.Contains(t, problems[most].Text, "980 more problems")
}

// What go test prints and what -out writes are told apart: losses are compared with the digits of both.
func TestRoundedFiles(t *testing.T) {
	assert.True(t, read(t, "a.txt", "BenchmarkX 1 50089266 ns/op 1.673 loss 0.2032 peak-RSS-GB 0.000001 x 0 y\n").Benchmarks[0].Runs[0].Rounded)
	assert.False(t, read(t, "a.txt", "BenchmarkX 1 50089266 ns/op\nBenchmarkX 1 1.6727870345115663 loss\n").Benchmarks[0].Runs[0].Rounded)
	assert.False(t, read(t, "a.txt", "BenchmarkX 1 1.67271 loss\n").Benchmarks[0].Runs[0].Rounded)
	for v, want := range map[float64]float64{1.6727870345115663: 1.673, 13850.272626: 13850, 319.42971: 319.4, 0.20315: 0.2031, -1.67278: -1.673, 0: 0, 0.00012345678: 0.0001235} {
		assert.Equal(t, want, printed(v), "%v", v)
		assert.True(t, asPrinted(want), "%v", want)
	}
}

// inMemory reads without a file.
func inMemory(data []byte) *Input {
	r := newReader()
	r.read(data, "f.txt")
	r.finish()
	return r.in
}

// FuzzJudge: whatever two files say, something is said of it.
func FuzzJudge(f *testing.F) {
	f.Add([]byte("BenchmarkX 1 5 ns/op 0 loss\nBenchmarkX 1 6 ns/op -1 loss\n"), []byte("Unit x assume=exact\nBenchmarkX 1 5 sec/op 1 loss\nBenchmarkX 1 6 ns/op 2 loss 3 x\n"), "* floor=0")
	f.Add([]byte(lorabench+"BenchmarkRank/rank=8-2 1 1 loss 2 x\n"), []byte(lorabench+"BenchmarkRank/rank=8-2 1 2 loss 2 x\nBenchmarkPart/a 1 2 ns/op\n"), "x mode=exact")
	f.Fuzz(func(t *testing.T, old, new []byte, rule string) {
		rules := DefaultRules()
		if rules.Override(rule) != nil {
			return
		}
		v := Judge(inMemory(old), inMemory(new), rules, Options{MinSamples: 2})
		require.NotEmpty(t, v.Text)
		require.Equal(t, v.Status == Unusable, len(v.Problems) > 0)
		for _, r := range v.Results {
			require.NotEmpty(t, r.Call)
			require.NotEmpty(t, r.Why)
			require.False(t, r.P < 0 || r.P > 1 || r.Corrected < 0 || r.Corrected > 1, "%+v", r)
			require.False(t, math.IsInf(r.Change, 0) || math.IsNaN(r.Old.Center) || math.IsInf(r.Old.Center, 0), "%+v", r)
			require.False(t, r.High < r.Low, "%+v", r)
		}
	})
}

// FuzzRead holds this package's reader to x/perf's: the same results where that one reads a file without an
// error, and never a panic, in Judge either.
func FuzzRead(f *testing.F) {
	f.Add([]byte(lorabench + "BenchmarkRank/rank=8-2 100 5.008926674e+07 ns/op 1.6727870345115663 loss\nBenchmarkPart/part=a 1 2 ns/op\n"))
	f.Add([]byte("Unit loss better=lower assume=exact\nBenchmarkX\nBenchmarkX-2 \tlog\nseed: 1\nseed:\nFAIL\nBenchmark 1 NaN x\r\n"))
	f.Add([]byte("BenchmarkX\u00a01 0x1p-2 MB/s\u20282 ns/op\nkey:\tvalue\nKey: no\n\x00\xff: x\nBenchmarkX 1 1e308 MB/s\nBenchmarkX 1 1e308 B/s"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := inMemory(data)
		v := Judge(in, in, nil, Options{})
		if len(in.Problems) > 0 {
			require.Equal(t, Unusable, v.Status)
			return
		}
		require.NotEqual(t, Worse, v.Status, "a file against itself")
		require.NotContains(t, v.Text, "better:")
		type key struct {
			line int
			unit string
		}
		ours, values := map[int]Run{}, map[key]float64{}
		for _, b := range in.Benchmarks {
			for _, r := range b.Runs {
				ours[r.Line] = r
			}
			for _, m := range b.Metrics {
				for i, v := range m.Values {
					values[key{b.Runs[m.Runs[i]].Line, m.tidied}] = v * m.factor
				}
			}
		}
		theirs := benchfmt.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))), "f.txt")
		n := 0
		for theirs.Scan() {
			r, ok := theirs.Result().(*benchfmt.Result)
			if !ok {
				continue // a line that means to be no result
			}
			n++
			_, line := r.Pos()
			run, ok := ours[line]
			require.True(t, ok, "line %d", line)
			require.Equal(t, r.Iters, run.Iters)
			require.Len(t, run.Config.Keys, len(r.Config))
			for _, c := range r.Config {
				require.Equal(t, string(c.Value), run.Config.Get(c.Key), c.Key)
			}
			for _, v := range r.Values {
				unit, factor := tidy(v.Unit) // it leaves 0 ns/op as it is
				got, ok := values[key{line, unit}]
				require.True(t, ok, "line %d, %s", line, unit)
				if want := v.Value * factor; got != want { // as Inf is
					require.InEpsilon(t, 1+math.Abs(want), 1+math.Abs(got), 1e-9, "line %d, %s", line, unit)
				}
			}
		}
		if theirs.Err() == nil { // no line is too long for it
			require.Len(t, ours, n)
		}
	})
}
