package results

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lorabench/bench/record"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"
)

// written is a file of that text, in a folder of its own.
func written(t testing.TB, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// read is what a text says, and it must be all right.
func read(t testing.TB, text string) *Set {
	s := Read(written(t, "f.txt", text))
	require.Empty(t, s.Problems)
	return s
}

func TestSeeds(t *testing.T) {
	in := read(t, "seed: 42\n"+"BenchmarkX 1 1 ns/op\nBenchmarkX 1 2 ns/op\n"+"BenchmarkY 1 1 ns/op\nseed: 50\ncommit: b\nBenchmarkX 1 3 ns/op\nseed: 42\nBenchmarkX 1 4 ns/op\nseed:\nBenchmarkX 1 5 ns/op\n")
	require.Len(t, in.Benchmarks, 2)
	x := in.Benchmarks[0]
	assert.Equal(t, []int64{42, 43, 50, 44, 5}, x.Metrics[0].Seeds)
	assert.Equal(t, "b", x.Runs[2].Config.Get("commit"))
	assert.Equal(t, "", x.Runs[0].Config.Get("commit"))
	assert.Equal(t, []int64{42}, in.Benchmarks[1].Metrics[0].Seeds)
	two := Read(written(t, "a.txt", "BenchmarkX 1 1 ns/op\nBenchmarkX 1 2 ns/op\n"), written(t, "b.txt", "BenchmarkX 1 3 ns/op\n"))
	assert.Equal(t, []int64{1, 2, 3}, two.Benchmarks[0].Metrics[0].Seeds, "without seeds they are counted over all files")
	assert.Equal(t, []float64{1, 2, 3}, two.Benchmarks[0].Metrics[0].Values)
}

func TestLinesThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		why, line string
		kind      Kind
		text      string
	}{
		{"something printed in between", "BenchmarkX-2 \tprinted", Unreadable, `parsing iteration count: invalid syntax): "BenchmarkX-2 \tprinted"`},
		{"broken off after the name", "BenchmarkX-2 ", Unreadable, "missing iteration count"},
		{"broken off after the iterations", "BenchmarkX-2 10", Unreadable, "missing measurements"},
		{"broken off after a value", "BenchmarkX-2 10 5", Unreadable, "missing units"},
		{"no number", "BenchmarkX-2 10 five ns/op", Unreadable, "parsing measurement: invalid syntax"},
		{"a number that does not fit", "BenchmarkX-2 10 1e999 ns/op", Unreadable, "value out of range"},
		{"a unit twice", "BenchmarkX-2 10 1 ns/op 2 ns/op", Unreadable, "ns/op is twice on the line"},
		{"a unit twice, spelled differently", "BenchmarkX-2 10 1 ns/op 2 sec/op", Unreadable, "sec/op is twice on the line"},
		{"NaN", "BenchmarkX-2 10 NaN loss", NotFinite, "loss is NaN: the run diverged"},
		{"a direction that is none", "Unit frobs better=up", BadDirection, "want higher or lower"},
		{"a direction that is wrong", "Unit loss better=higher", BadDirection, "lower is better of it"},
		{"two directions", "Unit frobs better=lower better=higher", BadDirection, "metadata better of unit frobs already set to lower"},
		{"no key", "Unit frobs lower", Unreadable, "expected key=value"},
		{"no unit", "Unit", Unreadable, "missing unit"},
		{"no GPU at all", "gpu: NVIDIA H100 (stand-in) (9.0)", Unreadable, "a stand-in device, whose kernels compute nothing"},
		{"a benchmark that failed", "--- FAIL: BenchmarkX", Unreadable, "the run failed"},
		{"a package that failed", "FAIL\tlorabench/bench\t1.2s", Unreadable, "the run failed"},
		{"a panic is no configuration", "panic: oh", Unreadable, "the run failed"},
		{"a progress dot", ".BenchmarkY-2 10 5 ns/op", Unreadable, `a result stands inside another line: ".BenchmarkY-2 10 5 ns/op"`},
		{"colour", "\x1b[32mBenchmarkY-2 \t 10 \t 5 ns/op\x1b[0m", Unreadable, "a result stands inside another line"},
		{"a time stamp", "2026-01-31T10:00:00Z BenchmarkY-2 10 5e+07 ns/op", Unreadable, "a result stands inside another line"},
		{"a log's line", "2026/01/31 10:00:00 loaded BenchmarkY/rank=8-2 10 5 ns/op", Unreadable, "a result stands inside another line"},
		{"a setting", "note: BenchmarkY-2 10 5 ns/op", Unreadable, "a result stands inside another line"},
		{"two results", "BenchmarkY-2 10 5 ns/opBenchmarkY-2 10 6 ns/op", Unreadable, "two results stand on one line"},
		{"no line is so long", "BenchmarkX-2 10 5 frobs " + strings.Repeat("7 x ", 20000), Unreadable, "the line has 80024 bytes"},
	} {
		path := written(t, "f.txt", "BenchmarkX-2 10 5 frobs\n"+c.line+"\n")
		problems := Read(path).Problems
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
		{"a sentence about a benchmark", "    x_test.go:7: BenchmarkX-2 took 10 times as long"},
		{"a failed one is named elsewhere", "--- BENCH: BenchmarkX-2"},
		{"what programs print", "{\"json\": 1}"},
		{"go test", "ok  \tlorabench/bench\t1.2s"},
		{"a long line", strings.Repeat("x", 1<<20)},
	} {
		in := read(t, "BenchmarkX-2 10 5 frobs\n"+c.line+"\n")
		assert.Len(t, in.Benchmarks[0].Runs, 1, c.why)
	}
	require.Len(t, Read(written(t, "f.txt", strings.Repeat("BenchmarkX-2 10 x y\n", 1000))).Problems, 1000)
}

