package record

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"lorabench/internal/file"
)

// Schema is the version of records that this program writes.
const Schema = 1

// Record is everything about one run, with exact values: what a result line rounds to four digits,
// and what it leaves out. Keys are the Trainer's where it has the figure. A pointer that is nil is a
// figure that was not measured.
type Record struct {
	Schema   int       `json:"schema"` // 0 in records from before there was a version
	Name     string    `json:"name"`   // the sub-benchmark's: rank=8, or rank=8/lr=1e-4 where rates vary
	Rank     string    `json:"rank"`
	Seed     int64     `json:"seed"`
	Block    int       `json:"block"`    // counts the study's seeds from 0: all arms train with one before any with the next
	Position int       `json:"position"` // within the block, from 0; arms take turns at it
	Started  time.Time `json:"started"`  // when its clock was started
	Settings Settings  `json:"settings"`
	Scaling  float64   `json:"scaling,omitempty"` // of B A
	Model    ModelInfo `json:"model"`
	Data     DataInfo  `json:"data"`
	Machine  Machine   `json:"machine"`

	Trainable    int64    `json:"trainable_parameters"`
	AdapterBytes int64    `json:"adapter_bytes"` // on disk, as PEFT's file; for rank full the whole model's
	Loss         float64  `json:"loss"`          // mean of the last Window steps, as last logged
	TrainLoss    float64  `json:"train_loss"`    // mean of all steps
	EvalLoss     *float64 `json:"eval_loss,omitempty"`
	// EvalHalves are the held-out loss on every second held-out record, from the first and from the second: what is chosen on one
	// half is judged on the other.
	EvalHalves   []float64 `json:"eval_loss_halves,omitempty"`
	ForgetLoss   *float64  `json:"forget_loss,omitempty"` // on Settings.Forget's text, which is not of the task
	GradNorm     float64   `json:"grad_norm"`             // of the last step, before clipping
	LearningRate float64   `json:"learning_rate"`
	GlobalStep   int       `json:"global_step"`
	Epoch        float64   `json:"epoch"`

	Runtime            float64 `json:"train_runtime"` // seconds
	SamplesPerSecond   float64 `json:"train_samples_per_second"`
	StepsPerSecond     float64 `json:"train_steps_per_second"`
	TokensPerSecond    float64 `json:"real_tokens_per_second"`
	ProcessedPerSecond float64 `json:"processed_tokens_per_second"` // without what no loss depends on, with what CUDA graphs fill rows up with
	RealTokens         int64   `json:"real_tokens"`
	ProcessedTokens    int64   `json:"processed_tokens"`
	PaddedTokens       int64   `json:"padded_tokens"` // what a trainer that pads would have computed
	TotalFLOPs         float64 `json:"total_flos"`    // as the Trainer counts: with padding

	// SecondsToTarget is the training time up to the first held-out loss of at most
	// Settings.TargetLoss; nil where there is no target or it was not reached.
	SecondsToTarget *float64 `json:"seconds_to_target_loss,omitempty"`

	InitialMemory Peak       `json:"memory_initial"`
	PeakMemory    Peak       `json:"memory_peak"`
	Memory        []Category `json:"memory,omitempty"`
	Others        []Holder   `json:"other_processes,omitempty"` // nil also where nobody could tell

	// Graphs counts the CUDA graphs that were recorded. GraphsBytes is the memory of the device that recording them
	// took outside the allocator, GraphsFailed the reason for going on without them.
	Graphs       int    `json:"cuda_graphs,omitempty"`
	GraphsBytes  int64  `json:"cuda_graphs_bytes_outside_allocator,omitempty"`
	GraphsFailed string `json:"cuda_graphs_failed,omitempty"`

	// Diverged is the first step without a finite loss, 0 where there is none. Such a run has no result: no loss is to be read from it,
	// and Steps ends before that step.
	Diverged int `json:"diverged_at_step,omitempty"`

	Steps []Step `json:"log_history"`
	Laps  []Lap  `json:"laps,omitempty"` // where the clock stood still in between, as in a run that takes turns with another process
	Evals []Eval `json:"eval_history,omitempty"`
}

// Step is one optimizer step.
type Step struct {
	Step         int     `json:"step"`
	Loss         float64 `json:"loss"`
	GradNorm     float64 `json:"grad_norm"`
	LearningRate float64 `json:"learning_rate"`
	Tokens       int     `json:"tokens"`
}

// Lap is the steps between two moments at which the clock stood still and the device was waited for.
type Lap struct {
	Step    int     `json:"step"` // its last one
	Seconds float64 `json:"seconds"`
}

// Eval is the held-out loss after a step. Seconds is the training time up to there, evaluations not
// counted.
type Eval struct {
	Step    int     `json:"step"`
	Loss    float64 `json:"eval_loss"`
	Seconds float64 `json:"seconds"`
}

// Window is the number of steps between two of the Trainer's logs in the reference run, over which
// the logged loss is a mean.
const Window = 10

// InBlock reports whether the run's place is known: before schema 1 all runs of an arm came before the next arm's.
func (r *Record) InBlock() bool { return r.Schema >= 1 }

// FileName is the record's file name without its ending: the sub-benchmark's name and the seed.
func (r *Record) FileName() string {
	return fmt.Sprintf("%s,seed=%d", strings.ReplaceAll(r.Name, "/", ","), r.Seed)
}

// Save writes the record into dir, as rank=R,seed=S.json or with whatever else varies.
func (r *Record) Save(dir string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return file.Write(filepath.Join(dir, r.FileName()+".json"), append(b, '\n'))
}
