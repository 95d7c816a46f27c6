// Package record defines what is written down about a run, with exact values: every setting, step and figure. It knows no tensor, so that
// comparing, reporting and judging results needs no libtorch.
package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"lorabench/internal/file"
)

// Unfinished is the file that describes the study in a folder until its last run has ended well.
const Unfinished = "unfinished.json"

// Schema is the version of records that this program writes.
const Schema = 1

// Record is everything about one run. Keys are the Trainer's where it has the figure; nil is what was not measured.
type Record struct {
	Checksum string `json:"checksum,omitempty"` // of the file, while it is read and written

	Schema    int       `json:"schema"` // 0 in records from before there was a version
	Name      string    `json:"name"`   // the sub-benchmark's: rank=8, or rank=8/lr=1e-4 where rates vary
	Rank      string    `json:"rank"`
	Seed      int64     `json:"seed"`
	Block     int       `json:"block"`                        // counts seeds from 0: all arms train with one before any with the next
	Position  int       `json:"position"`                     // within the block, from 0; arms take turns at it
	Shard     string    `json:"shard,omitempty"`              // the part of the study that was dealt to the process: 2/8
	Scattered bool      `json:"scattered,omitempty"`          // arms with its seed ran in several processes: time is not compared
	Started   time.Time `json:"started"`                      // when its clock was started
	Resumed   int       `json:"resumed_after_step,omitempty"` // from a checkpoint: time and memory are then not one process's
	Settings  Settings  `json:"settings"`
	Scaling   float64   `json:"scaling,omitempty"` // of B A
	Model     ModelInfo `json:"model"`
	Data      DataInfo  `json:"data"`
	Machine   Machine   `json:"machine"`

	Trainable          int64     `json:"trainable_parameters"`
	AdapterBytes       int64     `json:"adapter_bytes"` // on disk, as PEFT's file; for rank full the whole model's
	Loss               float64   `json:"loss"`          // mean of the last Window steps, as last logged
	TrainLoss          float64   `json:"train_loss"`    // mean of all steps
	EvalLoss           *float64  `json:"eval_loss,omitempty"`
	EvalHalves         []float64 `json:"eval_loss_halves,omitempty"` // of every second record: a choice on one half is judged on the other
	ForgetLoss         *float64  `json:"forget_loss,omitempty"`      // on Settings.Forget's text, which is not of the task
	GradNorm           float64   `json:"grad_norm"`                  // of the last step, before clipping
	LearningRate       float64   `json:"learning_rate"`
	GlobalStep         int       `json:"global_step"`
	Epoch              float64   `json:"epoch"`
	Runtime            float64   `json:"train_runtime"` // seconds
	SamplesPerSecond   float64   `json:"train_samples_per_second"`
	StepsPerSecond     float64   `json:"train_steps_per_second"`
	TokensPerSecond    float64   `json:"real_tokens_per_second"`
	ProcessedPerSecond float64   `json:"processed_tokens_per_second"` // less what no loss needs, with CUDA graphs' padding
	RealTokens         int64     `json:"real_tokens"`
	ProcessedTokens    int64     `json:"processed_tokens"`
	PaddedTokens       int64     `json:"padded_tokens"`                    // what a trainer that pads would have computed
	TotalFLOPs         float64   `json:"total_flos"`                       // as the Trainer counts: with padding
	SecondsToTarget    *float64  `json:"seconds_to_target_loss,omitempty"` // of training to Settings.TargetLoss, where that was reached

	InitialMemory Peak       `json:"memory_initial"`
	PeakMemory    Peak       `json:"memory_peak"`
	Memory        []Category `json:"memory,omitempty"`
	Others        []Holder   `json:"other_processes,omitempty"` // nil also if unknown

	Graphs       int    `json:"cuda_graphs,omitempty"` // recorded
	GraphsBytes  int64  `json:"cuda_graphs_bytes_outside_allocator,omitempty"`
	GraphsFailed string `json:"cuda_graphs_failed,omitempty"` // why the run went on without them

	Diverged int    `json:"diverged_at_step,omitempty"` // the first step without a finite loss, before which Steps ends: no result
	Steps    []Step `json:"log_history"`
	Laps     []Lap  `json:"laps,omitempty"` // each step on a CPU; on CUDA where the clock stood still in between
	Evals    []Eval `json:"eval_history,omitempty"`
}

