package bench

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"lorabench/data"
	"lorabench/internal/torch"
	"lorabench/lora"
	"lorabench/opt"
)

// Run is one training of one rank with one seed.
type Run struct {
	Rank string
	Seed int64

	work    *Workload
	model   *opt.Model
	adapter *lora.Adapter // nil where Rank is Full
	params  *lora.Params
	trainer *lora.Trainer
	ahead   *data.Ahead

	tokens  []int // real tokens of each step taken
	padded  int64 // tokens a padding trainer would have computed
	began   time.Time
	elapsed time.Duration
	peak    Peak
	initial Peak
}

// Start prepares a run up to the moment before the clock starts. The state it ends in does not
// depend on which rank ran before.
func (w *Workload) Start(rank string, seed int64) (*Run, error) {
	r := &Run{Rank: rank, Seed: seed, work: w}
	if err := r.prepare(); err != nil {
		r.Close()
		return nil, fmt.Errorf("rank %s, seed %d: %w", rank, seed, err)
	}
	return r, nil
}

func (r *Run) prepare() error {
	w := r.work
	if err := w.device.EmptyCache(); err != nil {
		return err
	}
	if err := r.parameters(); err != nil {
		return err
	}
	var err error
	o := lora.DefaultOptions(lora.Schedule{LR: w.LR, Steps: w.Steps})
	if o.RowTokens = w.RowTokens; w.Graphs == "on" {
		o.Graphs = w.MaxLength
	}
	if r.trainer, err = lora.NewTrainer(r.model, r.params, o); err != nil {
		return err
	}
	if err := r.rewind(); err != nil {
		return err
	}
	if err := r.capture(); err != nil {
		return err
	}
	for range warmup(w.device) {
		if err := r.Step(); err != nil {
			return err
		}
	}
	if err := r.rewind(); err != nil {
		return err
	}
	r.params.Forget()
	if err := w.device.EmptyCache(); err != nil {
		return err
	}
	if r.initial, err = resetPeak(w.device); err != nil {
		return err
	}
	return w.device.Synchronize()
}

// capture records the graphs of all the rows that the run will have, which its order gives away.
func (r *Run) capture() error {
	w := r.work
	if w.Graphs != "on" {
		return nil
	}
	loader, err := data.NewLoader(w.Train, data.NewOrder(len(w.Train), r.Seed, w.Order == "sequential"), w.Batch)
	if err != nil {
		return err
	}
	for range w.Steps {
		micros := make([]data.Micro, w.Accum)
		for i := range micros {
			micros[i] = loader.Next()
		}
		if err := r.trainer.Prepare(micros); err != nil {
			return fmt.Errorf("preparing CUDA graphs: %w", err)
		}
	}
	return r.rewind()
}

// warmup is the steps before the clock: on CUDA the first ones load kernels and grow the
// allocator's cache; on a CPU the first one starts the thread pool.
func warmup(d torch.Device) int {
	if d.CUDA() {
		return 3
	}
	return 1
}

func (r *Run) parameters() (err error) {
	w := r.work
	if r.Rank == Full {
		r.model, r.params, err = lora.Full(w.Base)
		return err
	}
	rank, err := strconv.Atoi(r.Rank)
	if err != nil {
		return err
	}
	r.model = w.Base.Share()
	if w.Adapter == "" {
		r.adapter, err = lora.NewAdapter(r.model, lora.Config{R: rank, LoraAlpha: w.Alpha, LoraDropout: w.Dropout, TargetModules: w.Targets}, r.Seed)
	} else if r.adapter, err = lora.Load(r.model, w.Adapter); err == nil && r.adapter.R != rank {
		err = fmt.Errorf("-adapter %s has r %d: run it with -ranks=%d", shown(w.Adapter), r.adapter.R, r.adapter.R)
	}
	if r.adapter != nil {
		r.params = r.adapter.Params
	}
	return err
}

// rewind goes back to before the first step: parameters, moments, data order, random numbers.
func (r *Run) rewind() error {
	w := r.work
	if err := r.params.Restore(); err != nil {
		return err
	}
	r.trainer.Reset()
	r.tokens, r.padded = r.tokens[:0], 0
	if r.ahead != nil {
		r.ahead.Close()
		r.ahead = nil
	}
	order := data.NewOrder(len(w.Train), r.Seed, w.Order == "sequential")
	loader, err := data.NewLoader(w.Train, order, w.Batch)
	if err == nil {
		r.ahead, err = data.NewAhead(loader, w.Accum, stepsAhead)
	}
	if err != nil {
		return err
	}
	return torch.Seed(r.Seed)
}

// stepsAhead is how many steps' batches another goroutine prepares before they are asked for.
const stepsAhead = 4

// Begin starts the clock.
func (r *Run) Begin() { r.began = time.Now() }

// Step takes one optimizer step and does not wait for the device.
func (r *Run) Step() error {
	micros := r.ahead.Next()
	n := 0
	for i := range micros {
		n += micros[i].Tokens()
		r.padded += int64(micros[i].Padded())
	}
	r.tokens = append(r.tokens, n)
	return r.trainer.Step(micros)
}

// End waits for the device, stops the clock and reads the peak.
func (r *Run) End() (err error) {
	if err = r.work.device.Synchronize(); err != nil {
		return err
	}
	r.elapsed = time.Since(r.began)
	r.peak, err = readPeak(r.work.device, r.initial)
	return err
}

// Record reads the losses and computes the held-out loss, after End. A loss that is no number is
// an error, not a result.
func (r *Run) Record() (*Record, error) {
	log, err := r.trainer.Log()
	if err != nil {
		return nil, err
	}
	for i, s := range log {
		if math.IsNaN(s.Loss) || math.IsInf(s.Loss, 0) || math.IsNaN(s.GradNorm) || math.IsInf(s.GradNorm, 0) {
			return nil, fmt.Errorf("rank %s, seed %d: step %d has loss %v and gradient norm %v: the training diverged; lower -lr or -alpha", r.Rank, r.Seed, i+1, s.Loss, s.GradNorm)
		}
	}
	rec := r.record(log)
	if len(r.work.Held) > 0 {
		loss, err := lora.Evaluate(r.model, r.work.Held, r.work.Batch)
		if err != nil {
			return nil, err
		}
		rec.EvalLoss = &loss
	}
	return rec, nil
}

// Close frees the run's adapter or weights, and the trainer.
func (r *Run) Close() {
	if r.ahead != nil {
		r.ahead.Close()
		r.ahead = nil
	}
	if r.trainer != nil {
		r.trainer.Close()
	}
	switch {
	case r.adapter != nil:
		r.adapter.Close()
	case r.params != nil:
		r.params.Close()
	}
	r.trainer, r.adapter, r.params = nil, nil, nil
}
