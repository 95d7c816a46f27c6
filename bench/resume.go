package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"lorabench/bench/record"
)

// savePeriod is the time between two checkpoints if -save-steps is unset.
const savePeriod = time.Minute

// soFar is a run's progress, which a checkpoint holds beside the trainer's state.
type soFar struct {
	Tokens  []int         `json:"tokens"` // real tokens of each step taken
	Padded  int64         `json:"padded"` // tokens a padding trainer would have computed
	Elapsed time.Duration `json:"elapsed"`
	Laps    []record.Lap  `json:"laps"`
	Evals   []record.Eval `json:"evals"`
}

// fileName returns the path in -out of a file of the run.
func (r *Run) fileName(extension string) string {
	return filepath.Join(r.work.Out, (&record.Record{Name: r.Name, Seed: r.Seed}).FileName()+extension)
}

const checkpointed = ".checkpoint.safetensors"

// SaveDue reports whether it is time for a checkpoint. After the last step there is the record instead.
func (r *Run) SaveDue() bool {
	n := r.work.SaveSteps
	return n != 0 && !r.Done() && (n > 0 && r.trainer.Taken()%n == 0 || n == Unset && time.Since(r.saved) >= savePeriod)
}

// Save writes a checkpoint while the clock stands still. A run that has diverged, or taken no step, needs none.
func (r *Run) Save() error {
	return r.paused(func() error {
		r.saved = time.Now()
		if r.trainer.Taken() == 0 || slices.ContainsFunc(r.Evals, func(e record.Eval) bool { return !r.finite(e.Loss) }) {
			return nil
		}
		return r.trainer.Save(r.fileName(checkpointed), r.soFar)
	})
}

// DropCheckpoint removes the checkpoint of a run whose record is written.
func (w *Workload) DropCheckpoint(r *record.Record) error {
	return os.RemoveAll(filepath.Join(w.Out, r.FileName()+checkpointed))
}

// resume continues from the run's checkpoint if -out has one. If it cannot be used, resume says why and the run starts again.
func (r *Run) resume() error {
	if r.work.SaveSteps == 0 {
		return nil
	}
	var s soFar
	err := r.trainer.Load(r.fileName(checkpointed), &s)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s, seed %d begins again: %v\n", r.Name, r.Seed, err)
		return r.rewind()
	}
	r.soFar = s
	for range r.trainer.Taken() {
		r.steps.Next()
	}
	r.Resumed = r.trainer.Taken()
	fmt.Fprintf(os.Stderr, "%s, seed %d goes on from its checkpoint after step %d.\n", r.Name, r.Seed, r.Resumed)
	return nil
}
