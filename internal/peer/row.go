package main

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"lorabench/bench/record"
	"lorabench/bench/stats"
)

// row is one rank against one peer: an object of peer.json. Ratios are lorabench's figure over the
// peer's.
type row struct {
	Rank  int    `json:"rank"`
	Peer  string `json:"peer"`
	GPU   string `json:"gpu,omitempty"`
	On    string `json:"device"`
	DType string `json:"dtype"` // of lorabench's frozen weights
	TF32  bool   `json:"tf32"`

	SpeedRatio     float64     `json:"samples_per_second_ratio"`
	SpeedInterval  *[2]float64 `json:"samples_per_second_ratio_interval,omitempty"` // 95 %, over steps; see interval
	MemoryRatio    float64     `json:"peak_memory_ratio"`
	LossDifference float64     `json:"max_step_loss_difference"`
	NormDifference float64     `json:"max_grad_norm_relative_difference"`

	Samples     float64 `json:"samples_per_second"`
	PeerSamples float64 `json:"peer_samples_per_second"`
	Tokens      float64 `json:"real_tokens_per_second"`
	PeerTokens  float64 `json:"peer_real_tokens_per_second"`
	Memory      int64   `json:"peak_memory_bytes"`
	PeerMemory  int64   `json:"peer_peak_memory_bytes"`
	MemoryKind  string  `json:"memory_kind"` // gpu_allocated, rss or process_rss
	RealTokens  int64   `json:"real_tokens"`
	Padded      int64   `json:"padded_tokens"` // in the same micro-batches
	PeerPadded  int64   `json:"peer_padded_tokens"`

	Loss     []float64 `json:"step_loss"`
	PeerLoss []float64 `json:"peer_step_loss"`

	// Seconds per step where speed was measured: lorabench's for each step on a CPU and where programs took turns on CUDA; where it ran alone there,
	// for what lies between two checkpoints, if any: it waits for the device nowhere else.
	StepSeconds     []float64 `json:"step_seconds,omitempty"`
	PeerStepSeconds []float64 `json:"peer_step_seconds"`

	Steps     int     `json:"steps"`
	LossSteps int     `json:"loss_steps"`
	Warmup    int     `json:"warmup_steps"`
	Turns     string  `json:"turns"` // step, round or run: how the programs took turns where speed was measured
	Recipe    string  `json:"recipe"`
	MaxLength int     `json:"max_length"`
	Batch     int     `json:"per_device_train_batch_size"`
	Accum     int     `json:"gradient_accumulation_steps"`
	LR        float64 `json:"learning_rate"`
	Alpha     float64 `json:"lora_alpha"`
	Dropout   float64 `json:"lora_dropout"`
	Seed      int64   `json:"seed"`
	Trainable int64   `json:"trainable_parameters"`

	PeerDType     string `json:"peer_dtype"`
	PeerTF32      bool   `json:"peer_tf32"`
	PeerOptim     string `json:"peer_optim"`
	PeerGrouped   bool   `json:"peer_group_by_length"`
	PeerAttention string `json:"peer_attention"`

	Model    string            `json:"model"`
	Data     string            `json:"data"`
	Machine  record.Machine    `json:"machine"`
	Versions map[string]string `json:"versions"` // of the peer
	Command  string            `json:"command"`
}

