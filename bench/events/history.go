package events

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"lorabench/bench/record"
)

// entry is one line of log_history. Its values do not include the step.
type entry struct {
	step    int
	seconds float64 // training time up to there
	values  []value
}

type value struct {
	key string
	v   float64
}

// WriteHistory writes the run as JSON lines, each what the Trainer appends to its log_history when
// logging_steps is 1: epoch, grad_norm, learning_rate, loss and step of each step; epoch, eval_loss
// and step of each evaluation, after the line of its step, step 0 being the base model; and the
// training's totals in the last line. Keys are sorted, as in trainer_state.json.
func WriteHistory(w io.Writer, r *record.Record) error {
	entries, err := history(r)
	if err != nil {
		return err
	}
	for _, e := range entries {
		line := map[string]any{"step": e.step}
		for _, v := range e.values {
			line[v.key] = v.v
		}
		b, err := json.Marshal(line)
		if err != nil {
			return fmt.Errorf("%s, seed %d: step %d: %w", r.Name, r.Seed, e.step, err)
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// history is the run's log_history, in the order in which the Trainer would have logged it.
func history(r *record.Record) ([]entry, error) {
	if err := check(r); err != nil {
		return nil, err
	}
	evals := evaluations(r)
	seconds := clock(r, evals)
	epoch := func(step int) value {
		return value{"epoch", r.Epoch * float64(step) / float64(r.GlobalStep)}
	}
	var entries []entry
	for i, s := range r.Steps {
		e := entry{s.Step, seconds(s.Step), []value{{"loss", s.Loss}, {"grad_norm", s.GradNorm}}}
		if lr, ok := rateAfter(r, i); ok {
			e.values = append(e.values, value{"learning_rate", lr})
		}
		e.values = append(e.values, epoch(s.Step))
		entries = append(entries, e)
	}
	for _, v := range evals {
		entries = append(entries, entry{v.Step, v.Seconds, []value{{"eval_loss", v.Loss}, epoch(v.Step)}})
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.step - b.step })
	entries = append(entries, entry{r.GlobalStep, r.Runtime, []value{
		{"train_runtime", r.Runtime}, {"train_samples_per_second", r.SamplesPerSecond}, {"train_steps_per_second", r.StepsPerSecond},
		{"total_flos", r.TotalFLOPs}, {"train_loss", r.TrainLoss}, epoch(r.GlobalStep),
	}})
	for _, e := range entries {
		for _, v := range e.values {
			if math.IsNaN(v.v) || math.IsInf(v.v, 0) {
				return nil, fmt.Errorf("%s, seed %d: %s of step %d is %v: a run that diverged has no log", r.Name, r.Seed, v.key, e.step, v.v)
			}
		}
	}
	return entries, nil
}

// check refuses steps that a training cannot have: TensorBoard drops what goes back in steps without
// a word.
func check(r *record.Record) error {
	if r.GlobalStep < 1 {
		return fmt.Errorf(`%s, seed %d: "global_step" is %d, want at least 1`, r.Name, r.Seed, r.GlobalStep)
	}
	before := 0
	for i, s := range r.Steps {
		if s.Step <= before || s.Step > r.GlobalStep {
			return fmt.Errorf(`%s, seed %d: "log_history"[%d] is of step %d, after step %d of %d: steps must rise from 1`, r.Name, r.Seed, i, s.Step, before, r.GlobalStep)
		}
		before = s.Step
	}
	before = -1
	for i, e := range r.Evals {
		if e.Step <= before || e.Step > r.GlobalStep {
			return fmt.Errorf(`%s, seed %d: "eval_history"[%d] is of step %d of %d: steps must rise from 0`, r.Name, r.Seed, i, e.Step, r.GlobalStep)
		}
		before = e.Step
	}
	return nil
}

// evaluations are all held-out losses that the record knows: the base model's, those during the
// training, and the final one.
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

// rateAfter is the learning rate in the Trainer's log line of the record's i-th step: it reads it
// after its scheduler's step, so that it is the rate of the step to come, and 0 at the end. There is
// none where the record leaves that step out.
func rateAfter(r *record.Record, i int) (float64, bool) {
	switch s := r.Steps[i]; {
	case s.Step == r.GlobalStep:
		return r.LearningRate, true
	case i+1 < len(r.Steps) && r.Steps[i+1].Step == s.Step+1:
		return r.Steps[i+1].LearningRate, true
	}
	return 0, false
}

// clock tells the training time up to a step. The record has it for evaluations and for the end;
// steps between two of these are taken for equally long.
func clock(r *record.Record, evals []record.Eval) func(step int) float64 {
	known := []record.Eval{{}}
	for _, e := range evals {
		if e.Step > 0 && e.Step < r.GlobalStep {
			known = append(known, e)
		}
	}
	known = append(known, record.Eval{Step: r.GlobalStep, Seconds: r.Runtime})
	return func(step int) float64 {
		i, _ := slices.BinarySearchFunc(known, step, func(e record.Eval, step int) int { return e.Step - step })
		if i == 0 {
			return 0
		}
		a, b := known[i-1], known[i]
		return a.Seconds + (b.Seconds-a.Seconds)*float64(step-a.Step)/float64(b.Step-a.Step)
	}
}
