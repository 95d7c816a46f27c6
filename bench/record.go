package bench

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"

	"lorabench/internal/file"
	"lorabench/lora"
)

// Record is everything about one run, with exact values: what a result line rounds to four digits,
// and what it leaves out. Keys are the Trainer's where it has the figure.
type Record struct {
	Rank     string    `json:"rank"`
	Seed     int64     `json:"seed"`
	Settings Settings  `json:"settings"`
	Scaling  float64   `json:"scaling,omitempty"` // of B A
	Model    ModelInfo `json:"model"`
	Data     DataInfo  `json:"data"`
	Machine  Machine   `json:"machine"`

	Trainable    int64    `json:"trainable_parameters"`
	Loss         float64  `json:"loss"`       // mean of the last Window steps, as last logged
	TrainLoss    float64  `json:"train_loss"` // mean of all steps
	EvalLoss     *float64 `json:"eval_loss,omitempty"`
	GradNorm     float64  `json:"grad_norm"` // of the last step, before clipping
	LearningRate float64  `json:"learning_rate"`
	GlobalStep   int      `json:"global_step"`
	Epoch        float64  `json:"epoch"`

	Runtime          float64 `json:"train_runtime"` // seconds
	SamplesPerSecond float64 `json:"train_samples_per_second"`
	StepsPerSecond   float64 `json:"train_steps_per_second"`
	TokensPerSecond  float64 `json:"real_tokens_per_second"`
	RealTokens       int64   `json:"real_tokens"`
	PaddedTokens     int64   `json:"padded_tokens"` // what a trainer that pads would have computed
	TotalFLOPs       float64 `json:"total_flos"`    // as the Trainer counts: with padding

	InitialMemory Peak `json:"memory_initial"`
	PeakMemory    Peak `json:"memory_peak"`

	// Graphs is the number of CUDA graphs that were recorded, GraphsFailed why there are no more.
	Graphs       int    `json:"cuda_graphs,omitempty"`
	GraphsFailed string `json:"cuda_graphs_failed,omitempty"`

	Steps []StepRecord `json:"log_history"`
}

// StepRecord is one optimizer step.
type StepRecord struct {
	Step         int     `json:"step"`
	Loss         float64 `json:"loss"`
	GradNorm     float64 `json:"grad_norm"`
	LearningRate float64 `json:"learning_rate"`
	Tokens       int     `json:"tokens"`
}

// Window is the number of steps between two of the Trainer's logs in the reference run, over which
// the logged loss is a mean.
const Window = 10

func (r *Run) record(log []lora.Step) *Record {
	w := r.work
	rec := &Record{
		Rank: r.Rank, Seed: r.Seed, Settings: w.Settings, Model: w.ModelInfo, Data: w.DataInfo, Machine: ThisMachine(w.device),
		Trainable: r.params.N(), GlobalStep: r.trainer.Taken(), Epoch: r.ahead.Epoch(), Runtime: r.elapsed.Seconds(),
		PaddedTokens: r.padded, TotalFLOPs: lora.FLOPs(r.model, r.adapter, r.padded), InitialMemory: r.initial, PeakMemory: r.peak,
	}
	if r.adapter != nil { // one that was loaded brings settings of its own
		rec.Scaling = r.adapter.Scaling()
		rec.Settings.Alpha, rec.Settings.Dropout, rec.Settings.Targets = r.adapter.LoraAlpha, r.adapter.LoraDropout, r.adapter.TargetModules
	}
	n, failed := r.trainer.Graphs()
	if rec.Graphs = n; failed != nil {
		rec.GraphsFailed = failed.Error()
	}
	for i, s := range log {
		rec.Steps = append(rec.Steps, StepRecord{i + 1, s.Loss, s.GradNorm, s.LearningRate, r.tokens[i]})
		rec.TrainLoss += s.Loss / float64(len(log))
		rec.GradNorm = s.GradNorm
	}
	last := log[max(0, len(log)-Window):]
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
	return rec
}

// Metric is a value for the result line.
type Metric struct {
	Unit  string
	Value float64
}

// Units are the metrics' units and which direction is better, as benchmark Unit lines have it.
var Units = []struct{ Name, Better string }{
	{"loss", "lower"}, {"train-loss", "lower"}, {"eval-loss", "lower"}, {"samples/sec", "higher"}, {"tokens/sec", "higher"},
	{"grad-norm", ""}, {"peak-GPU-GB", "lower"}, {"peak-RSS-GB", "lower"},
}

// gib is what the reference run calls a GB.
const gib = 1 << 30

// Metrics are the record's values for the result line: only what was measured.
func (r *Record) Metrics() []Metric {
	ms := []Metric{
		{"ns/op", r.Runtime * 1e9 / float64(r.GlobalStep)},
		{"loss", r.Loss}, {"train-loss", r.TrainLoss},
	}
	if r.EvalLoss != nil {
		ms = append(ms, Metric{"eval-loss", *r.EvalLoss})
	}
	ms = append(ms, Metric{"samples/sec", r.SamplesPerSecond}, Metric{"tokens/sec", r.TokensPerSecond}, Metric{"grad-norm", r.GradNorm})
	if b := r.PeakMemory.GPUAllocated; b != nil {
		ms = append(ms, Metric{"peak-GPU-GB", float64(*b) / gib})
	} else if b := r.PeakMemory.RSS; b != nil {
		ms = append(ms, Metric{"peak-RSS-GB", float64(*b) / gib})
	}
	return ms
}

// Save writes the record as dir/rank=R,seed=S.json.
func (r *Record) Save(dir string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return file.Write(filepath.Join(dir, fmt.Sprintf("rank=%s,seed=%s.json", r.Rank, strconv.FormatInt(r.Seed, 10))), append(b, '\n'))
}
