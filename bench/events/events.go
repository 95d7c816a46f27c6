// Package events writes a run's steps in forms that other tools read: event files for TensorBoard, and the Trainer's log_history as JSON
// lines. Both have the same values under the names that the Trainer of transformers and its TensorBoardCallback use.
package events

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"lorabench/bench/record"
	"lorabench/internal/file"
)

// eventName contains tfevents, by which TensorBoard finds it. It is the same for every run, so that a repeated run
// replaces its file: TensorBoard would draw two files of a folder as one curve.
const eventName = "events.out.tfevents.0.lorabench"

// Save writes both logs of a run: dir/NAME.jsonl and dir/tensorboard/NAME/, NAME being the record's file name, such as rank=8,seed=42.
// TensorBoard takes each folder for one run. If JSON cannot encode the record, nothing is written.
func Save(dir string, r *record.Record) error {
	entries := history(r)
	var lines bytes.Buffer
	for _, e := range entries { // keys sorted, as in trainer_state.json
		if err := json.NewEncoder(&lines).Encode(e); err != nil {
			return fmt.Errorf("%s, seed %d: step %v: %w", r.Name, r.Seed, e["step"], err)
		}
	}
	events, err := eventFile(r, entries)
	if err != nil {
		return fmt.Errorf("%s, seed %d: %w", r.Name, r.Seed, err)
	}
	if err := file.Write(filepath.Join(dir, r.FileName()+".jsonl"), lines.Bytes()); err != nil {
		return err
	}
	return file.Write(filepath.Join(dir, "tensorboard", r.FileName(), eventName), events)
}

// entry is one line of log_history.
type entry map[string]float64

// history returns what the Trainer appends to log_history when logging_steps is 1: each step, each held-out evaluation
// after the line of its step, step 0 being the base model, and the training's totals last.
func history(r *record.Record) (entries []entry) {
	add := func(step int, e entry) {
		e["step"], e["epoch"] = float64(step), r.Epoch*float64(step)/float64(r.GlobalStep)
		entries = append(entries, e)
	}
	for i, s := range r.Steps {
		e := entry{"loss": s.Loss, "grad_norm": s.GradNorm}
		// The Trainer reads the learning rate after its scheduler's step: it is that of the step to come, and 0 at the end.
		if s.Step == r.GlobalStep {
			e["learning_rate"] = r.LearningRate
		} else if i+1 < len(r.Steps) && r.Steps[i+1].Step == s.Step+1 {
			e["learning_rate"] = r.Steps[i+1].LearningRate
		}
		add(s.Step, e)
	}
	evals := map[int]*float64{0: r.Data.EvalLossBase, r.GlobalStep: r.EvalLoss}
	for i, e := range r.Evals {
		evals[e.Step] = &r.Evals[i].Loss
	}
	for step, loss := range evals {
		if loss != nil {
			add(step, entry{"eval_loss": *loss})
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a["step"], b["step"]) })
	totals := entry{"total_flos": r.TotalFLOPs, "train_loss": r.TrainLoss}
	if r.Resumed == 0 { // else they are of several processes
		totals["train_runtime"], totals["train_samples_per_second"] = r.Runtime, r.SamplesPerSecond
		totals["train_steps_per_second"] = r.StepsPerSecond
	}
	add(r.GlobalStep, totals)
	return entries
}

// eventFile encodes the version, the record without its history as text, then one event for each value, as a SummaryWriter does: not every
// reader expects more. Steps are assumed to be equally long; the first after the record's Started is the first that its process took.
// Values have single precision, like all scalars of a SummaryWriter.
func eventFile(r *record.Record, entries []entry) ([]byte, error) {
	args := *r
	args.Steps, args.Laps, args.Evals = nil, nil, nil
	text, err := json.MarshalIndent(args, "    ", "  ") // indented by four spaces: Markdown would run plain lines together
	if err != nil {
		return nil, err
	}
	began := float64(r.Started.Unix()) + float64(r.Started.Nanosecond())/1e9
	b := appendRecord(nil, encode(1, began, 3, "brain.Event:2"))
	// A value for TensorBoard's text plugin: a tensor of one string, [1], under the tag that torch.utils.tensorboard's add_text gives it.
	const dtString = 7
	tensor := encode(1, dtString, 2, encode(2, encode(1, 1)), 8, "    "+string(text))
	b = appendRecord(b, encode(1, began, 5, encode(1, encode(1, "args/text_summary", 8, tensor, 9, encode(1, encode(1, "text"))))))
	for _, e := range entries {
		wall := began + r.Runtime*(e["step"]-float64(r.Resumed))/float64(r.GlobalStep)
		for _, key := range slices.Sorted(maps.Keys(e)) {
			tag := "train/" + key // as TensorBoardCallback renames it (rewrite_logs in transformers' integrations)
			if name, ok := strings.CutPrefix(key, "eval_"); ok {
				tag = "eval/" + name
			}
			if key != "step" {
				scalar := encode(1, tag, 2, float32(e[key]))
				b = appendRecord(b, encode(1, wall, 2, int(e["step"]), 5, encode(1, scalar)))
			}
		}
	}
	return b, nil
}
