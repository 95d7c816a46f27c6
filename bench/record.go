package bench

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lorabench/bench/record"
	"lorabench/internal/root"
	"lorabench/internal/train"
	"lorabench/lora"
)

// Record returns the run's record, after End: it reads the training losses and computes those on text that was not trained on. If a loss
// is not finite the training diverged: an error, or with several rates a record without a result.
func (r *Run) Record() (*record.Record, error) {
	log, err := r.trainer.Log()
	if err != nil {
		return nil, err
	}
	r.lookAround()
	n := slices.IndexFunc(log, func(s train.Step) bool { return !r.finite(s.Loss, s.GradNorm) })
	if n >= 0 {
		log = log[:n]
	}
	rec := r.record(log)
	if rec.Diverged = n + 1; n < 0 {
		err = r.evaluate(rec)
	}
	if err != nil {
		return nil, err
	}
	if rec.Diverged > 0 && len(r.work.LRs) < 2 {
		return nil, fmt.Errorf("%s, seed %d: step %d has no finite loss: the training diverged; lower -lr or -alpha",
			r.Name, r.Seed, rec.Diverged)
	}
	rec.AdapterBytes, err = r.diskBytes()
	return rec, err
}

// record returns the record without the losses on other text; log ends before a step that diverged.
func (r *Run) record(log []train.Step) *record.Record {
	w, g := r.work, r.trainer.Graphs()
	rec := &record.Record{
		Schema: record.Schema, Name: r.Name, Rank: r.Rank, Seed: r.Seed, Resumed: r.Resumed,
		Started:  r.started.UTC().Truncate(time.Second),
		Settings: r.Arm.settings(w.recorded()), Model: w.ModelInfo, Data: w.DataInfo, Machine: ThisMachine(w.device),
		Trainable: r.params.N(), GlobalStep: r.trainer.Taken(), Epoch: r.steps.Epoch(), Runtime: r.Elapsed.Seconds(),
		PaddedTokens: r.Padded, TotalFLOPs: lora.FLOPs(r.model, r.adapter, r.Padded), InitialMemory: r.initial, PeakMemory: r.peak,
		ProcessedTokens: r.trainer.Processed(), Memory: r.categories(), Graphs: g.N, GraphsBytes: g.Outside,
		// The Trainer logs the rate after its scheduler's step: that of the next step.
		LearningRate: r.trainer.At(r.trainer.Taken()),
	}
	if r.adapter != nil {
		rec.Scaling = r.adapter.Scaling()
	}
	for _, pid := range slices.Sorted(maps.Keys(r.others)) {
		rec.Others = append(rec.Others, r.others[pid])
	}
	if g.Failed != nil {
		rec.GraphsFailed = strings.Join(strings.Fields(g.Failed.Error()), " ") // it must fit a result line
	}
	for i, s := range log {
		rec.Steps = append(rec.Steps, record.Step{Step: i + 1, Loss: s.Loss, GradNorm: s.GradNorm, LearningRate: s.LearningRate,
			Tokens: r.Tokens[i]})
		rec.TrainLoss += s.Loss / float64(len(log))
		rec.GradNorm = s.GradNorm
	}
	last := log[max(0, len(log)-record.Window):]
	for _, s := range last {
		rec.Loss += s.Loss / float64(len(last))
	}
	if len(r.Laps) > 1 {
		rec.Laps = r.Laps
	}
	for _, n := range r.Tokens {
		rec.RealTokens += int64(n)
	}
	rec.StepsPerSecond = float64(rec.GlobalStep) / rec.Runtime
	rec.SamplesPerSecond = rec.StepsPerSecond * float64(w.Batch*w.Accum)
	rec.TokensPerSecond = float64(rec.RealTokens) / rec.Runtime
	rec.ProcessedPerSecond = float64(rec.ProcessedTokens) / rec.Runtime
	return rec
}

// evaluate adds the losses on text that was not trained on. A loss that is not finite marks the record as diverged at its step.
func (r *Run) evaluate(rec *record.Record) error {
	held, halves, other, err := r.work.evaluate(r.model)
	if err != nil {
		return err
	}
	if held != nil {
		r.Evals = append(r.Evals, record.Eval{Step: rec.GlobalStep, Loss: *held, Seconds: rec.Runtime})
	}
	if i := slices.IndexFunc(r.Evals, func(e record.Eval) bool { return !r.finite(e.Loss) }); i >= 0 {
		rec.Diverged = r.Evals[i].Step
		return nil
	}
	if other != nil && !r.finite(*other) {
		rec.Diverged = rec.GlobalStep
		return nil
	}
	rec.EvalLoss, rec.EvalHalves, rec.ForgetLoss = held, halves, other
	if r.work.EvalEvery > 0 {
		rec.Evals = r.Evals
	}
	if target := r.work.TargetLoss; target > 0 {
		rec.SecondsToTarget = secondsTo(target, *r.work.DataInfo.EvalLossBase, r.Evals)
	}
	return nil
}

// secondsTo returns when the held-out loss, base at the start, reached target, linear between two evaluations; nil if it never did.
func secondsTo(target, base float64, evals []record.Eval) *float64 {
	last := record.Eval{Loss: base}
	if base <= target {
		return new(float64)
	}
	for _, e := range evals {
		if e.Loss <= target {
			at := last.Seconds + (e.Seconds-last.Seconds)*(last.Loss-target)/(last.Loss-e.Loss)
			return &at
		}
		last = e
	}
	return nil
}

// finite reports whether all values are finite. A stand-in device computes none, so there it is true.
func (r *Run) finite(vs ...float64) bool {
	return r.work.StandIn() || !slices.ContainsFunc(vs, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// diskBytes returns the result's size on disk: PEFT's files, or for full training every weight in float32.
func (r *Run) diskBytes() (int64, error) {
	if r.adapter == nil {
		return 4 * r.params.N(), nil
	}
	dir := r.fileName(".adapter")
	if !r.work.SaveAdapter {
		var err error
		if dir, err = os.MkdirTemp("", "lorabench"); err != nil {
			return 0, err
		}
		defer os.RemoveAll(dir)
	}
	base := r.work.ModelInfo.Name
	if r.work.ModelInfo.Revision == "" { // a folder's name would be taken for a repository's on the Hub
		base = ""
	}
	return r.adapter.Save(dir, base)
}

// recorded returns the settings as records have them, with no path of this machine.
func (w *Workload) recorded() record.Settings {
	s := w.Settings.Settings
	for _, path := range []*string{&s.Model, &s.Tokenizer, &s.Data, &s.Adapter, &s.Forget} {
		*path = shown(*path)
	}
	return s
}

// shown returns a path as results have it: relative to the checkout if it is inside, else its last two parts, so that results of two
// machines name the same model. The name of a user's folder is left out.
func shown(path string) string {
	if config, hashed := strings.CutPrefix(path, "hash:"); hashed {
		return "hash:" + shown(config)
	}
	if !filepath.IsAbs(path) {
		return path
	}
	if dir, err := root.Dir(); err == nil {
		if rel, err := filepath.Rel(dir, path); err == nil && !strings.HasPrefix(rel, "..") {
			return filepath.ToSlash(rel)
		}
	}
	folder, base := filepath.Dir(path), filepath.Base(path)
	home, err := os.UserHomeDir()
	if err == nil && path == home {
		return "~"
	}
	inHome := filepath.Dir(folder) == filepath.Dir(home) && filepath.Dir(home) != string(filepath.Separator)
	if err == nil && (inHome || filepath.Base(folder) == filepath.Base(home)) {
		return base
	}
	return filepath.ToSlash(filepath.Join(filepath.Base(folder), base))
}
