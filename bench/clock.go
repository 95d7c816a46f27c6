package bench

import (
	"errors"
	"time"

	"lorabench/bench/record"
	"lorabench/internal/relay"
)

// Begin starts the clock.
func (r *Run) Begin() {
	r.began = time.Now()
	if r.started.IsZero() {
		r.started = r.began
	}
}

// Evaluate takes the held-out loss between two steps: the clock stands still.
func (r *Run) Evaluate() error {
	if err := r.pause(); err != nil {
		return err
	}
	loss, _, err := r.work.heldOut(r.model)
	if err != nil {
		return err
	}
	r.evals = append(r.evals, record.Eval{Step: r.trainer.Taken(), Loss: *loss, Seconds: r.elapsed.Seconds()})
	r.loss = r.trainer.LastLoss()
	if err := r.work.device.Synchronize(); err != nil {
		return err
	}
	r.Begin()
	return nil
}

// EvalDue tells whether -eval-every asks for the held-out loss now. The last step's is taken after the run.
func (r *Run) EvalDue() bool {
	n := r.trainer.Taken()
	return r.work.EvalEvery > 0 && len(r.work.Held) > 0 && n%r.work.EvalEvery == 0 && n < r.work.Steps
}

// Done tells whether the last step of the schedule has been taken.
func (r *Run) Done() bool { return r.trainer.Taken() >= r.work.Steps }

// Wait lets the other process of a relay work: the clock stands still.
func (r *Run) Wait(b *relay.Baton) error {
	if err := r.pause(); err != nil {
		return err
	}
	if err := errors.Join(b.Pass(), b.Take()); err != nil {
		return err
	}
	r.Begin()
	return nil
}

// pause waits for the device and stops the clock.
func (r *Run) pause() error {
	if err := r.work.device.Synchronize(); err != nil {
		return err
	}
	lap := time.Since(r.began)
	r.elapsed += lap
	r.laps = append(r.laps, record.Lap{Step: r.trainer.Taken(), Seconds: lap.Seconds()})
	return nil
}

// End waits for the device, stops the clock and reads the peak.
func (r *Run) End() (err error) {
	if err = r.pause(); err != nil {
		return err
	}
	r.peak, err = readPeak(r.work.device, r.initial)
	return err
}

// secondsTo is when the held-out loss, which starts at base, first was at most target: linear between two
// evaluations; nil where it never was.
func secondsTo(target, base float64, evals []record.Eval) *float64 {
	last := record.Eval{Loss: base}
	if base <= target {
		return new(float64)
	}
	for _, e := range evals {
		if e.Loss <= target {
			at := last.Seconds + (e.Seconds-last.Seconds)*(last.Loss-target)/(last.Loss-e.Loss)
			return &at
		}
		last = e
	}
	return nil
}
