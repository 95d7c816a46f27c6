package progress

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vbauerster/mpb/v8"
)

// after is a clock that starts at 0 and shows seconds ever after.
func after(seconds float64) func() time.Time {
	var asked atomic.Int64
	return func() time.Time {
		t := time.Unix(1e9, 0)
		if asked.Add(1) > 1 {
			t = t.Add(time.Duration(seconds * 1e9))
		}
		return t
	}
}

// shown is a terminal that is drawn on once, when the bar is closed.
func shown(name string, seed int64, steps int, clock func() time.Time, run func(*Bar)) string {
	var screen bytes.Buffer
	b := newBar(&screen, name, seed, steps, clock, mpb.ForceTTY(), mpb.WithAutoRefresh(), mpb.WithRefreshRate(time.Hour))
	run(b)
	b.Close()
	b.Close()
	return screen.String()
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		steps   int
		seconds float64
		losses  []float64
		want    string
		why     string
	}{
		{10, 0, nil, "rank=8 seed 42  0/10 [---", "before the first step there is no speed"},
		{10, 4, []float64{2, 1.23456}, "loss 1.2346  0.5 steps/s  ETA 16s\n", "the latest loss, the mean speed, the rest at that speed"},
		{10, 4, []float64{math.NaN(), math.NaN()}, "] 0.5 steps/s  ETA 16s\n", "no loss is known yet"},
		{10, 4, []float64{1.5, math.NaN()}, "loss 1.5000  0.5 steps/s", "a loss that is not known leaves the one before"},
		{2, 4, []float64{1.5, 1.25}, "2/2 [", "all steps taken"},
		{2, 4, []float64{1.5, 1.25, 1}, "3/2 [", "more steps than were announced"},
		{2, 4, []float64{1.5, 1.25, 1}, "0.75 steps/s  ETA 0s\n", "and none are left"},
		{0, 4, []float64{1.5, 1.25}, "rank=8 seed 42  step 2 [", "nobody knows how many there will be"},
		{0, 4, []float64{1.5, 1.25}, "loss 1.2500  0.5 steps/s\n", "so that no time is left"},
		{10, 1e-3, []float64{1, 1, 1}, "1.0000  3000 steps/s", "too fast for three digits"},
		{1e15, 1e6, []float64{1}, "ETA 1281023h53m38s\n", "longer than can be told"},
	} {
		got := shown("rank=8", 42, c.steps, after(c.seconds), func(b *Bar) {
			for _, l := range c.losses {
				b.Step(l)
			}
		})
		assert.Contains(t, got, c.want, c.why)
	}
}

func TestCloseTakesTheBarAway(t *testing.T) {
	got := shown("rank=8", 42, 10, after(1), func(b *Bar) { b.Step(1) })
	require.Equal(t, 1, strings.Count(got, "\n"), "one line")
	require.True(t, strings.HasSuffix(got, "\n\x1b[1A\x1b[J"), "then up again, and all below erased: %q", got)
}

func TestStepWaitsForNobody(t *testing.T) {
	stuck := &stuckWriter{in: make(chan struct{}), free: make(chan struct{})}
	b := newBar(stuck, "rank=8", 42, 1000, time.Now, mpb.ForceTTY(), mpb.WithAutoRefresh(), mpb.WithRefreshRate(time.Millisecond))
	<-stuck.in
	for range 1000 {
		b.Step(1)
	}
	require.Equal(t, int64(1000), b.done.Load(), "the terminal is stopped (Ctrl-S), the training is not")
	b.Close() // which gives up after a while: a run must end
	close(stuck.free)
}

func TestStepsOfAnEarlierProcessHaveNoSpeed(t *testing.T) {
	got := shown("rank=8", 42, 1000, after(4), func(b *Bar) {
		for range 900 {
			b.Skip()
		}
		b.Step(1)
		b.Step(1)
	})
	require.Contains(t, got, "902/1000")
	require.Contains(t, got, "0.5 steps/s  ETA 3m16s")
}

// stuckWriter is a terminal that does not take what is written until it is freed.
type stuckWriter struct {
	in, free chan struct{}
	told     bool
}

func (s *stuckWriter) Write(p []byte) (int, error) {
	if !s.told {
		s.told = true
		close(s.in)
	}
	<-s.free
	return len(p), nil
}

func TestSilentElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	var memory bytes.Buffer
	for _, w := range []io.Writer{f, &memory, nil} {
		b := New(w, "rank=8", 42, 1)
		b.Step(1)
		b.Close()
	}
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Empty(t, b, "a file is no terminal")
	require.Empty(t, memory.Bytes())
	require.Nil(t, New(nil, "rank=8", 42, 1))
}

func TestStepAllocatesNothing(t *testing.T) {
	b := New(io.Discard, "rank=8", 42, 10)
	defer b.Close()
	require.Zero(t, testing.AllocsPerRun(100, func() { b.Step(1) }))
}

func BenchmarkStep(b *testing.B) {
	bar := New(io.Discard, "rank=8", 42, 10)
	defer bar.Close()
	for b.Loop() {
		bar.Step(1)
	}
}
