package judge

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const speed = "BenchmarkX-2 10 %v samples/sec"

func TestStatuses(t *testing.T) {
	base := lines(speed, 100, 101, 99, 100, 102, 98)
	memory := "BenchmarkX 10 %v peak-RSS-GB"
	for _, c := range []struct {
		why, old, new, rules string
		status               Status
		text                 string // of the verdict, or of a problem
	}{
		{"the same values", base, base, "", Pass, "No regression in 1 metric."},
		{"10 % fewer samples/sec is worse: more is better of it", base, lines(speed, 90, 91, 89, 90, 92, 88), "", Worse, "Worse: samples/sec of X 10 % lower (1 of 1 metric)."},
		{"10 % more is better", base, lines(speed, 110, 111, 109, 110, 112, 108), "", Pass, "better: samples/sec of X 10 % higher"},
		{"10 % more time is worse: less is better of it", lines("BenchmarkX 10 %v ns/op", 100, 101, 99, 100), lines("BenchmarkX 10 %v ns/op", 110, 111, 109, 110), "", Worse, "10 % higher"},
		{"2 % fewer, however sure, is within the floor", base, lines(speed, 98, 99, 97, 98, 100, 96), "", Pass, "No regression"},
		{"2 % fewer is worse where the floor is 1 %", lines(speed, 100, 100.1, 99.9, 100), lines(speed, 98, 98.1, 97.9, 98), "samples/sec floor=1%", Worse, "2 % lower"},
		{"two samples are too few, whatever they say", lines(speed, 100, 101), lines(speed, 50, 51), "", CannotTell, "2 samples in baseline and 2 in new, 4 are needed: 2 more"},
		{"one sample", lines(speed, 100), lines(speed, 100), "", CannotTell, "4 are needed: 3 more"},
		{"noise that hides even 25 %", lines(speed, 50, 100, 150, 70), lines(speed, 140, 60, 75, 110), "", CannotTell, "a worsening by 25 % cannot be ruled out"},
		{"noise that hides even 25 %, and nobody wants to know", lines(speed, 50, 100, 150, 70), lines(speed, 140, 60, 75, 110), "* detect=0", Pass, "No regression"},
		{"no noise at all: compared with the floor", lines(memory, 2, 2, 2, 2), lines(memory, 2.2, 2.2, 2.2, 2.2), "", Worse, "peak-RSS-GB of X 10 % higher"},
		{"no noise at all, within the floor", lines(memory, 2, 2, 2, 2), lines(memory, 2.02, 2.02, 2.02, 2.02), "", Pass, "No regression"},
		{"zero on both sides", lines(memory, 0, 0, 0, 0), lines(memory, 0, 0, 0, 0), "", Pass, "No regression"},
		{"from zero to anything is beyond any floor", lines(memory, 0, 0, 0, 0), lines(memory, 1, 1, 1, 1), "", Worse, "from 0 to 1"},
		{"to zero is better", lines(memory, 1, 1.1, 1, 1.2), lines(memory, 0, 0, 0, 0), "", Pass, "100 % lower"},
		{"negative values have no logarithm", lines("BenchmarkX 1 %v loss", -1, -1.01, -0.99, -1), lines("BenchmarkX 1 %v loss", -0.5, -0.51, -0.49, -0.5), "", Worse, "50 % higher"},
		{"enormous values", lines("BenchmarkX 1 %v ns/op", 1e300, 1.1e300, 1e300, 1e300), lines("BenchmarkX 1 %v ns/op", 1e300, 1.1e300, 1e300, 1e300), "", Pass, "No regression"},
		{"a mean of values that overflow", lines("BenchmarkX 1 %v loss", 1.7e308, -1.6e308, 1.7e308, 1.7e308), lines("BenchmarkX 1 %v loss", 1.7e308, -1.6e308, 1.7e308, 1.7e308), "loss detect=0", Pass, "No regression"},
		{"counts do not vary: one more is worse", lines("BenchmarkX 1 %v allocs/op", 10), lines("BenchmarkX 1 %v allocs/op", 11), "", Worse, "10 % higher"},
		{"one fewer is better", lines("BenchmarkX 1 %v allocs/op", 10), lines("BenchmarkX 1 %v allocs/op", 9), "", Pass, "better: allocs/op"},
		{"counts that vary are tested", lines("BenchmarkX 1 %v allocs/op", 1000, 1001, 1000, 1000), lines("BenchmarkX 1 %v allocs/op", 1001, 1000, 1000, 1002), "", Pass, "No regression"},
		{"a count without a direction must not change", lines("Unit steps assume=exact\nBenchmarkX 1 %v steps", 100), lines("BenchmarkX 1 %v steps", 99), "", Worse, "steps of X 1 % lower"},
		{"a unit without a direction is not judged, and then nothing is", lines("BenchmarkX 1 %v frobs", 1, 2, 3, 4), lines("BenchmarkX 1 %v frobs", 5, 6, 7, 8), "", CannotTell, "no metric is judged"},
		{"a rule gives the direction", lines("BenchmarkX 1 %v frobs", 1, 1.1, 1, 0.9), lines("BenchmarkX 1 %v frobs", 5, 5.1, 5, 4.9), "frobs better=higher", Pass, "better: frobs of X 401 % higher"},
		{"a Unit line gives the direction", "Unit frobs better=lower\n" + lines("BenchmarkX 1 %v frobs", 1, 1.1, 1, 0.9), lines("BenchmarkX 1 %v frobs", 5, 5.1, 5, 4.9), "", Worse, "frobs"},
		{"ns/op and sec/op are one unit", lines("BenchmarkX 1 %v ns/op", 1e9, 1.01e9, 1e9, 0.99e9), lines("BenchmarkX 1 %v sec/op", 1, 1.01, 1, 0.99), "", Pass, "No regression"},
		{"informational is not judged", base + lines("BenchmarkX-2 1 %v loss", 1), lines(speed, 90, 91, 89, 90, 92, 88), "samples/sec informational", Unusable, "has loss of X"},
		{"an unreadable line", base + "BenchmarkX-2 10 12 samples/sec printed", base, "", Unusable, "old.txt:7"},
		{"NaN", base, base + "BenchmarkX-2 10 NaN samples/sec", "", Unusable, "samples/sec is NaN"},
		{"Inf", base, base + "BenchmarkX-2 10 +Inf samples/sec", "", Unusable, "samples/sec is +Inf"},
		{"nothing", "", base, "", Unusable, "no benchmark result"},
		{"garbage", base, "\x00\x01\xff garbage\n", "", Unusable, "no benchmark result"},
		{"a run that failed", base, base + "--- FAIL: BenchmarkY\nFAIL\n", "", Unusable, "the run failed"},
		{"a benchmark is gone", base + lines("BenchmarkY-2 1 %v ns/op", 1, 1, 1, 1), base, "", Unusable, "the baseline has Y and new has not"},
		{"a metric is gone", lines("BenchmarkX 1 %v ns/op 5 B/op", 1, 1, 1, 1), lines("BenchmarkX 1 %v ns/op", 1, 1, 1, 1), "", Unusable, "the baseline has B/op of X and new has not"},
		{"a metric is gone from some runs: the others are too few", lines("BenchmarkX 1 %v ns/op 5 B/op", 1, 1, 1, 1), lines("BenchmarkX 1 %v ns/op 5 B/op", 1, 1, 1) + "BenchmarkX 1 1 ns/op", "", CannotTell, "3 samples in baseline and 3 in new, 4 are needed: 1 more"},
		{"a required metric is nowhere", base, base, "eval-loss required", Unusable, "eval-loss is required and no benchmark has it on both sides"},
		{"a required metric is new", base, lines(speed+" 5 B/op", 100, 101, 99, 100, 102, 98), "B/op required", Unusable, "B/op of X is required and the baseline has none"},
		{"a required metric that some baseline runs lack", lines("BenchmarkX 1 %v ns/op 5 B/op", 1, 1, 1, 1) + "BenchmarkX 1 1 ns/op", lines("BenchmarkX 1 %v ns/op 5 B/op", 1, 1, 1, 1, 1), "B/op required", Unusable, "1 of 5 runs of X in the baseline lack B/op, which is required"},
		{"a speed that some runs lack stands for none that they have", lines("BenchmarkX 1 %v ns/op 5 samples/sec", 1e9, 1.01e9, 1e9, 0.99e9) + "BenchmarkX 1 1e9 ns/op", lines("BenchmarkX 1 %v ns/op 5 samples/sec", 2e9, 2.01e9, 2e9, 1.99e9), "", Worse, "ns/op of X 100 % higher"},
		{"a speed without a direction stands for no other", lines("BenchmarkX 1 %v ns/op 5 steps/sec", 1e9, 1.01e9, 1e9, 0.99e9), lines("BenchmarkX 1 %v ns/op 5 steps/sec", 2e9, 2.01e9, 2e9, 1.99e9), "", Worse, "ns/op of X 100 % higher"},
		{"a count that begins to vary is worse", "Unit pages better=lower assume=exact\n" + lines("BenchmarkX 1 %v pages", 10, 10, 10, 10), lines("BenchmarkX 1 %v pages", 10, 10, 11, 10), "", Worse, "pages of X"},
		{"required by class", base, base, "class:loss required", Unusable, "class:loss is required"},
		{"required and there", base, base, "samples/sec required", Pass, "No regression"},
		{"another GPU", "gpu: A\n" + base, "gpu: B\n" + base, "", Unusable, `gpu is "A" (old.txt:2) in baseline and "B" (new.txt:2) in new`},
		{"another commit is what is compared", "commit: A\n" + base, "commit: B\n" + base, "", Pass, "No regression"},
		{"two GPUs on a side", "gpu: A\n" + base, "gpu: A\n" + base + "gpu: B\n" + base, "", Unusable, `"A" (new.txt:2) and "B" (new.txt:9)`},
		{"other GOMAXPROCS", base, strings.ReplaceAll(base, "X-2", "X-4"), "", Unusable, "GOMAXPROCS was 2 in baseline and 4 in new"},
		{"rounded and exact files", lines(speed, 100.1, 101.1, 99.1, 100.1), lines(speed, 100.1234, 101.1234, 99.1234, 100.1234), "", Pass, "No regression"},
		{"CRLF", strings.ReplaceAll(base, "\n", "\r\n"), "\ufeff" + base, "", Pass, "No regression"},
		{"UTF-16", base, "\xff\xfeB\x00e\x00", "", Unusable, "UTF-16"},
		{"directions that contradict each other, of what nobody has", "Unit frobs better=lower\n" + base, "Unit frobs better=higher\n" + base, "", Pass, "No regression"},
		{"directions that contradict each other", "Unit frobs better=lower\n" + lines("BenchmarkX 1 %v frobs", 1, 1, 1, 1), "Unit frobs better=higher\n" + lines("BenchmarkX 1 %v frobs", 1, 1, 1, 1), "", Unusable, "better is lower of frobs in "},
		{"a direction that contradicts what is known", "Unit samples/sec better=lower\n" + base, base, "", Unusable, "higher is better of it"},
		{"a rule that contradicts what is known", base, base, "samples/sec better=lower", Unusable, "gate.txt:1 says that better is lower of samples/sec"},
		{"a rule for all others only fills in", base, base, "* better=lower", Pass, "No regression"},
		{"only benchmarks that explain", lines("BenchmarkPart/part=a 1 %v ns/op", 1, 1, 1, 1), base, "", Unusable, "no benchmark result to judge"},
	} {
		v := judged(t, c.old, c.new, c.rules, Options{})
		all := v.Text + "\n" + told(v)
		if !assert.Equal(t, c.status, v.Status, "%s: %s", c.why, all) {
			continue
		}
		assert.Contains(t, all, c.text, c.why)
		for _, r := range v.Results {
			assert.NotEmpty(t, r.Call, c.why)
			assert.NotEmpty(t, r.Why, c.why)
		}
	}
}

