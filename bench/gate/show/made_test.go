package show

import (
	"fmt"
	"math"

	"lorabench/bench/gate/judge"
	"lorabench/bench/results"
)

var nan = math.NaN()

// sample has these values under the seeds 42, 43, ...
func sample(values ...float64) judge.Sample {
	s := judge.Sample{Values: values, Center: nan, Variation: nan}
	if len(values) == 0 {
		return s
	}
	sum := 0.0
	for i, v := range values {
		s.Seeds = append(s.Seeds, int64(42+i))
		sum += v
	}
	s.Center = sum / float64(len(values))
	if len(values) > 1 {
		s.Variation = 0.01
	}
	return s
}

var defaultRule = judge.Rule{Unit: "*", Floor: 0.03, Alpha: 0.01, Detect: 0.25, Mode: judge.Auto, Need: judge.Judged, From: "default"}

// result is tested, without a difference unless it is changed.
func result(benchmark, unit string, class judge.Class, better string, old, new judge.Sample) *judge.Result {
	change := new.Center/old.Center - 1
	return &judge.Result{Benchmark: benchmark, Unit: unit, Class: class, Better: better, Rule: defaultRule, Baseline: old, New: new,
		Change: change, Low: change - 0.01, High: change + 0.01, P: 0.4, Corrected: 1, Pairs: len(old.Values), Detectable: 0.031,
		Call: judge.CallSame, Why: "within the floor of 3 %"}
}

func as(r *judge.Result, call judge.Call, why string) *judge.Result {
	r.Call, r.Why = call, why
	return r
}

func sides(v *judge.Verdict) *judge.Verdict {
	v.Baseline = judge.Side{Label: "baseline", Files: []string{"old/bench.txt"}, Config: []judge.Config{
		{Key: "model", Values: []string{"testdata/small"}}, {Key: "device", Values: []string{"cpu"}}, {Key: "commit", Values: []string{"5471c87f72b3"}}}}
	v.New = judge.Side{Label: "new", Files: []string{"new/bench.txt", "new/parts.txt"}, Config: []judge.Config{
		{Key: "model", Values: []string{"testdata/small"}}, {Key: "device", Values: []string{"cpu"}}, {Key: "commit", Values: []string{"0ff21c37a8d1", "0ff21c37a8d1+dirty"}}}}
	return v
}

func rank(n int) string { return fmt.Sprintf("Rank/rank=%d", n) }

// exact is a loss that is compared value by value.
func exact(n int, new float64) *judge.Result {
	r := result(rank(n), "eval-loss", judge.Loss, "lower", sample(1.7521149377270175, 1.7), sample(new, 1.7))
	r.Exact, r.P, r.Corrected, r.Low, r.High, r.Detectable = true, nan, nan, nan, nan, nan
	r.Why = "every seed has the same value"
	return r
}

func speed(n int, to float64) *judge.Result {
	return result(rank(n), "samples/sec", judge.Speed, "higher", sample(319.4, 320, 318.9), sample(to, to, to))
}

func memory(n int, to float64) *judge.Result {
	return result(rank(n), "peak-RSS-GB", judge.Memory, "lower", sample(0.2031517, 0.2031517), sample(to, to))
}

func shown(n int) *judge.Result {
	r := as(result(rank(n), "grad-norm", judge.Other, "", sample(0.30283, 0.3), sample(0.31, 0.3)), judge.CallShown, "informational")
	r.P, r.Corrected, r.Detectable = nan, nan, nan
	return r
}

// nsPerOp is the same measurement as samples/sec.
func nsPerOp(n int) *judge.Result {
	r := as(result(rank(n), "ns/op", judge.Speed, "lower", sample(5.008926674e7, 5e7), sample(5.1e7, 5e7)), judge.CallShown, "the same measurement as samples/sec")
	r.SameAs, r.P, r.Corrected = "samples/sec", nan, nan
	return r
}

