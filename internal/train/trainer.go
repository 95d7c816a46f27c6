package train

import (
	"fmt"
	"math"

	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

// Trainer trains Params, which the model's forward pass uses.
type Trainer struct {
	Options
	model  *decoder.Model
	params *Params

	scope *torch.Scope
	rate  *torch.Tensor // [steps+1] on the device: each step's learning rate, and that of any later one
	graph *graphs       // nil is none
	// log is [steps, 2] on the device: a step's loss and gradient norm. Reading them as they come
	// would make every step wait for the device.
	log       *torch.Tensor
	rates     []float64
	processed int64
}

// Step is one optimizer step's entry in the log.
type Step struct {
	Loss         float64 // mean over the micro-batches of each one's mean over its labels
	GradNorm     float64 // before clipping
	LearningRate float64
}

// NewTrainer prepares a training of at least 1 step.
func NewTrainer(m *decoder.Model, p *Params, o Options) (*Trainer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := m.CheckTraining(); err != nil {
		return nil, err
	}
	t := &Trainer{Options: o, model: m, params: p, scope: torch.NewScope()}
	err := torch.Run(func(*torch.Scope) error {
		on := p.value.Device()
		rates := make([]float32, o.Steps+1)
		for i := range rates {
			rates[i] = float32(o.At(i))
		}
		t.rate = t.scope.Layer(func(s *torch.Scope) *torch.Tensor {
			return s.To(s.FromFloats(rates, int64(len(rates))), torch.Float32, on)
		})
		t.log = t.scope.Zeros(torch.Float32, on, int64(o.Steps), 2)
		return nil
	})
	if err == nil && o.Graphs {
		t.graph, err = newGraphs(m)
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Close frees what the trainer holds; the parameters stay.
func (t *Trainer) Close() {
	if t.graph != nil {
		t.graph.close()
		t.graph = nil
	}
	_ = torch.Run(func(*torch.Scope) error { t.scope.Free(); return nil })
}

// Reset forgets the steps taken, and together with Params.Restore returns to the state before the first.
func (t *Trainer) Reset() { t.rates, t.processed = t.rates[:0], 0 }

// Processed returns the tokens that the steps taken have computed: the real ones without those that no
// loss depends on, and the padding of graphs' rows.
func (t *Trainer) Processed() int64 { return t.processed }

// Largest returns the number of tokens in the largest row of a step over these micro-batches.
func (t *Trainer) Largest(micros []data.MicroBatch) (int, error) {
	n := 0
	all, err := pack(micros, t.RowTokens)
	for _, r := range all {
		n = max(n, r.Tokens())
	}
	return n, err
}

// Taken returns the number of steps taken.
func (t *Trainer) Taken() int { return len(t.rates) }

// Step takes one optimizer step over its micro-batches: the gradient of the mean of their losses,
// its norm, clipping, AdamW. It does not wait for the device. On an error nothing is updated.
func (t *Trainer) Step(micros []data.MicroBatch) error {
	if len(micros) == 0 {
		return fmt.Errorf("step %d has no micro-batch", len(t.rates)+1)
	}
	all, err := pack(micros, t.RowTokens)
	if err == nil {
		err = t.checkInput(all)
	}
	if err != nil {
		return fmt.Errorf("step %d: %w", len(t.rates)+1, err)
	}
	processed, err := t.gradient(all)
	if t.mayGoOn(err) {
		t.graph.fail(err)
		processed, err = t.gradient(all)
	}
	if err == nil {
		err = torch.Run(func(s *torch.Scope) error { t.update(s, len(t.rates)); return nil })
	}
	if err != nil {
		return fmt.Errorf("step %d: %w", len(t.rates)+1, err)
	}
	t.rates = append(t.rates, t.At(len(t.rates)))
	t.processed += processed
	return nil
}

// checkInput refuses rows that the model cannot compute, before anything is computed: what fails later is
// not the input's fault.
func (t *Trainer) checkInput(rows []packed) error {
	return torch.Run(func(*torch.Scope) error {
		for i := range rows {
			t.model.CheckInput(&rows[i].MicroBatch)
		}
		return nil
	})
}

// mayGoOn reports whether work that failed with err may be repeated without graphs.
func (t *Trainer) mayGoOn(err error) bool {
	return err != nil && t.graph != nil && t.graph.failed == nil && !t.GraphsRequired
}

// gradient sets the gradient and the loss to those of the rows and returns the number of tokens computed.
func (t *Trainer) gradient(rows []packed) (processed int64, err error) {
	err = torch.Run(func(s *torch.Scope) error {
		torch.ZeroIn(t.params.sums)
		for _, r := range rows {
			n := r.Tokens()
			if t.graph != nil {
				if n, err = t.graph.gradient(s, &r.MicroBatch, r.weights, t.params.loss); err != nil {
					return err
				}
			} else {
				t.model.Gradient(s, &r.MicroBatch, r.weights, t.params.loss)
			}
			processed += int64(n)
			t.rate.Device().Trim()
		}
		return nil
	})
	return processed, err
}

// update clips the gradient and takes AdamW's step at the rate of step i = 0, 1, ...
func (t *Trainer) update(s *torch.Scope, i int) {
	p := t.params
	norm := p.norm(s)
	if t.ClipNorm > 0 {
		// torch.nn.utils.clip_grad_norm_, its 1e-6 included.
		scale := s.Reciprocal(s.AddScalar(norm, 1e-6))
		if t.ClipNorm != 1 {
			scale = s.Scale(scale, t.ClipNorm)
		}
		torch.MulIn(p.grad, s.ClampMax(scale, 1))
	}
	torch.AddScalarIn(p.step, 1)
	rate := s.Narrow(t.rate, 0, int64(min(i, t.Steps)), 1)
	torch.AdamW(p.value, p.grad, p.m, p.v, p.step, rate, t.Beta1, t.Beta2, t.Eps, t.WeightDecay)
	if i < t.Steps {
		row := s.Narrow(t.log, 0, int64(i), 1)
		torch.Copy(s.Narrow(row, 1, 0, 1), p.loss)
		torch.Copy(s.Narrow(row, 1, 1, 1), norm)
	}
}

// Prepare runs each row size of a step over these micro-batches that has not run before, so that Record can
// record it. It leaves gradients behind: call Params.Restore before training.
func (t *Trainer) Prepare(micros []data.MicroBatch) error {
	if t.graph == nil || t.graph.failed != nil {
		return nil
	}
	all, err := pack(micros, t.RowTokens)
	if err == nil {
		err = t.checkInput(all)
	}
	if err != nil {
		return err
	}
	return t.preparing(torch.Run(func(s *torch.Scope) error {
		for _, r := range all {
			t.graph.warm(s, &r.MicroBatch, r.weights, t.params.loss)
		}
		return nil
	}))
}

// Record records a graph of each size that Prepare ran, so that no capture happens while timing. All sizes run before the first is
// recorded: one that ran afterwards would use memory besides the pool's, more than training uses.
func (t *Trainer) Record() error {
	if t.graph == nil || t.graph.failed != nil {
		return nil
	}
	return t.preparing(t.graph.record(t.params.loss))
}

// preparing returns err, or goes on without graphs if that is allowed.
func (t *Trainer) preparing(err error) error {
	if t.mayGoOn(err) {
		t.graph.fail(err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("preparing CUDA graphs: %w", err)
	}
	return nil
}

// Parts returns the pieces of a step over the given micro-batches, for timing them: the model's, the gradient of
// the first row, and the optimizer at rate 0. s owns what they need.
func (t *Trainer) Parts(s *torch.Scope, micros []data.MicroBatch) ([]decoder.Part, error) {
	all, err := pack(micros, t.RowTokens)
	if err != nil {
		return nil, err
	}
	r := all[0]
	return append(t.model.Parts(s, &r.MicroBatch),
		decoder.Part{Name: "gradient", Run: func(s *torch.Scope) { t.model.Gradient(s, &r.MicroBatch, r.weights, t.params.loss) }},
		// The norm reads the gradient; AdamW reads weight, gradient and moments and writes weight and moments.
		decoder.Part{Name: "optimizer", Bytes: 8 * 4 * float64(t.params.N()), Run: func(s *torch.Scope) { t.update(s, t.Steps) }}), nil
}

// Graphs describes a training's CUDA graphs.
type Graphs struct {
	N       int
	Failed  error // why there are none, where recording them failed
	Outside int64 // bytes of the device that recording them used outside the allocator; 0 on a CPU
}

// Graphs returns the graphs so far.
func (t *Trainer) Graphs() Graphs {
	if t.graph == nil {
		return Graphs{}
	}
	return Graphs{t.graph.pool.Len(), t.graph.failed, t.graph.outside}
}

// LastLoss returns the last step's loss; NaN if there is none yet. It waits for the device.
func (t *Trainer) LastLoss() float64 {
	loss := math.NaN()
	_ = torch.Run(func(s *torch.Scope) error {
		if len(t.rates) > 0 {
			loss = s.Item(t.params.loss)
		}
		return nil
	})
	return loss
}

// Log reads the steps taken, waiting for the device. Steps past the schedule's length are trained
// at rate 0 and not logged.
func (t *Trainer) Log() ([]Step, error) {
	var steps []Step
	err := torch.Run(func(s *torch.Scope) error {
		v := s.Floats(t.log)
		for i, rate := range t.rates {
			if i >= t.Steps {
				break
			}
			steps = append(steps, Step{float64(v[2*i]), float64(v[2*i+1]), rate})
		}
		return nil
	})
	return steps, err
}
