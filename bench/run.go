package bench

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"lorabench/bench/record"
	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/file"
	"lorabench/internal/gpu"
	"lorabench/internal/relay"
	"lorabench/internal/torch"
	"lorabench/internal/train"
	"lorabench/lora"
)

type Run struct {
	Arm
	Seed    int64
	Resumed int // the step of the checkpoint that it continues from; 0 is none

	work    *Workload
	model   *decoder.Model
	adapter *lora.Adapter // nil where Rank is Full
	params  *train.Params
	trainer *train.Trainer
	steps   *data.Prefetcher

	started, began time.Time // of the first lap and of this one
	saved          time.Time // the last checkpoint
	loss           float64   // of the last step known; NaN is none
	others         map[int]record.Holder

	soFar
	initial, peak record.Peak
	probe         *probe
}

// Start prepares a run up to the moment before the clock starts. The resulting state does not depend on which rank ran before.
func (w *Workload) Start(arm Arm, seed int64) (*Run, error) {
	r := &Run{Arm: arm, Seed: seed, work: w, loss: math.NaN(), others: map[int]record.Holder{}}
	if err := r.prepare(); err != nil {
		r.Close()
		return nil, fmt.Errorf("%s, seed %d: %w", arm.Name, seed, err)
	}
	return r, nil
}

func (r *Run) prepare() error {
	on := r.work.device
	err := inOrder(on.EmptyCache, r.parameters, r.newTrainer, r.rewind, r.warmUp, r.rewind)
	if err != nil {
		return err
	}
	if err := inOrder(r.resume, func() error { r.params.Forget(); return on.EmptyCache() }); err != nil {
		return err
	}
	if r.initial, err = resetPeak(on); err != nil {
		return err
	}
	r.lookAround()
	if r.work.Snapshot {
		err = on.RecordMemory(true)
	}
	return errors.Join(err, on.Synchronize())
}

// inOrder runs the steps up to the first error.
func inOrder(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) parameters() (err error) {
	w := r.work
	if r.Rank == record.Full {
		r.model, r.params, err = train.Full(w.Base)
		return err
	}
	c, err := r.Config(w.Settings)
	if err != nil {
		return err
	}
	r.model = w.Base.Share()
	if w.Adapter == "" {
		r.adapter, err = lora.NewAdapter(r.model, c, r.Seed)
	} else {
		r.adapter, err = lora.Load(r.model, w.Adapter)
	}
	if r.adapter != nil {
		r.params, r.adapter.BFloat16 = r.adapter.Params, c.BFloat16 && !r.adapter.UseDoRA
	}
	return err
}

func (r *Run) newTrainer() (err error) {
	w := r.work
	o := train.DefaultOptions(train.Schedule{LR: r.LR, Steps: w.Steps})
	o.RowTokens, o.Graphs, o.GraphsRequired = w.RowTokens, w.Graphs == "on", w.GraphsRequired
	r.trainer, err = train.NewTrainer(r.model, r.params, o)
	return err
}

// warmUp goes through the run's order once: it records the graphs of all rows and takes the step with the largest row, which starts the
// thread pool and whose memory is watched. On CUDA two more steps load kernels and grow the allocator's cache.
func (r *Run) warmUp() (err error) {
	w := r.work
	if err := w.warmProducts(); err != nil {
		return err
	}
	if r.probe, err = watchMemory(w.device, r.model); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.probe.end()) }()
	var largest []data.MicroBatch
	most := 0
	for range w.Steps {
		micros := r.steps.Next()
		n, err := r.trainer.Largest(micros)
		if err == nil {
			err = r.trainer.Prepare(micros)
		}
		if err != nil {
			return err
		}
		if n > most {
			most, largest = n, micros
		}
	}
	err = inOrder(r.trainer.Record, r.rewind, func() error { return r.trainer.Step(largest) })
	if err != nil || !w.device.CUDA() {
		return err
	}
	return inOrder(r.Step, r.Step)
}

// stepsAhead is the number of steps whose batches another goroutine prepares in advance.
const stepsAhead = 4

// rewind returns to the state before the first step: parameters, moments, data order, random numbers.
func (r *Run) rewind() error {
	w := r.work
	if err := r.params.Restore(); err != nil {
		return err
	}
	r.trainer.Reset()
	r.soFar = soFar{}
	r.stopAhead()
	order := data.NewOrder(len(w.Train), r.Seed, w.Order == "sequential")
	loader, err := data.NewLoader(w.Train, order, w.Batch)
	if err == nil {
		r.steps, err = data.NewPrefetcher(loader, w.Accum, stepsAhead)
	}
	if err != nil {
		return err
	}
	return torch.Seed(r.Seed)
}