// made are verdicts of every kind.
func made() map[string]*judge.Verdict {
	worse := speed(8, 303.1)
	worse.Corrected, worse.P = 0.00004, 0.000004
	worse = as(worse, judge.CallWorse, "5.1 % fewer, floor 3 %, corrected p < 0.0001")
	worse.Causes = []string{"part=attention takes 4.9 ms where it took 2.31 ms: 97 % of what was lost"}
	better := speed(128, 352)
	better.Corrected = 0.0031
	better = as(better, judge.CallBetter, "10 % more, floor 3 %, corrected p 0.0031")
	grown := memory(8, 0.2471517)
	grown.Corrected = 0.0002
	grown = as(grown, judge.CallWorse, "22 % more, floor 3 %, corrected p 0.0002")
	grown.Causes = []string{"activations takes 126 MiB instead of 81 MiB"}
	unclear := as(result(rank(256), "samples/sec", judge.Speed, "higher", sample(300), sample(200, 310)), judge.CallCannotTell, "1 and 2 values, want 4 on each side: 3 more runs of the baseline and 2 of new")
	unclear.P, unclear.Corrected, unclear.Low, unclear.High, unclear.Detectable = nan, nan, nan, nan, nan
	zero := as(result("Alloc", "B/op", judge.Memory, "lower", sample(0, 0, 0, 0), sample(64, 64, 64, 64)), judge.CallWorse, "0 before, 64 B now")
	zero.Change, zero.Low, zero.High = nan, nan, nan
	return map[string]*judge.Verdict{
		"pass": sides(&judge.Verdict{Text: "As good or better: 4 results judged, none worse.", Compared: 4, Unjudged: []string{"mgas/s"},
			Results: []*judge.Result{exact(8, 1.7521149377270175), speed(8, 319), nsPerOp(8), memory(8, 0.2031517), shown(8), better},
			Added:   []string{rank(512)}, Notes: []string{"torch differs (2.10.0 and 2.11.0): losses are tested, not compared exactly."}}),
		"worse": sides(&judge.Verdict{Status: judge.Worse, Text: "Worse: eval-loss, samples/sec and peak-RSS-GB of Rank/rank=8.", Compared: 6,
			Results: []*judge.Result{as(exact(8, 1.7521149377270185), judge.CallNumerics, "seed 42 has 1.7521149377270185 where the baseline has 1.7521149377270175: losses of one seed differ on a CPU only when the computation does"),
				worse, nsPerOp(8), grown, shown(8), better, unclear}}),
		"unusable": sides(&judge.Verdict{Status: judge.Unusable, Text: "The results cannot be judged: 3 problems.",
			Problems: []judge.Problem{
				{Kind: results.Unreadable, File: "new/bench.txt", Line: 17, Text: `"BenchmarkRank/rank=8-2 100 5e7": a value has no unit: run the benchmark again`},
				{Kind: judge.Mismatch, Text: `gpu: "NVIDIA H100" in old/bench.txt and "NVIDIA A100" in new/bench.txt: compare results of one machine`},
				{Kind: judge.MissingBenchmark, Benchmark: rank(256), Text: "Rank/rank=256 is in the baseline and not in new"}},
			Results: []*judge.Result{speed(8, 319)}}),
		"cannot-tell": sides(&judge.Verdict{Status: judge.CannotTell, Text: "Cannot tell: too few samples.", Compared: 1, Results: []*judge.Result{unclear}}),
		"foreign": sides(&judge.Verdict{Status: judge.Worse, Text: "Worse: B/op of Alloc.", Compared: 3, Results: []*judge.Result{
			zero,
			result("Alloc", "sec/op", judge.Speed, "lower", sample(1.2e-7, 1.2e-7), sample(1.21e-7, 1.2e-7)),
			result("Alloc", "MB/s", judge.Speed, "higher", sample(1234567, 1234568), sample(1234567, 1234568)),
			result("Alloc", "widgets", judge.Other, "higher", sample(1e-9, 1e-9), sample(2.5e-8, 2.5e-8))}}),
		"empty":  {},
		"silent": {Status: judge.Worse}, // a status without a finding must not look well anywhere
		"hostile": sides(&judge.Verdict{Status: judge.Worse, Text: "::error::a\nb | <script> \x1b[31m @everyone #1 \xff",
			Results: []*judge.Result{as(result("::add-mask::x|y<b>%0A", "\x1b[2J,:%", judge.Other, "lower", sample(1, nan, math.Inf(1)), sample()), judge.CallWorse, "]]> & \r\n ::warning::x")},
			Added:   []string{"##[error]\u202e"}, Notes: []string{"```", "</details>"},
			Problems: []judge.Problem{{Kind: "::x", File: "a,b:c\nd", Line: 3, Text: "line\nline"}, {Kind: "::x", File: "a,b:c\nd", Line: 3, Text: "line\nline"}}}),
		"many": many(),
	}
}

// many has more of everything than anybody reads.
func many() *judge.Verdict {
	v := sides(&judge.Verdict{Status: judge.Worse, Text: "Worse: 300 of 900 metrics.", Compared: 900})
	for i := range 300 {
		name := fmt.Sprintf("Case/n=%d", i)
		worse := result(name, "ns/op", judge.Speed, "lower", sample(100, 100), sample(110, 110))
		v.Results = append(v.Results, as(worse, judge.CallWorse, "10 % more"), result(name, "B/op", judge.Memory, "lower", sample(64, 64), sample(64, 64)),
			as(result(name, "allocs/op", judge.Count, "lower", sample(2, 2), sample(1, 1)), judge.CallBetter, "1 fewer"))
		v.Added = append(v.Added, fmt.Sprintf("New/n=%d", i))
	}
	return v
}
