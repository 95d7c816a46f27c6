package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"lorabench/bench/format"
	"lorabench/bench/record"
)

// entry is one line of log_history.
type entry struct {
	step    int
	seconds float64 // training time up to there
	values  []value // besides the step
}

type value struct {
	key string
	v   float64
}

// jsonLines encodes entries as JSON lines, keys sorted as in trainer_state.json.
func jsonLines(entries []entry) ([]byte, error) {
	var b bytes.Buffer
	for _, e := range entries {
		line := map[string]any{"step": e.step}
		for _, v := range e.values {
			line[v.key] = v.v
		}
		if err := json.NewEncoder(&b).Encode(line); err != nil {
			return nil, fmt.Errorf("step %d: %w", e.step, err)
		}
	}
	return b.Bytes(), nil
}

// history returns what the Trainer appends to log_history when logging_steps is 1: each step, each held-out evaluation
// after the line of its step, step 0 being the base model, and the training's totals last.
func history(r *record.Record) ([]entry, error) {
	if err := check(r); err != nil {
		return nil, err
	}
	evals := evaluations(r)
	var entries []entry
	add := func(step int, seconds float64, values ...value) {
		epoch := value{"epoch", r.Epoch * float64(step) / float64(r.GlobalStep)}
		entries = append(entries, entry{step, seconds, append(values, epoch)})
	}
	for i, s := range r.Steps {
		values := []value{{"loss", s.Loss}, {"grad_norm", s.GradNorm}}
		// The Trainer reads the learning rate after its scheduler's step: it is that of the step to come, and 0 at the end.
		if s.Step == r.GlobalStep {
			values = append(values, value{"learning_rate", r.LearningRate})
		} else if i+1 < len(r.Steps) && r.Steps[i+1].Step == s.Step+1 {
			values = append(values, value{"learning_rate", r.Steps[i+1].LearningRate})
		}
		add(s.Step, seconds(r, evals, s.Step), values...)
	}
	for _, e := range evals {
		add(e.Step, e.Seconds, value{"eval_loss", e.Loss})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.step - b.step })
	add(r.GlobalStep, r.Runtime, value{"train_runtime", r.Runtime}, value{"train_samples_per_second", r.SamplesPerSecond},
		value{"train_steps_per_second", r.StepsPerSecond}, value{"total_flos", r.TotalFLOPs}, value{"train_loss", r.TrainLoss})
	for _, e := range entries {
		for _, v := range e.values {
			if !format.Finite(v.v) {
				return nil, fmt.Errorf("%s of step %d is %v: a run that diverged has no log", v.key, e.step, v.v)
			}
		}
	}
	return entries, nil
}

// check refuses steps that a training cannot have: TensorBoard drops what goes back in steps without a message.
func check(r *record.Record) error {
	if r.GlobalStep < 1 {
		return fmt.Errorf(`"global_step" is %d, want at least 1`, r.GlobalStep)
	}
	rising := func(key string, before, n int, step func(i int) int) error {
		for i := range n {
			s := step(i)
			if s <= before || s > r.GlobalStep {
				return fmt.Errorf("%q[%d] is of step %d, want more than %d and at most %d", key, i, s, before, r.GlobalStep)
			}
			before = s
		}
		return nil
	}
	if err := rising("log_history", 0, len(r.Steps), func(i int) int { return r.Steps[i].Step }); err != nil {
		return err
	}
	return rising("eval_history", -1, len(r.Evals), func(i int) int { return r.Evals[i].Step })
}

// evaluations returns all held-out losses: the base model's, those during training, and the final one.
func evaluations(r *record.Record) []record.Eval {
	evals := slices.Clone(r.Evals)
	if base := r.Data.EvalLossBase; base != nil && (len(evals) == 0 || evals[0].Step > 0) {
		evals = slices.Insert(evals, 0, record.Eval{Loss: *base})
	}
	if r.EvalLoss != nil && (len(evals) == 0 || evals[len(evals)-1].Step < r.GlobalStep) {
		evals = append(evals, record.Eval{Step: r.GlobalStep, Loss: *r.EvalLoss, Seconds: r.Runtime})
	}
	return evals
}

// seconds returns the training time up to a step. The record has it for evaluations and for the end; the steps between
// two of these are taken to be equally long.
func seconds(r *record.Record, evals []record.Eval, step int) float64 {
	from, to := record.Eval{}, record.Eval{Step: r.GlobalStep, Seconds: r.Runtime}
	for _, e := range evals {
		if e.Step <= step {
			from = e
		} else if e.Step < to.Step {
			to = e
		}
	}
	if step >= to.Step {
		return to.Seconds
	}
	return from.Seconds + (to.Seconds-from.Seconds)*float64(step-from.Step)/float64(to.Step-from.Step)
}
