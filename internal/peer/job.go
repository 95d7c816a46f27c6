package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"

	"lorabench/bench/record"
	"lorabench/internal/file"
)

// adaptersJob asks peer.py for the adapters that both programs start from.
type adaptersJob struct {
	Model   string       `json:"model"` // config.json
	Seed    int64        `json:"seed"`
	Alpha   float64      `json:"lora_alpha"`
	Targets []string     `json:"target_modules"`
	Make    []newAdapter `json:"adapters"`
	Result  string       `json:"result"`
}

// newAdapter is one PEFT folder. Two of the same rank have the same A and B.
type newAdapter struct {
	Rank    int     `json:"rank"`
	Dropout float64 `json:"lora_dropout"`
	Folder  string  `json:"folder"`
}

// trainJob asks peer.py for one training.
type trainJob struct {
	Model        string   `json:"model"`         // config.json
	HashSeed     uint64   `json:"hash_seed"`     // of the weights
	ModelDropout *float64 `json:"model_dropout"` // nil is config.json's
	DType        string   `json:"dtype"`         // torch's name
	TF32         bool     `json:"tf32"`
	Adapter      string   `json:"adapter"` // PEFT folder; its lora_dropout holds
	Samples      string   `json:"samples"` // file of ids and labels
	Device       string   `json:"device"`  // cpu or cuda
	Threads      int      `json:"threads"` // 0 is torch's own number
	Warmup       int      `json:"warmup_steps"`
	Steps        int      `json:"steps"` // after the warm-up
	Batch        int      `json:"per_device_train_batch_size"`
	Accum        int      `json:"gradient_accumulation_steps"`
	LR           float64  `json:"learning_rate"`
	Optim        string   `json:"optim"`
	Grouped      bool     `json:"group_by_length"`
	LoggingSteps int      `json:"logging_steps"`
	Seed         int64    `json:"seed"`
	Relay        string   `json:"relay"`   // descriptors to take turns over, as relay.Open's; empty is alone
	Scratch      string   `json:"scratch"` // folder for the Trainer's own files
	Result       string   `json:"result"`
}

// result is what peer.py reports of one training, without the warm-up.
type result struct {
	Steps        []peerStep  `json:"steps"`
	Seconds      float64     `json:"seconds"`
	RealTokens   int64       `json:"real_tokens"`
	PaddedTokens int64       `json:"padded_tokens"`
	Initial      record.Peak `json:"memory_initial"` // of a GPU, before the first step that counts
	Peak         record.Peak `json:"memory_peak"`
	Threads      int         `json:"threads"`
	Trainable    int64       `json:"trainable_parameters"`
	Attention    string      `json:"attention"` // transformers' name of the implementation
	GPU          string      `json:"gpu"`
}

type peerStep struct {
	Loss         float64  `json:"loss"`
	LearningRate float64  `json:"learning_rate"`
	Seconds      float64  `json:"seconds"`
	RealTokens   int64    `json:"real_tokens"`
	GradNorm     *float64 `json:"grad_norm"` // where it was logged
}

func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return file.Write(path, b)
}

func readResult(path string, steps int) (*result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the peer left no result: %w", err)
	}
	r, err := parseResult(b, steps)
	if err != nil {
		return nil, fmt.Errorf("the peer's result %s: %w", path, err)
	}
	return r, nil
}

func parseResult(b []byte, steps int) (*result, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var r result
	if err := d.Decode(&r); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the JSON object")
	}
	of := int64(0)
	for _, s := range r.Steps {
		of += s.RealTokens
	}
	switch {
	case len(r.Steps) != steps:
		return nil, fmt.Errorf("steps has %d entries, want %d", len(r.Steps), steps)
	case !(r.Seconds > 0) || math.IsInf(r.Seconds, 0):
		return nil, fmt.Errorf("seconds is %v, want more than 0", r.Seconds)
	case r.RealTokens < 1 || r.PaddedTokens < r.RealTokens:
		return nil, fmt.Errorf("real_tokens is %d and padded_tokens %d: want at least 1, and no fewer padded than real", r.RealTokens, r.PaddedTokens)
	case len(r.Steps) > 0 && of != r.RealTokens:
		return nil, fmt.Errorf("steps have %d real_tokens of %d", of, r.RealTokens)
	case r.Trainable < 1:
		return nil, fmt.Errorf("trainable_parameters is %d, want at least 1", r.Trainable)
	}
	return &r, nil
}

// readRecord reads lorabench's record of its one run.
func readRecord(path string, steps int) (*record.Record, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("lorabench left no record: %w", err)
	}
	r, err := parseRecord(b, steps)
	if err != nil {
		return nil, fmt.Errorf("lorabench's record %s: %w", path, err)
	}
	return r, nil
}

func parseRecord(b []byte, steps int) (*record.Record, error) {
	var r record.Record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, err
	}
	switch {
	case r.GlobalStep != steps || len(r.Steps) != steps:
		return nil, fmt.Errorf("global_step is %d and log_history has %d entries, want %d", r.GlobalStep, len(r.Steps), steps)
	case !(r.SamplesPerSecond > 0) || math.IsInf(r.SamplesPerSecond, 0):
		return nil, fmt.Errorf("train_samples_per_second is %v, want more than 0", r.SamplesPerSecond)
	case r.RealTokens < 1:
		return nil, fmt.Errorf("real_tokens is %d, want at least 1", r.RealTokens)
	}
	return &r, nil
}
