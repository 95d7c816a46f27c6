package fakecuda

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"lorabench/internal/process"
)

// ErrFull is the error of a training that ran out of the card's memory.
var ErrFull = errors.New("out of memory")

// Training is a benchmark's process on the card.
type Training struct {
	What string   // for errors
	Argv []string // the benchmark's binary and its flags
	Dir  string   // a folder of its own, for what it writes
}

// Train runs t and returns its runs in their order; with [ErrFull] those that ended before the card was full. libs is [Dir]'s.
func (c Card) Train(ctx context.Context, libs string, t Training) ([]Run, error) {
	if err := os.MkdirAll(t.Dir, 0o777); err != nil {
		return nil, err
	}
	log, report := filepath.Join(t.Dir, "log"), filepath.Join(t.Dir, "report")
	c.Counters = filepath.Join(t.Dir, "counters")
	_, err := process.Command{What: t.What, Argv: t.Argv, Log: log, Env: append(c.Env(libs), ReportVariable+"="+report)}.Run(ctx)
	counters, countErr := ReadCounters(c.Counters)
	if ctx.Err() != nil || countErr != nil {
		return nil, errors.Join(err, countErr)
	}
	if wrong := counters.Errors(); len(wrong) > 0 {
		return nil, fmt.Errorf("%s: the stand-in refused calls, so its figures mean nothing: %s", t.What, strings.Join(wrong, "; "))
	}
	if err == nil {
		return ReadRuns(report)
	}
	said, logErr := os.ReadFile(log)
	if logErr == nil && counters.OutOfMemory() > 0 && bytes.Contains(said, []byte("CUDA out of memory")) {
		runs, err := ReadRuns(report)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // the first run may be what ran out
			return nil, err
		}
		return runs, ErrFull
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() < 0 {
		err = fmt.Errorf("%w\nIf this machine's own memory ran out: it holds the weights, and an adapter twice", err)
	}
	return nil, err
}