type Step struct {
	Step         int     `json:"step"`
	Loss         float64 `json:"loss"`
	GradNorm     float64 `json:"grad_norm"`
	LearningRate float64 `json:"learning_rate"`
	Tokens       int     `json:"tokens"`
}

// Lap is the steps between two stops of the clock.
type Lap struct {
	Step    int     `json:"step"` // its last one
	Seconds float64 `json:"seconds"`
}

type Eval struct {
	Step    int     `json:"step"`
	Loss    float64 `json:"eval_loss"`
	Seconds float64 `json:"seconds"` // of training up to there
}

// Peak is memory in bytes: of PyTorch's caching allocator on a GPU, and of the whole process.
type Peak struct {
	GPUAllocated *int64 `json:"gpu_allocated_bytes,omitempty"`
	GPUReserved  *int64 `json:"gpu_reserved_bytes,omitempty"`
	RSS          *int64 `json:"rss_bytes,omitempty"`
}

// Categories of the memory at a run's peak.
const (
	Process     = "process"       // libtorch, Go, the program itself; on a CPU only
	Weights     = "base weights"  // of the frozen model
	Adapter     = "adapter"       // A and B; for rank full the trained copy of every weight
	Gradients   = "gradients"     // of what is trained
	Optimizer   = "optimizer"     // AdamW's two moments
	Activations = "activations"   // kept from the forward pass for the backward pass
	Head        = "head and loss" // logits of a chunk, beyond what the forward pass keeps
	Workspace   = "workspace"     // a layer's temporary memory beyond that
	Slack       = "slack"         // held by the allocator, or not returned to the system, but not in use
)

// Categories lists them in the order in which they are shown.
var Categories = []string{Process, Weights, Adapter, Gradients, Optimizer, Activations, Head, Workspace, Slack}

// Category is one category's bytes as the configuration predicts and as the allocator counted them; nil is unknown.
type Category struct {
	Name      string `json:"name"`
	Predicted *int64 `json:"predicted_bytes,omitempty"`
	Measured  *int64 `json:"measured_bytes,omitempty"`
}

// Holder is another process that held memory of the same GPU during the run and may have slowed it.
type Holder struct {
	PID   int    `json:"pid"`
	Name  string `json:"name,omitempty"`
	Bytes int64  `json:"bytes,omitempty"` // 0 where the driver does not tell
}

// Window is the number of steps over which the reference run's Trainer logged the mean loss.
const Window = 10

// InBlock reports whether Block and Position are known: before schema 1 all runs of an arm came before the next arm's.
func (r *Record) InBlock() bool { return r.Schema >= 1 }

func (r *Record) FileName() string {
	return fmt.Sprintf("%s,seed=%d", strings.ReplaceAll(r.Name, "/", ","), r.Seed)
}

func (r *Record) Save(dir string) error {
	c := *r
	c.Checksum = "?" // the first of the file: it is the first field
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	b = bytes.Replace(b, []byte("?"), []byte(checksum(b, "?")), 1)
	return file.Write(filepath.Join(dir, r.FileName()+".json"), b)
}

// checksum hashes a file's bytes without the text that stands in them for the checksum.
func checksum(b []byte, written string) string {
	return fmt.Sprintf("%x", sha256.Sum256(bytes.Replace(b, []byte(written), nil, 1)))
}

// Comparable returns the record, if resumed or scattered without time, if resumed without memory: those are of several processes.
func (r *Record) Comparable() *Record {
	if r.Resumed == 0 && !r.Scattered {
		return r
	}
	c, none := *r, math.NaN()
	c.Runtime, c.SamplesPerSecond, c.StepsPerSecond, c.TokensPerSecond, c.ProcessedPerSecond = none, none, none, none, none
	if c.SecondsToTarget, c.Laps, c.Evals = nil, nil, nil; r.Resumed > 0 {
		c.InitialMemory, c.PeakMemory, c.Memory = Peak{}, Peak{}, nil
	}
	return &c
}
