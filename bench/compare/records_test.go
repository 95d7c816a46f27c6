package compare

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/bench/results"
)

// recorded is a finished run.
func recorded(rank string, seed int64, change ...func(*record.Record)) *record.Record {
	loss, rss := 3.1, int64(3)<<29
	r := &record.Record{
		Name: "rank=" + rank, Rank: rank, Seed: seed,
		Settings: record.Settings{
			Model: "m", Data: "d", Recipe: "reported", Alpha: 16, Dropout: 0.1, LR: 2e-4, Targets: []string{"q_proj", "v_proj"},
			Batch: 4, Accum: 4, MaxLength: 1024, Device: "cpu", DType: "float32", Seed: seed, Steps: 100, TargetLoss: 3.2,
		},
		Model: record.ModelInfo{Name: "m", SHA256: "aa"}, Data: record.DataInfo{Name: "d", SHA256: "bb", Train: 90, Held: 10},
		Machine:   record.Machine{Device: "cpu", CPU: "c", Threads: 2, Torch: "2.11.0", Commit: "abc"},
		Trainable: 1000, AdapterBytes: 4096, Loss: 3.3, TrainLoss: 3.4, EvalLoss: &loss, GradNorm: 1, GlobalStep: 100,
		Runtime: 50, SamplesPerSecond: 32, TokensPerSecond: 5000, PeakMemory: record.Peak{RSS: &rss},
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func TestFromRecords(t *testing.T) {
	s, err := newStudy(results.FromRecords([]*record.Record{
		recorded("full", 42, func(r *record.Record) { r.Settings.Dropout, r.Settings.Alpha = 0, 0 }),
		recorded("256", 42), recorded("8", 43), recorded("8", 42, func(r *record.Record) { r.Machine.Commit = "def" }),
	}))
	require.NoError(t, err)
	assert.Equal(t, "rank=8: 42=1.5 43=1.5; rank=256: 42=1.5; rank=full: 42=1.5", told(s, peakRSS), "by rank and seed, in GiB")
	assert.Equal(t, "rank=8: 42=5e+08 43=5e+08; rank=256: 42=5e+08; rank=full: 42=5e+08", told(s, "ns/op"), "a step's time")
	assert.Equal(t, "rank=8: 42=4096 43=4096; rank=256: 42=4096; rank=full: 42=4096", told(s, adapterBytes), "what result lines lack")
	assert.Equal(t, "rank=8: 42=1000 43=1000; rank=256: 42=1000; rank=full: 42=1000", told(s, parameters))
	assert.True(t, s.table(adapterBytes).exact && s.table(parameters).exact)
	assert.Equal(t, "3.2", s.setting(0, "target-loss", "target_loss"))
	assert.Equal(t, []string{"The runs are not all of one commit: abc, def."}, s.notes)
	units := map[string]string{}
	for _, u := range s.units() {
		units[u.Name] = u.Better
	}
	assert.Equal(t, map[string]string{
		evalLoss: "lower", "train-loss": "lower", "loss": "lower", samples: "higher", "tokens/sec": "higher", "ns/op": "lower",
		peakRSS: "lower", adapterBytes: "lower", parameters: "", "grad-norm": "",
	}, units)
	assert.Equal(t, evalLoss, s.units()[0].Name, "what is judged by comes first")
	analyzed(t, s.set, Options{})
}

// A resumed run has no time to the target, whether it reached it or not.
func TestAResumedRunDidNotMissTheTarget(t *testing.T) {
	at := func(k int, reached bool, resumed int) *Metric {
		var rs []*record.Record
		for seed := range 6 {
			for i, rank := range []string{"8", "64"} {
				took := 20*wobble(i, seed, 1) + float64(10*i)
				r := recorded(rank, int64(seed), func(r *record.Record) { r.Block, r.SecondsToTarget = seed, &took })
				if i == 0 && seed == 1 {
					r.Resumed = resumed
				}
				if i == 0 && seed == k && !reached {
					r.SecondsToTarget = nil
				}
				rs = append(rs, r)
			}
		}
		return analyzed(t, results.FromRecords(rs), Options{}).metric(secToLoss)
	}
	const lacks, shared = "rank=8 lacks it in 1 of 6 runs.", "Not every arm has it for every seed: only the seeds that both arms have are compared."
	for _, reached := range []bool{true, false} {
		m := at(1, reached, 50)
		assert.Contains(t, m.Notes, lacks)
		assert.Contains(t, m.Notes, shared)
		assert.NotContains(t, fmt.Sprint(m.Notes), "did not reach")
		assert.Equal(t, 5, m.Pairs[0].N)
		assert.InDelta(t, 0.5, m.Pairs[0].Diff, 0.01, "the other five are compared")
	}
	for resumed, want := range map[int]string{0: "1 of 6", 50: "1 of 5"} {
		m := at(2, false, resumed)
		assert.Contains(t, m.Notes, "rank=8 did not reach the target in "+want+" runs: it is not compared.")
		assert.NotContains(t, m.Notes, shared)
		assert.True(t, math.IsNaN(m.Pairs[0].Diff))
	}
}

// Alpha may follow the rank, and what an arm's name says may differ from arm to arm.
func TestArmsOfRecordsMayDiffer(t *testing.T) {
	rate := func(lr float64) func(*record.Record) {
		return func(r *record.Record) {
			r.Settings.LR, r.Name = lr, fmt.Sprintf("rank=%s/lr=%g", r.Rank, lr)
		}
	}
	s, err := newStudy(results.FromRecords([]*record.Record{
		recorded("8", 1, rate(2e-4)), recorded("8", 2, rate(2e-4)), recorded("8", 1, rate(1e-4)),
		recorded("16", 1, rate(1e-4), func(r *record.Record) { r.Settings.Alpha, r.Settings.RSLoRA = 32, true }),
		recorded("full", 1, rate(1e-5), func(r *record.Record) { r.Settings.Targets = nil }),
	}))
	require.NoError(t, err)
	assert.Len(t, s.arms, 4)
}

func TestFromRecordsRefuses(t *testing.T) {
	with := func(rank string, seed int64, change func(*record.Record)) []*record.Record {
		return []*record.Record{recorded("8", 1), recorded(rank, seed, change)}
	}
	const study = "they are not of one study"
	for _, c := range []struct {
		rs   []*record.Record
		want []string
		why  string
	}{
		{nil, []string{"no runs to compare"}, "nothing"},
		{with("16", 1, func(r *record.Record) { r.Model.SHA256 = "cc" }), []string{`model-sha256 is "aa" in rank=8,seed=1 and "cc" in rank=16,seed=1`, study}, "another model of the same name"},
		{with("16", 1, func(r *record.Record) { r.Data.SHA256 = "cc" }), []string{`data-sha256 is "bb" in`, `"cc"`, study}, "other data"},
		{with("16", 1, func(r *record.Record) { r.Settings.Recipe = "assigned" }), []string{`recipe is "reported" in`, `"assigned"`, study}, "another recipe"},
		{with("16", 1, func(r *record.Record) { r.Machine.GPU = "H100" }), []string{`gpu is "" in`, `"H100"`, study}, "another machine"},
		{with("16", 1, func(r *record.Record) { r.Settings.DType = "bfloat16" }), []string{`dtype is "float32" in`, `"bfloat16"`, study}, "another precision"},
		{with("16", 1, func(r *record.Record) { r.GlobalStep = 50 }), []string{`steps is "100" in`, `"50" in`, study}, "fewer steps"},
		{with("16", 1, func(r *record.Record) { r.Settings.Batch = 8 }), []string{`per_device_train_batch_size is "4" in`, `"8" in`, study}, "another batch"},
		{with("16", 1, func(r *record.Record) { r.Settings.Dropout = 0 }), []string{`lora_dropout is "0.1" in`, `"0" in`, study}, "another dropout"},
		{with("16", 1, func(r *record.Record) { r.Settings.LR = 1e-4 }), []string{`learning_rate is "0.0002" in`, `"0.0001" in`, study}, "another rate that no name tells"},
		{with("16", 1, func(r *record.Record) { r.Settings.Targets = []string{"q_proj"} }), []string{`target_modules is "[q_proj v_proj]" in`, `"[q_proj]" in`}, "other projections that no name tells"},
		{[]*record.Record{recorded("full", 1), recorded("8", 1), recorded("16", 1, func(r *record.Record) { r.Settings.Dropout = 0 })}, []string{`lora_dropout is "0.1" in rank=8,seed=1`}, "also where full, which has none, comes first"},
		{with("8", 2, func(r *record.Record) { r.Settings.Alpha = 32 }), []string{`lora_alpha is "16" in rank=8,seed=1 and "32" in rank=8,seed=2`, "differ in their seed only"}, "two scales under one name"},
		{with("8", 2, func(r *record.Record) { r.Trainable = 2000 }), []string{`trainable_parameters is "1000" in`, "2000"}, "two sizes under one name"},
		{with("8", 1, func(*record.Record) {}), []string{"rank=8 has two results of seed 1"}, "a run that counts twice"},
		{with("16", 1, func(r *record.Record) { r.Loss = math.NaN() }), []string{"rank=16,seed=1: Rank/rank=16: loss is NaN: the run diverged"}, "a run that diverged"},
		{with("16", 1, func(r *record.Record) { v := math.Inf(1); r.EvalLoss = &v }), []string{"rank=16,seed=1: Rank/rank=16: eval-loss is +Inf"}, "infinite held-out loss"},
		{with("16", 1, func(r *record.Record) { r.GlobalStep, r.Runtime = 0, 0 }), []string{"of no finished run"}, "no run"},
	} {
		_, err := newStudy(results.FromRecords(c.rs))
		require.Error(t, err, c.why)
		for _, w := range c.want {
			assert.ErrorContains(t, err, w, c.why)
		}
	}
}