func (r *Run) stopAhead() {
	if r.steps != nil {
		r.steps.Close()
	}
	r.steps = nil
}

// lookAround records the other processes that hold GPU memory, if the driver reports them.
func (r *Run) lookAround() {
	if !r.work.device.CUDA() {
		return
	}
	found, _ := gpu.Others(int(r.work.device))
	for i, o := range found {
		r.others[cmp.Or(o.PID, -1-i)] = o // those seen from a container have no PID
	}
}

// Step takes one optimizer step and does not wait for the device.
func (r *Run) Step() error {
	micros := r.steps.Next()
	n := 0
	for i := range micros {
		n += micros[i].Tokens()
		r.Padded += int64(micros[i].Padded())
	}
	r.Tokens = append(r.Tokens, n)
	if err := r.trainer.Step(micros); err != nil || r.work.device.CUDA() {
		return err
	}
	// A CPU has finished the step by now: timing it costs nothing, and shows a machine whose speed drifts within a run.
	err := r.pause()
	r.Begin()
	return err
}

func (r *Run) Begin() {
	r.began = time.Now()
	if r.started.IsZero() {
		r.started, r.saved = r.began, r.began
	}
}

// pause waits for the device and stops the clock.
func (r *Run) pause() error {
	if err := r.work.device.Synchronize(); err != nil {
		return err
	}
	now := time.Now()
	lap := now.Sub(r.began)
	r.began = now
	r.Elapsed += lap
	if n := len(r.Laps); n > 0 && r.Laps[n-1].Step == r.trainer.Taken() {
		r.Laps[n-1].Seconds += lap.Seconds()
		return nil
	}
	r.Laps = append(r.Laps, record.Lap{Step: r.trainer.Taken(), Seconds: lap.Seconds()})
	return nil
}

// End waits for the device, stops the clock and reads the peak.
func (r *Run) End() (err error) {
	if err = r.pause(); err == nil {
		r.peak, err = readPeak(r.work.device, r.initial)
	}
	return err
}

// paused calls do between two steps, with the clock stopped.
func (r *Run) paused(do func() error) error {
	return inOrder(r.pause, do, func() error { r.Begin(); return nil })
}

func (r *Run) Wait(b *relay.Baton) error {
	return r.paused(func() error { return errors.Join(b.Pass(), b.Take()) })
}

// Evaluate computes the held-out loss between two steps.
func (r *Run) Evaluate() error {
	return r.paused(func() error {
		loss, _, err := r.work.heldOut(r.model)
		if err != nil {
			return err
		}
		r.Evals = append(r.Evals, record.Eval{Step: r.trainer.Taken(), Loss: *loss, Seconds: r.Elapsed.Seconds()})
		r.loss = r.trainer.LastLoss()
		return r.work.device.Synchronize()
	})
}

// EvalDue reports whether -eval-every asks for the held-out loss now. The last step's is computed after the run.
func (r *Run) EvalDue() bool {
	n := r.trainer.Taken()
	return r.work.EvalEvery > 0 && len(r.work.Held) > 0 && n%r.work.EvalEvery == 0 && !r.Done()
}

// Done reports whether the last step of the schedule has been taken.
func (r *Run) Done() bool { return r.trainer.Taken() >= r.work.Steps }

// Loss returns the last step's loss, on a GPU that of the last step before an evaluation, so as not to wait for it. NaN is none.
func (r *Run) Loss() float64 {
	if !r.work.device.CUDA() {
		return r.trainer.LastLoss()
	}
	return r.loss
}

// SaveSnapshot writes PyTorch's memory snapshot of the run so far beside its record and stops the recording.
func (r *Run) SaveSnapshot() error {
	b, err := r.work.device.MemorySnapshot()
	if err != nil {
		return err
	}
	if err := r.work.device.RecordMemory(false); err != nil {
		return err
	}
	return file.Write(r.fileName(".pickle"), b)
}

// Close frees the run's adapter or weights, and the trainer.
func (r *Run) Close() {
	r.stopAhead()
	if r.trainer != nil {
		r.trainer.Close()
	}
	if r.adapter != nil {
		r.adapter.Close()
	} else if r.params != nil {
		r.params.Close()
	}
	r.trainer, r.adapter, r.params = nil, nil, nil
}