// What go test prints and what -out writes are told apart: losses are compared with the digits of both.
func TestRoundedFiles(t *testing.T) {
	assert.True(t, read(t, "BenchmarkX 1 50089266 ns/op 1.673 loss 0.2032 peak-RSS-GB 0.000001 x 0 y\n").Benchmarks[0].Runs[0].Rounded)
	assert.False(t, read(t, "BenchmarkX 1 50089266 ns/op\nBenchmarkX 1 1.6727870345115663 loss\n").Benchmarks[0].Runs[0].Rounded)
	assert.False(t, read(t, "BenchmarkX 1 1.67271 loss\n").Benchmarks[0].Runs[0].Rounded)
	for v, want := range map[float64]float64{1.6727870345115663: 1.673, 13850.272626: 13850, 319.42971: 319.4, 0.20315: 0.2031, -1.67278: -1.673, 0: 0, 0.00012345678: 0.0001235} {
		assert.Equal(t, want, Printed(v), "%v", v)
		assert.Equal(t, want, Printed(want), "%v", want)
	}
}

// A suffix is GOMAXPROCS' where Go would have written it: 2 or more, without a zero before it, on every result of the file.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		why   string
		names []string
		want  string
	}{
		{"GOMAXPROCS", []string{"Rank/rank=8-2", "Rank/rank=16-2"}, "Rank/rank=8 2, Rank/rank=16 2"},
		{"one processor", []string{"Rank/rank=8"}, "Rank/rank=8 1"},
		{"Go writes no -1", []string{"Store/Add", "Store/Add-1"}, "Store/Add 1, Store/Add-1 1"},
		{"nor -1 alone", []string{"Store/Add-1"}, "Store/Add-1 1"},
		{"nor a zero before it", []string{"Part-02", "Part-02"}, "Part-02 1"},
		{"not the same throughout", []string{"Sort/n-10", "Sort/n-100"}, "Sort/n-10 1, Sort/n-100 1"},
		{"not on all", []string{"Sort", "Sort/n-100"}, "Sort 1, Sort/n-100 1"},
		{"behind a number", []string{"Sort/n-10-4", "Sort/n-100-4"}, "Sort/n-10 4, Sort/n-100 4"},
		{"an exponent", []string{"Rank/rank=8/lr=1e-4"}, "Rank/rank=8/lr=1e-4 1"},
		{"an exponent and GOMAXPROCS", []string{"Rank/rank=8/lr=1e-4-2"}, "Rank/rank=8/lr=1e-4 2"},
		{"a word that ends in e", []string{"Rank/mode=fine-2"}, "Rank/mode=fine 2"},
		{"nobody has so many", []string{"X-99999999999"}, "X-99999999999 1"},
		{"a suffix alone", []string{"-2"}, "-2 1"},
		{"a name that holds another", []string{"X/BenchmarkY-2"}, "X/BenchmarkY 2"},
	} {
		var text strings.Builder
		for _, n := range c.names {
			fmt.Fprintf(&text, "Benchmark%s\t10\t5 ns/op\n", n)
		}
		var got []string
		for _, b := range read(t, text.String()).Benchmarks {
			got = append(got, fmt.Sprint(b.Bare, " ", b.Procs))
		}
		assert.Equal(t, c.want, strings.Join(got, ", "), c.why)
	}
	two := Read(written(t, "a.txt", "BenchmarkX-2 1 5 ns/op\n"), written(t, "b.txt", "BenchmarkX-4 1 5 ns/op\n"))
	require.Len(t, two.Benchmarks, 2)
	assert.Equal(t, "X-2", two.Benchmarks[0].Name, "files of two -cpu are told apart")
	assert.Equal(t, "X-4", two.Benchmarks[1].Name)
}