// same returns an error if the two runs were not the same training: then their figures do not compare.
func (c *comparison) same(p phase, ours, theirs measured) error {
	rec, res, all := ours.record, theirs.result, int64(0)
	for _, n := range p.tokens {
		all += n
	}
	switch {
	case rec.RealTokens != all || res.RealTokens != all:
		return fmt.Errorf("%d and %d real tokens, where the sequences have %d", rec.RealTokens, res.RealTokens, all)
	case rec.Trainable != res.Trainable:
		return fmt.Errorf("%d and %d trainable parameters", rec.Trainable, res.Trainable)
	case !c.cuda() && rec.Machine.Threads != res.Threads:
		return fmt.Errorf("%d and %d threads: give -threads", rec.Machine.Threads, res.Threads)
	case rec.Settings.Batch != c.recipe.Batch || rec.Settings.Accum != c.recipe.Accum || rec.Settings.MaxLength != c.recipe.MaxLength:
		return fmt.Errorf("lorabench trained %d x %d records of at most %d tokens, the peer %d x %d of at most %d", rec.Settings.Batch,
			rec.Settings.Accum, rec.Settings.MaxLength, c.recipe.Batch, c.recipe.Accum, c.recipe.MaxLength)
	}
	if !p.still {
		return nil
	}
	if rec.PaddedTokens != res.PaddedTokens {
		return fmt.Errorf("%d and %d tokens with padding: other micro-batches", rec.PaddedTokens, res.PaddedTokens)
	}
	for i, s := range rec.Steps {
		if r := res.Steps[i].LearningRate; math.Abs(s.LearningRate-r) > 1e-9*math.Abs(r) {
			return fmt.Errorf("step %d has learning rates %v and %v", i+1, s.LearningRate, r)
		}
		if res.Steps[i].GradNorm == nil {
			return fmt.Errorf("step %d of the peer has no grad_norm", i+1)
		}
	}
	return nil
}

func (r *row) compareLosses(ours, theirs measured) {
	for i, s := range ours.record.Steps {
		t := theirs.result.Steps[i]
		r.Loss, r.PeerLoss = append(r.Loss, s.Loss), append(r.PeerLoss, t.Loss)
		r.LossDifference = max(r.LossDifference, math.Abs(s.Loss-t.Loss))
		r.NormDifference = max(r.NormDifference, math.Abs(s.GradNorm-*t.GradNorm)/max(*t.GradNorm, math.SmallestNonzeroFloat32))
	}
	r.LossSteps = len(r.Loss)
}

// describe fills in what was run, which each phase knows.
func (r *row) describe(c *comparison, x pair, ours, theirs measured) error {
	rec, s, k := ours.record, c.recipe, x.theirs.kind
	rank, err := parseRanks(rec.Rank)
	if err != nil {
		return fmt.Errorf("lorabench's record: rank %q", rec.Rank)
	}
	r.Rank, r.Peer, r.On, r.DType, r.TF32, r.GPU = rank[0], k.name, rec.Machine.Device, rec.Settings.DType, x.ours.tf32, rec.Machine.GPU
	r.Recipe, r.MaxLength, r.Batch, r.Accum, r.LR, r.Seed = s.Recipe, s.MaxLength, s.Batch, s.Accum, s.LR, s.Seed
	r.Alpha, r.Dropout, r.Trainable = rec.Settings.Alpha, rec.Settings.Dropout, rec.Trainable
	r.PeerDType, r.PeerTF32 = x.theirs.torch, x.theirs.tf32
	r.PeerOptim, r.PeerGrouped, r.PeerAttention = k.optim, k.grouped, theirs.result.Attention
	r.Model, r.Data, r.Machine, r.Versions = rec.Model.Name, rec.Data.Name, rec.Machine, c.versions
	r.Command = c.command()
	return nil
}

func (r *row) compareSpeed(c *comparison, ours, theirs measured) (err error) {
	rec, res, s := ours.record, theirs.result, c.recipe
	samples := float64(len(res.Steps) * s.Batch * s.Accum)
	r.Samples, r.PeerSamples = rec.SamplesPerSecond, samples/res.Seconds
	r.Tokens, r.PeerTokens = rec.TokensPerSecond, float64(res.RealTokens)/res.Seconds
	if r.Memory, r.PeerMemory, r.MemoryKind, err = memory(c.cuda(), ours, theirs); err != nil {
		return err
	}
	r.SpeedRatio, r.MemoryRatio = r.Samples/r.PeerSamples, float64(r.Memory)/float64(r.PeerMemory)
	before := 0
	for _, l := range rec.Laps {
		r.StepSeconds = append(r.StepSeconds, l.Seconds/float64(max(1, l.Step-before)))
		before = l.Step
	}
	for _, s := range res.Steps {
		r.PeerStepSeconds = append(r.PeerStepSeconds, s.Seconds)
	}
	r.SpeedInterval = interval(r.SpeedRatio, rec.Laps, c.speed.tokens, res.Steps)
	r.RealTokens, r.Padded, r.PeerPadded = rec.RealTokens, rec.PaddedTokens, res.PaddedTokens
	r.Steps, r.Warmup, r.Turns = len(rec.Steps), c.speed.warmup, c.turns
	return nil
}