func TestResultsAreInOrder(t *testing.T) {
	text := lines("BenchmarkRank/rank=128 1 %v ns/op 1 peak-RSS-GB 9 adapter-bytes 1 grad-norm 2 eval-loss 3 samples/sec", 1, 1, 1, 1) +
		lines("BenchmarkRank/rank=8 1 %v ns/op", 1, 1, 1, 1)
	v := judged(t, text, text+lines("BenchmarkRank/rank=16 1 %v ns/op", 1), "", Options{})
	var got []string
	for _, r := range v.Results {
		got = append(got, r.Benchmark+" "+r.Unit+" "+string(r.Call))
	}
	assert.Equal(t, []string{"Rank/rank=8 ns/op same", "Rank/rank=128 eval-loss same", "Rank/rank=128 samples/sec same", "Rank/rank=128 ns/op shown",
		"Rank/rank=128 peak-RSS-GB same", "Rank/rank=128 adapter-bytes same", "Rank/rank=128 grad-norm shown"}, got)
	assert.Equal(t, []string{"Rank/rank=16"}, v.Added)
	assert.Equal(t, Pass, v.Status, "a new benchmark is no failure")
}

func TestAFigureOfEachKind(t *testing.T) {
	v := judged(t, lines(speed, 100, 101, 99, 100, 102, 98), lines(speed, 90, 91, 89, 90, 92, 88), "", Options{})
	r := of(t, v, "samples/sec")
	assert.InDelta(t, -0.1, r.Change, 0.001)
	assert.True(t, r.Low < r.Change && r.Change < r.High && r.High < -0.05, "%v %v", r.Low, r.High)
	assert.True(t, r.P < r.Corrected || v.Compared == 1)
	assert.Equal(t, 6, r.Pairs)
	assert.True(t, r.Detectable > r.Rule.Floor && r.Detectable < 0.1, "%v", r.Detectable)
	assert.InDelta(t, 0.01414, r.Baseline.Variation, 1e-4)
	assert.Equal(t, []int64{1, 2, 3, 4, 5, 6}, r.Baseline.Seeds, "without seeds the k-th run has k")
	assert.Contains(t, r.Why, "10 % lower, floor 3 %, corrected p ")
	assert.Equal(t, "default", r.Rule.From)
}

