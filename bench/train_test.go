package bench

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"testing"
	"time"

	"lorabench/bench/record"
	"lorabench/internal/progress"
	"lorabench/internal/watchdog"
)

var errInterrupted = errors.New("interrupted")

// trainArm trains an arm with a seed: one op of b is one step.
func trainArm(b *testing.B, arm Arm, seed int64) (*record.Record, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s, seed %d: not started: %w", arm.Name, seed, errInterrupted)
	}
	r, err := work.Start(arm, seed)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if err := errors.Join(baton.Pass(), baton.Take()); err != nil { // the others load and warm up too before a clock starts
		return nil, err
	}
	var door door
	if work.StandIn() {
		if door, err = openDoor(); err != nil {
			return nil, err
		}
	}
	failed := steps(b, r)
	if failed == nil {
		failed = door.ended()
	}
	if failed == nil && work.Snapshot {
		failed = r.SaveSnapshot()
	}
	if errors.Is(failed, errInterrupted) && work.SaveSteps != 0 {
		failed = errors.Join(failed, r.Save())
	}
	if failed != nil {
		return nil, fmt.Errorf("%s, seed %d: %w: no result", arm.Name, seed, failed)
	}
	rec, err := r.Record()
	if err == nil {
		err = door.record(rec)
	}
	return rec, err
}

// steps takes the steps of a run and ends it. After an error b's result is to be dropped.
func steps(b *testing.B, r *Run) (err error) {
	alive := watchdog.Watch(*stepTime, stuck)
	defer alive.Stop()
	bar := progress.Open(r.Name, r.Seed, work.Steps)
	defer bar.Close()
	aside := func(do func() error) error { // the clock stands still, and no step is late
		b.StopTimer()
		alive.Rest()
		defer b.StartTimer()
		defer alive.Beat()
		return do()
	}
	defer func() { // still watched: a device may hang
		if ended := r.End(); err == nil {
			err = ended
		}
	}()
	skip := r.Resumed
	r.Begin()
	for b.Loop() {
		if skip > 0 { // taken before the checkpoint
			skip--
			bar.Skip()
			continue
		}
		if ctx.Err() != nil {
			return errInterrupted
		}
		began := time.Now()
		if err = r.Step(); err == nil && slowed(r.Arm) {
			time.Sleep(time.Since(began) / 10)
		}
		if err == nil && r.EvalDue() {
			err = aside(r.Evaluate)
		}
		if err == nil && r.SaveDue() {
			err = aside(r.Save)
		}
		if err == nil && baton.Due() && !r.Done() {
			err = aside(func() error { return r.Wait(baton) })
		}
		if err != nil {
			return err
		}
		bar.Step(r.Loss())
		alive.Beat()
	}
	return nil
}

// stuck ends the process when no step has ended for too long.
func stuck() {
	fmt.Fprintf(os.Stderr, "lorabench: no step ended for %v (-step-timeout)\n", *stepTime)
	_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
	os.Exit(3)
}