// interval returns the interval of ratio, of lorabench's speed over a peer's, with 95 % confidence over steps: nil where not every step was timed, or
// only one. Steps differ in length, and the tuned peer's have other sequences, so what a program took is compared with its own tokens: the error
// of a ratio of sums, linearized (W. G. Cochran, Sampling Techniques, 1977, section 6.4). tokens has the real ones of each of lorabench's steps.
func interval(ratio float64, laps []record.Lap, tokens []int64, theirs []peerStep) *[2]float64 {
	if len(laps) < 2 || len(laps) != len(theirs) { // alone on a card lorabench is timed where it saves
		return nil
	}
	our := residuals(len(laps), func(i int) (float64, int64) { return laps[i].Seconds, tokens[i] })
	apart := residuals(len(laps), func(i int) (float64, int64) { return theirs[i].Seconds, theirs[i].RealTokens })
	for i, r := range our {
		apart[i] -= r
	}
	low, high := stats.Paired(apart).Interval(0.05)
	return &[2]float64{ratio * math.Exp(low), ratio * math.Exp(high)}
}

// residuals returns by which fraction of a mean step each took longer than its tokens let expect.
func residuals(steps int, of func(int) (seconds float64, tokens int64)) []float64 {
	all, tokens, left := 0.0, int64(0), make([]float64, steps)
	for i := range steps {
		s, n := of(i)
		all, tokens = all+s, tokens+n
	}
	for i := range steps {
		s, n := of(i)
		left[i] = float64(steps) * (s/all - float64(n)/float64(tokens))
	}
	return left
}

// command returns the command that was given.
func (c *comparison) command() string {
	return strings.Join(append([]string{"go run ./internal/peer"}, quoted(c.args)...), " ")
}

// memory picks the figure that both programs have: the allocator's peak, the resident peak since
// the clock started, or, where the kernel does not reset that one, the whole process's.
func memory(cuda bool, ours, theirs measured) (a, b int64, kind string, err error) {
	p, q := ours.record.PeakMemory, theirs.result.Peak
	switch {
	case cuda && p.GPUAllocated != nil && q.GPUAllocated != nil:
		a, b, kind = *p.GPUAllocated, *q.GPUAllocated, "gpu_allocated"
	case cuda:
		return 0, 0, "", fmt.Errorf("a peak of the CUDA allocator is missing")
	case p.RSS != nil && q.RSS != nil:
		a, b, kind = *p.RSS, *q.RSS, "rss"
	default:
		a, b, kind = ours.maxRSS, theirs.maxRSS, "process_rss"
	}
	if a <= 0 || b <= 0 {
		return 0, 0, "", fmt.Errorf("peak memory (%s) is %d and %d bytes, want more than 0", kind, a, b)
	}
	return a, b, kind, nil
}

// quoted quotes arguments for a shell. It keeps only the last two parts of an absolute path: where a checkout or a model lay says nothing
// about a result.
func quoted(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		name, value, ok := strings.Cut(a, "=")
		if !ok {
			name, value = "", a
		}
		if filepath.IsAbs(value) {
			value = filepath.Join(filepath.Base(filepath.Dir(value)), filepath.Base(value))
		}
		if a = value; ok {
			a = name + "=" + value
		}
		if strings.ContainsAny(a, " \t\n'\"$`\\*?;&|<>()") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		out[i] = a
	}
	return out
}

func marshal(rows []row) ([]byte, error) {
	b, err := json.MarshalIndent(rows, "", " ")
	if err != nil {
		return nil, fmt.Errorf("peer.json: %w", err)
	}
	return append(b, '\n'), nil
}