// The speed of a seed depends on its data: paired by seed, 4 % is found in noise of 30 % between seeds.
func TestPairs(t *testing.T) {
	old := "seed: 42\n" + lines(speed, 100, 150, 70, 120, 90, 140)
	v := judged(t, old, "seed: 42\n"+lines(speed, 96, 144, 67.3, 115.2, 86.3, 134.5), "", Options{})
	assert.Equal(t, Worse, v.Status, v.Text)
	shifted := judged(t, old, "seed: 52\n"+lines(speed, 96, 144, 67.3, 115.2, 86.3, 134.5), "* detect=0", Options{})
	assert.Equal(t, Pass, shifted.Status, "no seed in common, no pairs: %s", shifted.Text)
	assert.Zero(t, of(t, shifted, "samples/sec").Pairs)
}

// Seeds differ, so those of one side alone must not shift its centre: the floor and p are of the same runs.
func TestSeedsOfOneSide(t *testing.T) {
	const memory = "BenchmarkRank/rank=8-2 20 5e7 ns/op %v peak-RSS-GB"
	side := func(values ...float64) string { return lorabench + lines(memory, values...) }
	for _, c := range []struct {
		why, old, new string
		status        Status
		change        float64
	}{
		{"0.2 % more, where the other seeds need less", side(1, 1, 1.01, 1, 1.01, .93, .92, .94, .93, .92), side(1.002, 1.002, 1.01202, 1.002, 1.01202), Pass, 0.002},
		{"5 % more, where the other seeds need more", side(1, 1, 1.01, 1, 1.01, 1.05, 1.05, 1.06, 1.05, 1.06), side(1.05, 1.05, 1.0605, 1.05, 1.0605), Worse, 0.05},
	} {
		v := judged(t, c.old, c.new, "", Options{})
		assert.Equal(t, c.status, v.Status, "%s: %s", c.why, v.Text)
		assert.InDelta(t, c.change, of(t, v, "peak-RSS-GB").Change, 1e-6, c.why)
		assert.Contains(t, strings.Join(v.Notes, "\n"), "Rank/rank=8: 5 of the baseline's seeds and 0 of the new ones are on that side alone: it is judged by those of both.")
	}
	few := judged(t, side(1, 1, 1.01, 1, 1.01, 1), strings.Replace(side(1, 1.01, 1, 1.01, 1, 1), "seed: 42", "seed: 46", 1), "", Options{})
	assert.Equal(t, 6, of(t, few, "peak-RSS-GB").New.N(), "two seeds in common are too few to judge by: all are, without pairs")
}

