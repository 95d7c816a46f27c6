package bench

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"lorabench/bench/record"
	"lorabench/data"
	"lorabench/internal/file"
	"lorabench/internal/gpu"
	"lorabench/internal/torch"
	"lorabench/lora"
	"lorabench/opt"
)

// Run is one training of one arm with one seed.
type Run struct {
	Arm
	Seed int64

	work    *Workload
	model   *opt.Model
	adapter *lora.Adapter // nil where Rank is Full
	params  *lora.Params
	trainer *lora.Trainer
	ahead   *data.Ahead

	started time.Time
	loss    float64 // of the last step known; NaN is none
	others  map[int]record.Holder

	tokens  []int // real tokens of each step taken
	padded  int64 // tokens a padding trainer would have computed
	began   time.Time
	elapsed time.Duration
	laps    []record.Lap
	peak    record.Peak
	initial record.Peak
	probe   *probe
	evals   []record.Eval
}

// Start prepares a run up to the moment before the clock starts. The state it ends in does not
// depend on which rank ran before.
func (w *Workload) Start(arm Arm, seed int64) (*Run, error) {
	r := &Run{Arm: arm, Seed: seed, work: w, loss: math.NaN()}
	if err := r.prepare(); err != nil {
		r.Close()
		return nil, fmt.Errorf("%s, seed %d: %w", arm.Name, seed, err)
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
	o := lora.DefaultOptions(lora.Schedule{LR: r.LR, Steps: w.Steps})
	o.RowTokens, o.Graphs, o.GraphsRequired = w.RowTokens, w.Graphs == "on", w.GraphsRequired
	if r.trainer, err = lora.NewTrainer(r.model, r.params, o); err != nil {
		return err
	}
	if err := r.rewind(); err != nil {
		return err
	}
	if err := r.warmUp(); err != nil {
		return err
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
	r.lookAround()
	if w.Snapshot {
		if err := w.device.RecordMemory(true); err != nil {
			return err
		}
	}
	return w.device.Synchronize()
}

// warmUp is what comes before the clock: the graphs of all the rows that the run will have, which its
// order gives away, and the step with the largest row, which starts the thread pool and is watched for
// its memory. On CUDA two steps more load kernels and grow the allocator's cache.
func (r *Run) warmUp() (err error) {
	w := r.work
	if err := w.warmProducts(); err != nil {
		return err
	}
	if r.probe, err = watchMemory(w.device, r.model); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.probe.end()) }()
	loader, err := data.NewLoader(w.Train, data.NewOrder(len(w.Train), r.Seed, w.Order == "sequential"), w.Batch)
	if err != nil {
		return err
	}
	var largest []data.Micro
	most := 0
	for range w.Steps {
		micros := make([]data.Micro, w.Accum)
		for i := range micros {
			micros[i] = loader.Next()
		}
		n, err := r.trainer.Largest(micros)
		if err != nil {
			return err
		}
		if n > most {
			most, largest = n, micros
		}
		if err := r.trainer.Prepare(micros); err != nil {
			return err
		}
	}
	if err := r.trainer.Record(); err != nil {
		return err
	}
	if err := r.rewind(); err != nil {
		return err
	}
	if err := r.trainer.Step(largest); err != nil {
		return err
	}
	for range 2 {
		if !w.device.CUDA() {
			break
		}
		if err := r.Step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) parameters() (err error) {
	w := r.work
	if r.Rank == record.Full {
		r.model, r.params, err = lora.Full(w.Base)
		return err
	}
	c, err := r.Config(w.Settings)
	if err != nil {
		return err
	}
	r.model = w.Base.Share()
	if w.Adapter == "" {
		r.adapter, err = lora.NewAdapter(r.model, c, r.Seed)
	} else if r.adapter, err = lora.Load(r.model, w.Adapter); err == nil && r.adapter.R != c.R {
		err = fmt.Errorf("-adapter %s has r %d: run it with -ranks=%d", shown(w.Adapter), r.adapter.R, r.adapter.R)
	}
	if r.adapter != nil {
		r.params, r.adapter.BFloat16 = r.adapter.Params, c.BFloat16 && !r.adapter.UseDoRA
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
	r.tokens, r.padded, r.elapsed, r.laps, r.evals = r.tokens[:0], 0, 0, nil, nil
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

// Loss is the last step's as far as it is known without making a GPU wait: there it is of the last step
// after which the clock stood still. NaN is none.
func (r *Run) Loss() float64 {
	if !r.work.device.CUDA() {
		return r.trainer.LastLoss()
	}
	return r.loss
}

// lookAround notes who else holds memory of the GPU. Where nobody can tell, there is nothing to note.
func (r *Run) lookAround() {
	if !r.work.device.CUDA() {
		return
	}
	found, err := gpu.Others(int(r.work.device))
	if err != nil {
		return
	}
	if r.others == nil {
		r.others = map[int]record.Holder{}
	}
	for _, o := range found {
		r.others[o.PID] = o
	}
}

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

// Record reads the losses and computes those on text that was not trained on, after End. Where a loss is no number the training
// diverged: an error, or among several rates a record without a result.
func (r *Run) Record() (*record.Record, error) {
	log, err := r.trainer.Log()
	if err != nil {
		return nil, err
	}
	r.lookAround()
	finite := len(log)
	if i := slices.IndexFunc(log, func(s lora.Step) bool { return !r.finite(s.Loss, s.GradNorm) }); i >= 0 {
		finite = i
	}
	rec := r.record(log[:finite])
	if finite < len(log) {
		rec.Diverged = finite + 1
	} else if err := r.evaluate(rec); err != nil {
		return nil, err
	}
	if rec.Diverged > 0 && len(r.work.LRs) < 2 {
		return nil, fmt.Errorf("%s, seed %d: step %d has no finite loss: the training diverged; lower -lr or -alpha",
			r.Name, r.Seed, rec.Diverged)
	}
	rec.AdapterBytes, err = r.diskBytes()
	return rec, err
}

// evaluate completes the record with what follows from losses on text that was not trained on. Weights that make none diverged in
// the last step.
func (r *Run) evaluate(rec *record.Record) error {
	held, halves, other, err := r.work.evaluate(r.model)
	if err != nil {
		return err
	}
	if held != nil {
		r.evals = append(r.evals, record.Eval{Step: r.trainer.Taken(), Loss: *held, Seconds: rec.Runtime})
	}
	for _, e := range r.evals {
		if !r.finite(e.Loss) {
			rec.Diverged = e.Step
			return nil
		}
	}
	if other != nil && !r.finite(*other) {
		rec.Diverged = r.trainer.Taken()
		return nil
	}
	rec.EvalLoss, rec.EvalHalves, rec.ForgetLoss = held, halves, other
	if r.work.EvalEvery > 0 {
		rec.Evals = r.evals
	}
	if target := r.work.TargetLoss; target > 0 {
		rec.SecondsToTarget = secondsTo(target, *r.work.DataInfo.EvalLossBase, r.evals)
	}
	return nil
}

// finite reports whether all values are numbers. A stand-in device computes none.
func (r *Run) finite(vs ...float64) bool {
	return r.work.StandIn() || !slices.ContainsFunc(vs, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// SaveSnapshot writes PyTorch's memory snapshot of the run so far into dir, for pytorch.org/memory_viz,
// and stops the recording.
func (r *Run) SaveSnapshot(dir string) error {
	b, err := r.work.device.MemorySnapshot()
	if err != nil {
		return err
	}
	if err := r.work.device.RecordMemory(false); err != nil {
		return err
	}
	return file.Write(filepath.Join(dir, (&record.Record{Name: r.Name, Seed: r.Seed}).FileName()+".pickle"), b)
}

// diskBytes is what the result takes on disk: PEFT's files, or for full training every weight in float32.
func (r *Run) diskBytes() (int64, error) {
	if r.adapter == nil {
		return 4 * r.params.N(), nil
	}
	dir, err := os.MkdirTemp("", "lorabench")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	return r.adapter.Save(dir, r.work.ModelInfo.Name)
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