// go test -json splits a result into the events of its name and its figures, and packages may take turns.
func TestJSON(t *testing.T) {
	text := `{"Time":"2026-01-31T10:00:00Z","Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"pkg: p\n"}
{"Action":"output","Package":"p","Test":"BenchmarkA","Output":"BenchmarkA-8 \t"}
{"Action":"output","Package":"q","Output":"pkg: q\n"}
not of go test
{"Action":"output","Package":"q","Output":"BenchmarkA-8\t10\t7 ns/op\n"}
{"Action":"output","Package":"p","Test":"BenchmarkA","Output":"10\t5 ns/op\n"}
{"Action":"pass","Package":"p"}
`
	s := read(t, text)
	require.Len(t, s.Benchmarks, 2)
	for i, want := range []struct {
		name  string
		value float64
		line  int
	}{{"p.A", 5, 7}, {"q.A", 7, 6}} {
		b := s.Benchmarks[i]
		assert.Equal(t, want.name, b.Name)
		assert.Equal(t, 8, b.Procs)
		assert.Equal(t, []float64{want.value}, b.Metrics[0].Values)
		assert.Equal(t, want.line, b.Runs[0].Line, "of the file")
	}
	problems := Read(written(t, "f.txt", text+`{"Action":"output","Package":"p","Output":"FAIL\n"}`)).Problems
	require.Len(t, problems, 1)
	assert.Contains(t, problems[0].Text, "the run failed")
	assert.Equal(t, 9, problems[0].Line)
}

func TestFiles(t *testing.T) {
	ok := "BenchmarkX 1 5 ns/op\n"
	path := written(t, "a.txt", "\ufeff"+strings.ReplaceAll(ok, "\n", "\r\n"))
	s := Read(path, path)
	assert.Equal(t, []string{path}, s.Files)
	require.Len(t, s.Problems, 1)
	assert.Contains(t, s.Problems[0].Text, "given twice")
	for _, c := range []struct{ text, want string }{
		{"", "no benchmark result is in the file"},
		{"\xff\xfeB\x00e\x00", "the file is UTF-16"},
	} {
		assert.ErrorContains(t, Read(written(t, "f.txt", c.text)).Problems[0], c.want)
	}
	assert.ErrorContains(t, Read("none.txt").Problems[0], "none.txt: the file cannot be read: no such file")
}