func TestOneMeasurementIsJudgedOnce(t *testing.T) {
	old := lines("BenchmarkX 1 %v ns/op 5 samples/sec 9 MB/s", 1, 1, 1, 1)
	v := judged(t, old, old, "", Options{})
	assert.Equal(t, "samples/sec", of(t, v, "ns/op").SameAs)
	assert.Equal(t, CallSame, of(t, v, "samples/sec").Call)
	v = judged(t, old, old, "samples/sec informational", Options{})
	assert.Equal(t, CallSame, of(t, v, "ns/op").Call, "the next one that is judged")
	assert.Equal(t, "ns/op", of(t, v, "MB/s").SameAs)
	v = judged(t, old, old, "ns/op required", Options{})
	assert.Equal(t, CallSame, of(t, v, "ns/op").Call, "who asks for it has it judged too")
}

func TestExactLosses(t *testing.T) {
	loss := lorabench + "BenchmarkRank/rank=8-2 100 1.25 loss 7 samples/sec\nBenchmarkRank/rank=8-2 100 1.5123456789 loss 7.123456 samples/sec\n"
	worse := strings.Replace(loss, "1.5123456789", "1.5123456790", 1)
	better := strings.Replace(loss, "1.5123456789", "1.5123456788", 1)
	rounded := strings.NewReplacer("1.5123456789", "1.512", "7.123456", "7.123").Replace(loss)
	for _, c := range []struct {
		why, old, new, rules string
		exact                bool
		call                 Call
		text                 string
	}{
		{"the same values", loss, loss, "", true, CallSame, "the same value in 2 seeds"},
		{"another commit", loss, strings.Replace(loss, "commit: aaa", "commit: bbb", 1), "", true, CallSame, "the same"},
		{"the tenth digit is worse", loss, worse, "", true, CallNumerics, "seed 43 gives 1.512345679 instead of 1.5123456789, 1 of 2 seeds differ"},
		{"a lower digit is no improvement", loss, better, "", true, CallNumerics, "3.6e-9 % lower on average: seed 43"},
		{"a deliberate change of rounding", loss, worse, "loss floor=0.001%", true, CallSame, "within the floor of 0.001 %"},
		{"go test's digits against all of them", rounded, worse, "", true, CallSame, "the same value in 2 seeds"},
		{"go test's digits do differ", rounded, strings.Replace(worse, "1.512", "1.514", 1), "", true, CallNumerics, "seed 43 gives 1.514 instead of 1.512"},
		{"another libtorch", loss, strings.Replace(loss, "torch: 2.11.0", "torch: 2.12.0", 1), "", false, CallCannotTell, "2 samples"},
		{"on a GPU", strings.Replace(loss, "device: cpu", "device: cuda:0", 1), strings.Replace(loss, "device: cpu", "device: cuda:0", 1), "", false, CallCannotTell, "2 samples"},
		{"who ran it is not known", strings.Replace(loss, "threads: 2\n", "", 1), loss, "", false, CallCannotTell, "2 samples"},
		{"other settings, deliberately", loss, strings.Replace(loss, "batch=4", "batch=8", 1), "", false, CallCannotTell, "2 samples"},
		{"other seeds", loss, strings.Replace(loss, "seed: 42", "seed: 52", 1), "", false, CallCannotTell, "2 samples"},
		{"other seeds, and exactness asked for", loss, strings.Replace(loss, "seed: 42", "seed: 52", 1), "loss mode=exact", true, CallCannotTell, "no seed is on both sides"},
		{"a test asked for", loss, loss, "loss mode=test", false, CallCannotTell, "2 samples"},
		{"some seeds in common", loss, strings.Replace(worse, "seed: 42", "seed: 41", 1), "", true, CallNumerics, "seed 42 gives 1.512345679 instead of 1.25, 1 of 1 seed differ"},
	} {
		v := judged(t, c.old, c.new, c.rules, Options{Ignore: []string{"settings"}})
		require.Empty(t, v.Problems, c.why)
		r := of(t, v, "loss")
		assert.Equal(t, c.exact, r.Exact, c.why)
		assert.Equal(t, c.call, r.Call, "%s: %s", c.why, r.Why)
		assert.Contains(t, r.Why, c.text, c.why)
		if c.exact {
			assert.True(t, math.IsNaN(r.P) && math.IsNaN(r.Low) && math.IsNaN(r.Detectable), c.why)
		}
	}
}

