package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	flags    = Register(flag.CommandLine)
	stepTime = flag.Duration("step-timeout", 15*time.Minute, "end the process, with a dump of its goroutines, when a step takes longer: go test's -timeout does not apply to benchmarks")

	// Set by TestMain where benchmarks are asked for.
	work    *Workload
	results *Results
	ctx     = context.Background()
)

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() == "" {
		os.Exit(m.Run())
	}
	os.Exit(benchmarks(m))
}

// benchmarks prepares what all runs share and prints the configuration lines, which must come
// before the first result.
func benchmarks(m *testing.M) int {
	var stop context.CancelFunc
	ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := load(); err != nil {
		fmt.Fprintf(os.Stderr, "lorabench: %v\n", err)
		return 1
	}
	defer work.Close()
	return m.Run()
}

func load() error {
	steps, err := StepsOf(flag.Lookup("test.benchtime").Value.String())
	if err != nil {
		return err
	}
	s, note, err := flags.Parsed(steps)
	if err != nil {
		return err
	}
	if work, err = LoadWorkload(ctx, s, downloads()); err != nil {
		return err
	}
	lines := work.ConfigLines()
	if note != "" {
		lines = append(lines, [2]string{"note", note})
	}
	if s.Out != "" {
		results = NewResults(s.Out, lines)
	}
	return Preamble(os.Stdout, lines)
}

// runs counts the runs of each rank: the testing package calls a benchmark once for each -count.
var runs = map[string]int64{}

// BenchmarkRank trains; see the package's comment.
func BenchmarkRank(b *testing.B) {
	for _, rank := range work.Ranks {
		b.Run("rank="+rank, func(b *testing.B) {
			seed := work.Seed + runs[rank]
			runs[rank]++
			rec, err := train(b, rank, seed)
			if err != nil {
				b.Fatal(err)
			}
			for _, m := range rec.Metrics() {
				b.ReportMetric(m.Value, m.Unit)
			}
			if rec.GraphsFailed != "" {
				b.Logf("CUDA graphs: fell back to eager execution after %d graphs: %s", rec.Graphs, rec.GraphsFailed)
			}
			if results == nil {
				return
			}
			if err := rec.Save(work.Out); err != nil {
				b.Fatal(err)
			}
			if err := results.Add(Name(rank, runtime.GOMAXPROCS(0)), rec); err != nil {
				b.Fatal(err)
			}
		})
	}
}

var errInterrupted = errors.New("interrupted")

func train(b *testing.B, rank string, seed int64) (*Record, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("rank %s, seed %d: not started: %w", rank, seed, errInterrupted)
	}
	r, err := work.Start(rank, seed)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	alive := watch(*stepTime)
	defer alive.stop()
	var failed error
	r.Begin()
	// No break in a b.Loop: after a failure the remaining ops are empty and the result is dropped.
	for b.Loop() {
		if failed == nil && ctx.Err() != nil {
			failed = errInterrupted
		}
		if failed == nil {
			failed = r.Step()
		}
		alive.beat()
	}
	if err := r.End(); failed == nil {
		failed = err
	}
	if failed != nil {
		return nil, fmt.Errorf("rank %s, seed %d: %w: no result", rank, seed, failed)
	}
	return r.Record()
}

// watchdog ends the process when nothing has happened for too long.
type watchdog struct {
	last atomic.Int64
	done chan struct{}
}

func watch(limit time.Duration) *watchdog {
	w := &watchdog{done: make(chan struct{})}
	w.beat()
	go func() {
		tick := time.NewTicker(limit/10 + time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.done:
				return
			case <-tick.C:
				if time.Since(time.Unix(0, w.last.Load())) > limit {
					fmt.Fprintf(os.Stderr, "lorabench: no step ended for %v (-step-timeout)\n", limit)
					_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
					os.Exit(3)
				}
			}
		}
	}()
	return w
}

func (w *watchdog) beat() { w.last.Store(time.Now().UnixNano()) }
func (w *watchdog) stop() { close(w.done) }