func TestUnits(t *testing.T) {
	s := read(t, "Unit mine better=higher\nUnit fixed assume=exact\nUnit ns/op better=lower\nBenchmarkX 1 5 ns/op 1 mine 2 fixed\nBenchmarkX 1 6e-09 sec/op\n")
	assert.Equal(t, "higher", s.Units["mine"].Better)
	assert.True(t, s.Units["fixed"].Exact)
	m := s.Benchmarks[0].Metric("sec/op")
	assert.Equal(t, "ns/op", m.Unit, "as first written")
	assert.InDeltaSlice(t, []float64{5, 6}, m.Values, 1e-9)
	for unit, want := range map[string]string{"ns/op": "lower", "MB/s": "higher", "B/s": "higher", "eval-loss": "lower", "samples/sec": "higher", "grad-norm": "", "mine": ""} {
		assert.Equal(t, want, Better(unit), unit)
	}
	assert.Less(t, Order("eval-loss"), Order("samples/sec"))
	assert.Less(t, Order("allocs/op"), Order("mine"))
}

func TestAgree(t *testing.T) {
	sets := read(t, "model: m\ncommit: a\nBenchmarkX 1 5 ns/op\ncommit: b\nBenchmarkX 1 5 ns/op\ngpu: G\nBenchmarkX 1 5 ns/op\n").Settings
	require.Len(t, sets, 3)
	notes, err := Agree(sets)
	require.NoError(t, err)
	assert.Equal(t, []string{"The runs are not all of one commit: a, b."}, notes)
	assert.Contains(t, Unsaid(sets)[0], "Only some results say their gpu: those of ")
	sets = read(t, "model: m\nBenchmarkX 1 5 ns/op\nmodel: n\nBenchmarkX 1 5 ns/op\n").Settings
	_, err = Agree(sets)
	require.Error(t, err)
	assert.Regexp(t, `model is "m" in .*f.txt:2 and "n" in .*f.txt:4: they are not of one study`, err.Error())
}

// TestDiverged: without the line of its second run, an arm's third would be read as the second seed's.
func TestDiverged(t *testing.T) {
	line := func(lr string) string { return "BenchmarkRank/rank=8/lr=" + lr + "-2 1 5 ns/op\n" }
	s := read(t, "seed: 42\n"+line("1")+line("2")+line("3")+"Diverged: rank=8/lr=2, seed 43, at step 7: no result\n"+line("3")+line("1")+
		line("3")+line("1")+line("2"))
	require.Empty(t, s.Problems)
	require.Len(t, s.Benchmarks, 2)
	require.Equal(t, []string{"rank=8/lr=2"}, s.Diverged)
	require.Equal(t, []string{"Left out, because training diverged: rank=8/lr=2 (seed 43 at step 7)."}, s.Notes)
	for _, b := range s.Benchmarks {
		for k, r := range b.Runs {
			require.Equal(t, k, r.Block, "%s: blocks are those of the others", b.Bare)
		}
	}
	s = Read(written(t, "f.txt", line("1")+"Diverged: rank=8/lr=1, seed 43, at step 7: no result\n"))
	require.ErrorContains(t, s.Problems[0], "no benchmark result is left: training diverged (rank=8/lr=1): give lower -lr or -alpha")
	s = Read(written(t, "a.txt", line("1")+line("2")), written(t, "b.txt", line("2")+"Diverged: rank=8/lr=1, seed 43, at step 7: no result\n"))
	require.Len(t, s.Benchmarks, 1, "an arm that diverged in one file is left out of all")
}