func TestStepsMustBeTheSame(t *testing.T) {
	old := lines("BenchmarkRank/rank=8 100 %v ns/op", 1, 1, 1, 1)
	v := judged(t, old, strings.ReplaceAll(old, " 100 ", " 50 "), "", Options{})
	assert.Contains(t, told(v), `benchtime is "100x" (old.txt:1) in baseline and "50x" (new.txt:1) in new`)
	v = judged(t, strings.ReplaceAll(old, "Rank", "Sort"), strings.ReplaceAll(strings.ReplaceAll(old, "Rank", "Sort"), " 100 ", " 50 "), "", Options{})
	assert.Empty(t, v.Problems, "other benchmarks take as many as they have time for")
}

func TestConfiguration(t *testing.T) {
	base := lines(speed, 100, 100, 100, 100)
	for _, c := range []struct {
		why, old, new string
		problem, note string
	}{
		{"another model", "model: a\n", "model: b\n", "model is", ""},
		{"another torch", "torch: a\n", "torch: b\n", "", "losses are tested, not compared value by value"},
		{"only one side says it", "gpu: a\n", "", "", "Only some results say their gpu: those of old.txt:2."},
		{"only the other side says it", "", "recipe: b\n", "", "Only some results say their recipe: those of new.txt:2."},
		{"what was asked to be ignored", "runner: a\n", "runner: b\n", "", "losses are tested, not compared value by value"},
		{"what does not matter", "date: a\ngo: 1\npkg: x\n", "date: b\ngo: 2\npkg: y\n", "", ""},
	} {
		v := judged(t, c.old+base, c.new+base, "", Options{Ignore: []string{"runner"}})
		if c.problem == "" {
			assert.Empty(t, v.Problems, c.why)
		} else {
			require.Len(t, v.Problems, 1, c.why)
			assert.Equal(t, Mismatch, v.Problems[0].Kind, c.why)
			assert.Contains(t, v.Problems[0].Text, c.problem, c.why)
		}
		if c.note == "" {
			assert.Empty(t, v.Notes, c.why)
		} else {
			require.Len(t, v.Notes, 1, c.why)
			assert.Contains(t, v.Notes[0], c.note, c.why)
		}
	}
}

