// Package progress shows a run's progress on the terminal. It writes to the terminal device and never
// to stdout or stderr: those are for results, and benchstat loses a result line that other output
// breaks. Without a terminal it is silent.
package progress

import (
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// refresh is the time between two drawings.
const refresh = 250 * time.Millisecond

// patience is how long Close waits for the terminal.
const patience = time.Second

// Bar is a line with a run's name, the steps taken, loss, speed and the time left. A nil Bar shows
// nothing and may be used.
type Bar struct {
	name  string
	steps int64
	began time.Time
	now   func() time.Time

	// Step only stores its values, which are read when the bar is drawn: an increment of mpb's bar waits
	// for that bar's goroutine, and training must not wait.
	done atomic.Int64
	kept atomic.Int64  // of done, those that an earlier process took
	loss atomic.Uint64 // bits of a float64

	progress *mpb.Progress
	bar      *mpb.Bar
	tty      *os.File // Open's
	closed   sync.Once
}

// Open shows a bar on the terminal of this process, wherever stdout and stderr go. It returns nil if
// there is no terminal.
func Open(name string, seed int64, steps int) *Bar {
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return nil
	}
	b := New(tty, name, seed, steps)
	b.tty = tty
	return b
}

// New shows a bar on w, which the caller still owns. steps is how many there will be, 0 if unknown. The
// bar is silent if w is not a terminal, and nil if w is nil.
func New(w io.Writer, name string, seed int64, steps int) *Bar {
	if w == nil {
		return nil
	}
	return newBar(w, name, seed, steps, time.Now, mpb.WithRefreshRate(refresh))
}

func newBar(w io.Writer, name string, seed int64, steps int, now func() time.Time, options ...mpb.ContainerOption) *Bar {
	b := &Bar{name: fmt.Sprintf("%s seed %d", name, seed), steps: int64(max(0, steps)), began: now(), now: now}
	b.loss.Store(math.Float64bits(math.NaN()))
	b.progress = mpb.New(append(options, mpb.WithOutput(w))...)
	b.bar = b.progress.New(b.steps, mpb.BarStyle(),
		mpb.BarFillerMiddleware(b.filler),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return b.count() })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.figures() })))
	return b
}

// filler draws the bar as far as Step says: mpb's own count stays 0, so that it never considers
// the bar complete.
func (b *Bar) filler(base mpb.BarFiller) mpb.BarFiller {
	return mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		s.Current = min(b.done.Load(), s.Total)
		return base.Fill(w, s)
	})
}

func (b *Bar) count() string {
	if b.steps == 0 {
		return fmt.Sprintf("%s  step %d", b.name, b.done.Load())
	}
	return fmt.Sprintf("%s  %d/%d", b.name, b.done.Load(), b.steps)
}

// figures returns the loss, the mean speed so far and the time left at that speed, as far as known.
func (b *Bar) figures() string {
	out := ""
	if loss := math.Float64frombits(b.loss.Load()); !math.IsNaN(loss) {
		out = fmt.Sprintf("loss %.4f  ", loss)
	}
	done, kept, took := b.done.Load(), b.kept.Load(), b.now().Sub(b.began).Seconds()
	if done <= kept || took <= 0 {
		return out
	}
	speed := float64(done-kept) / took
	if speed < 100 {
		out += fmt.Sprintf("%.3g steps/s", speed)
	} else {
		out += fmt.Sprintf("%.0f steps/s", speed)
	}
	if b.steps == 0 {
		return out
	}
	left := float64(max(0, b.steps-done)) / speed
	// Times longer than a Duration holds need not be told apart.
	return out + fmt.Sprintf("  ETA %v", time.Duration(min(left*1e9, 1<<62)).Round(time.Second))
}

// Step counts a step. loss is the latest one known; NaN is none, and keeps the one before. It takes
// nanoseconds.
func (b *Bar) Step(loss float64) {
	if b == nil {
		return
	}
	b.done.Add(1)
	if !math.IsNaN(loss) {
		b.loss.Store(math.Float64bits(loss))
	}
}

// Skip counts a step that an earlier process took, which says nothing of the speed.
func (b *Bar) Skip() {
	if b == nil {
		return
	}
	b.kept.Add(1)
	b.done.Add(1)
}

// Close removes the bar from the terminal, unless that takes longer than a second: a terminal that was stopped (Ctrl-S) takes nothing, and
// a run must end all the same. Calling it again does nothing.
func (b *Bar) Close() {
	if b == nil {
		return
	}
	b.closed.Do(func() {
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			b.bar.Abort(true)
			b.progress.Wait()
			if b.tty != nil {
				_ = b.tty.Close() // nothing can be said about it: the terminal is what failed
			}
		}()
		select {
		case <-gone:
		case <-time.After(patience):
		}
	})
}