func TestBlocks(t *testing.T) {
	blocks := func(s *Set) string {
		var got []string
		for _, b := range s.Benchmarks {
			for _, r := range b.Runs {
				got = append(got, fmt.Sprintf("%s:%d=%d", b.Name, r.Seed, r.Block))
			}
		}
		return strings.Join(got, " ")
	}
	line := func(arm string) string { return "Benchmark" + arm + " 1 5 ns/op\n" }
	a, b := line("Rank/rank=8"), line("Rank/rank=16")
	for _, c := range []struct{ why, text, want string }{
		{"ranks in turns", "seed: 42\n" + a + b + b + a, "Rank/rank=8:42=0 Rank/rank=8:43=1 Rank/rank=16:42=0 Rank/rank=16:43=1"},
		{"without seeds", a + b + a + b, "Rank/rank=8:1=0 Rank/rank=8:2=1 Rank/rank=16:1=0 Rank/rank=16:2=1"},
		{"rank after rank", "seed: 42\n" + a + a + b + b, "Rank/rank=8:42=-1 Rank/rank=8:43=-1 Rank/rank=16:42=-1 Rank/rank=16:43=-1"},
		{"other benchmarks are in none", a + line("Part/head"), "Part/head:1=-1 Rank/rank=8:1=0"},
	} {
		assert.Equal(t, c.want, blocks(read(t, c.text)), c.why)
	}
	made := func(schema, block int) *record.Record {
		return &record.Record{Schema: schema, Block: block, Name: "rank=8", Rank: "8", Seed: int64(42 + block), GlobalStep: 1, Runtime: 1}
	}
	assert.Equal(t, "Rank/rank=8:43=1", blocks(FromRecords([]*record.Record{made(1, 1)})))
	assert.Equal(t, "Rank/rank=8:42=-1", blocks(FromRecords([]*record.Record{made(0, 0)})), "of before there were blocks")
}

func TestDisturbances(t *testing.T) {
	made := func(rank string, seed int64) *record.Record {
		return &record.Record{Name: "rank=" + rank, Rank: rank, Seed: seed, GlobalStep: 1, Runtime: 1, Others: []record.Holder{{PID: 4711, Name: "Xorg", Bytes: 12 << 20}}}
	}
	failed := made("256", 42)
	failed.GraphsFailed = "out of memory"
	require.Equal(t, []string{
		"During 3 runs (rank=8 and rank=256) process 4711 (Xorg) held memory of the same GPU. Their speed and memory are not comparable with those of other runs.",
		"During 1 run (rank=256) training went on without CUDA graphs (out of memory). Their speed and memory are not comparable with those of other runs.",
	}, FromRecords([]*record.Record{made("8", 42), made("8", 43), failed}).Notes)
}

// FuzzRead: any bytes are a problem, or results that hold together.
func FuzzRead(f *testing.F) {
	f.Add([]byte("model: m\nBenchmarkRank/rank=8-2 100 5.008926674e+07 ns/op 1.6727870345115663 loss\nBenchmarkPart/part=a 1 2 ns/op\n"))
	f.Add([]byte("Unit loss better=lower assume=exact\nBenchmarkX\nBenchmarkX-2 \tlog\nseed: 1\nseed:\nFAIL\nBenchmark 1 NaN x\r\n"))
	f.Add([]byte("BenchmarkX\u00a01 0x1p-2 MB/s\u20282 ns/op\nkey:\tvalue\nKey: no\n\x00\xff: x\nBenchmarkX 1 1e308 MB/s\nBenchmarkX 1 1e308 B/s"))
	f.Add([]byte(`{"Action":"output","Output":"BenchmarkX 1 5 ns/op\n"}` + "\n{}\nx"))
	f.Add([]byte("BenchmarkRank/rank=8 1 1 x\nDiverged: rank=8, seed 1, at step 1\nBenchmarkRank/rank=8-2 1 1 x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newReader()
		r.begin("f.txt")
		r.read(data)
		r.finish()
		results := 0
		for _, b := range r.set.Benchmarks {
			results += len(b.Runs)
			for _, m := range b.Metrics {
				require.Len(t, m.Seeds, len(m.Values))
				require.Len(t, m.Runs, len(m.Values))
			}
		}
		want := 0
		for again := benchfmt.NewReader(bytes.NewReader(bytes.Join(r.lines, []byte("\n"))), "f.txt"); again.Scan(); {
			if _, ok := again.Result().(*benchfmt.Result); ok {
				want++
			}
		}
		require.Equal(t, want, results, "no result is left out")
		if results == 0 {
			require.NotEmpty(t, r.set.Problems)
		}
	})
}