func TestPackages(t *testing.T) {
	x := lines("BenchmarkX 1 %v ns/op", 1, 1, 1, 1)
	two := "pkg: a\n" + x + "pkg: b\n" + lines("BenchmarkX 1 %v ns/op", 2, 2, 2, 2)
	v := judged(t, two, two, "", Options{})
	require.Len(t, v.Results, 2)
	assert.Equal(t, "a.X", v.Results[0].Benchmark)
	assert.Equal(t, 2.0, v.Results[1].Baseline.Center)
	v = judged(t, "pkg: a\n"+x, two, "", Options{})
	assert.Equal(t, Pass, v.Status, v.Text)
	assert.Equal(t, []string{"b.X"}, v.Added)
	assert.Equal(t, Unusable, judged(t, two, "pkg: c\n"+x, "", Options{}).Status, "whose it is cannot be told")
	assert.Equal(t, Pass, judged(t, "pkg: a\n"+x, x, "", Options{}).Status, "a file that does not say its package")
	procs := x + lines("BenchmarkX-4 1 %v ns/op", 2, 2, 2, 2)
	v = judged(t, procs, procs, "", Options{})
	require.Len(t, v.Results, 2)
	assert.Equal(t, []string{"X", "X-4"}, []string{v.Results[0].Benchmark, v.Results[1].Benchmark})
}

// A unit that nobody says the direction of may halve unseen: every output begins with the verdict, which names it.
func TestUnitsWithoutADirectionAreNamed(t *testing.T) {
	text := lines("BenchmarkX 1 5 ns/op %v mgas/s 3 frobs", 200, 201, 199, 200)
	halved := lines("BenchmarkX 1 5 ns/op %v mgas/s 3 frobs", 100, 101, 99, 100)
	for _, c := range []struct{ rules, want string }{
		{"", "No regression in 1 metric. It would have found a slowdown of 3 %, four times in five. Not judged: mgas/s and frobs; say in gate.txt or a Unit line which direction is better."},
		{"frobs informational", "No regression in 1 metric. It would have found a slowdown of 3 %, four times in five. Not judged: mgas/s; say in gate.txt or a Unit line which direction is better."},
		{"frobs informational\nmgas/s better=higher", "Worse: mgas/s of X 50 % lower (1 of 2 metrics)."},
	} {
		assert.Equal(t, c.want, judged(t, text, halved, c.rules, Options{}).Text)
	}
}
