package bench

import (
	"maps"
	"slices"
	"strings"
	"time"

	"lorabench/bench/record"
	"lorabench/lora"
)

func (r *Run) record(log []lora.Step) *record.Record {
	w := r.work
	rec := &record.Record{
		Schema: record.Schema, Name: r.Name, Rank: r.Rank, Seed: r.Seed, Started: r.started.UTC().Truncate(time.Second), Settings: r.Arm.settings(w.Settings.Settings), Model: w.ModelInfo, Data: w.DataInfo, Machine: ThisMachine(w.device),
		Trainable: r.params.N(), GlobalStep: r.trainer.Taken(), Epoch: r.ahead.Epoch(), Runtime: r.elapsed.Seconds(),
		PaddedTokens: r.padded, TotalFLOPs: lora.FLOPs(r.model, r.adapter, r.padded), InitialMemory: r.initial, PeakMemory: r.peak,
		ProcessedTokens: r.trainer.Processed(), Memory: r.categories(),
	}
	if r.adapter != nil { // one that was loaded brings settings of its own
		rec.Scaling = r.adapter.Scaling()
		rec.Settings.Alpha, rec.Settings.RSLoRA, rec.Settings.DoRA = r.adapter.LoraAlpha, r.adapter.UseRSLoRA, r.adapter.UseDoRA
		rec.Settings.Dropout, rec.Settings.Targets = r.adapter.LoraDropout, r.adapter.TargetModules
		if rec.Settings.AdapterDType == "bfloat16" && !r.adapter.BFloat16 {
			rec.Settings.AdapterDType = "float32"
		}
	}
	for _, pid := range slices.Sorted(maps.Keys(r.others)) {
		rec.Others = append(rec.Others, r.others[pid])
	}
	g := r.trainer.Graphs()
	if rec.Graphs, rec.GraphsBytes = g.N, g.Outside; g.Failed != nil {
		rec.GraphsFailed = strings.Join(strings.Fields(g.Failed.Error()), " ") // it stands in a line of results
	}
	for i, s := range log {
		rec.Steps = append(rec.Steps, record.Step{Step: i + 1, Loss: s.Loss, GradNorm: s.GradNorm, LearningRate: s.LearningRate, Tokens: r.tokens[i]})
		rec.TrainLoss += s.Loss / float64(len(log))
		rec.GradNorm = s.GradNorm
	}
	if len(r.laps) > 1 {
		rec.Laps = r.laps
	}
	last := log[max(0, len(log)-record.Window):]
	for _, s := range last {
		rec.Loss += s.Loss / float64(len(last))
	}
	for _, n := range r.tokens {
		rec.RealTokens += int64(n)
	}
	// The Trainer logs the rate after its scheduler's step: that of the step to come.
	rec.LearningRate = r.trainer.At(r.trainer.Taken())
	rec.StepsPerSecond = float64(rec.GlobalStep) / rec.Runtime
	rec.SamplesPerSecond = rec.StepsPerSecond * float64(w.Batch*w.Accum)
	rec.TokensPerSecond = float64(rec.RealTokens) / rec.Runtime
	rec.ProcessedPerSecond = float64(rec.ProcessedTokens) / rec.Runtime
	return rec
}
