package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"lorabench/bench/events"
	"lorabench/bench/record"
	"lorabench/bench/table"
	"lorabench/internal/kernels"
	"lorabench/internal/process"
	"lorabench/internal/relay"
)

var (
	flags    = Register(flag.CommandLine)
	stepTime = flag.Duration("step-timeout", 15*time.Minute, "end the process, with a dump of its goroutines, when a step takes longer: go test's -timeout does not apply to benchmarks")

	batonAt = flag.String("relay", "", "`descriptors` of the pipes over which this takes turns, step by step, with the process that it is compared with")

	slowArm = flag.String("slow", "", "`arm`, such as rank=8, whose steps sleep a tenth of their time: what a comparison must find (testdata/small/disturbed.sh)")

	// Set by TestMain where benchmarks are asked for.
	work   *Workload
	config [][2]string // lines before the results
	baton  *relay.Baton
	ctx    = context.Background()
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testFlag("bench") == "" || testFlag("list") != "" {
		os.Exit(tests(m))
	}
	os.Exit(benchmarks(m))
}

// tests keeps the kernels that it measures, beside other packages' tests, out of the user's cache.
func tests(m *testing.M) int {
	if os.Getenv(kernels.Folder) == "" {
		dir, err := os.MkdirTemp("", "lorabench-kernels-")
		if err != nil {
			fmt.Fprintf(os.Stderr, "lorabench: %v\n", err)
			return 1
		}
		defer os.RemoveAll(dir)
		os.Setenv(kernels.Folder, dir)
	}
	return m.Run()
}

// benchmarks prepares what all runs share and prints the configuration lines, which must come
// before the first result.
func benchmarks(m *testing.M) int {
	var stop context.CancelFunc
	ctx, stop = process.Interruptible(ctx)
	defer stop()
	context.AfterFunc(ctx, stop) // the second interruption ends the process
	err := onePerRun()
	if err == nil {
		baton, err = relay.Open(*batonAt)
	}
	if err == nil {
		err = load()
	}
	if err == nil {
		err = baton.Take()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "lorabench: %v\n", err)
		return 1
	}
	defer work.Close()
	code := runBlocks(m.Run)
	summarize()
	return code
}

// summarize prints the run summary on the terminal, where there is one: stdout is the results'.
func summarize() {
	tty, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil || len(records) == 0 {
		return
	}
	defer tty.Close()
	if err := table.WriteSummary(tty, records, table.Width); err != nil {
		fmt.Fprintf(os.Stderr, "lorabench: summary: %v\n", err)
	}
}

func load() error {
	steps, err := StepsOf(testFlag("benchtime"))
	if err != nil {
		return err
	}
	s, note, err := flags.Parsed(steps)
	if err != nil {
		return err
	}
	if err = loadPart(s); err != nil {
		return err
	}
	config = work.ConfigLines()
	notes := slices.Concat(work.Left.Notes(), work.OtherLeft.ForgetNotes())
	if note != "" {
		notes = append(notes, note)
	}
	if len(notes) > 0 {
		config = append(config, [2]string{"note", strings.Join(notes, "; ")})
	}
	if *slowArm != "" {
		if work.Device != "cpu" || !slices.ContainsFunc(work.Arms(), slowed) {
			return fmt.Errorf("-slow is %q and -device %s: want an arm of this study, on a CPU, where a step ends before it sleeps", *slowArm, work.Device)
		}
		config = append(config, [2]string{"slow", *slowArm})
	}
	return Preamble(os.Stdout, config)
}

// slowed reports whether -slow names an arm, or the rank that it is of.
func slowed(arm Arm) bool { return arm.Name == *slowArm || strings.HasPrefix(arm.Name, *slowArm+"/") }

// records are those of the runs that have ended.
var records []*record.Record

// BenchmarkRank trains every arm with the seed of the block; see the package's comment.
func BenchmarkRank(b *testing.B) {
	arms, first := chosen, !opened
	if first || part.N > 0 { // of a part, no block need have all arms
		arms = work.Arms()
	}
	if first {
		opened = true
		if opening = openStudy(); opening != nil {
			b.Fatal(opening)
		}
	}
	position := 0
	for _, arm := range rotate(arms, block) {
		if !ours(arm) {
			continue
		}
		b.Run(arm.Name, func(b *testing.B) {
			if first {
				chosen = append(chosen, arm)
			}
			position++
			benchmarkArm(b, arm, position-1)
		})
	}
}

// benchmarkArm trains an arm, or takes its record where the run was whole in an unfinished study, and reports the result.
func benchmarkArm(b *testing.B, arm Arm, position int) {
	seed := work.Seed + int64(block)
	if rec := kept[(&record.Record{Name: arm.Name, Seed: seed}).FileName()]; rec != nil {
		keep(b, rec)
		if err := work.DropCheckpoint(rec); err != nil {
			b.Fatal(err)
		}
		b.Skip("kept: its record is whole")
	}
	rec, err := trainArm(b, arm, seed)
	if err != nil {
		b.Fatal(err)
	}
	rec.Block, rec.Position, rec.Shard, rec.Scattered = block, position, part.String(), part.N > seeds
	if rec.GraphsFailed != "" {
		b.Logf("ran without CUDA graphs: %s", rec.GraphsFailed)
	}
	for _, o := range rec.Others {
		b.Logf("process %d (%s) held %d MiB of the GPU too: figures of speed are not this run's alone", o.PID, o.Name, o.Bytes>>20)
	}
	if work.StandIn() {
		b.Skip("no result: a stand-in device computes nothing")
	}
	for _, m := range rec.Metrics() {
		b.ReportMetric(m.Value, m.Unit)
	}
	if rec.Diverged > 0 {
		fmt.Printf("Diverged: %s, seed %d, at step %d: no result\n", rec.Name, rec.Seed, rec.Diverged)
	}
	if study != nil { // the record comes last: a run that has one is whole
		if err = events.Save(work.Out, rec); err == nil {
			err = rec.Save(work.Out)
		}
		if err == nil {
			err = work.DropCheckpoint(rec)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	keep(b, rec)
	switch {
	case rec.Diverged > 0:
		b.Skip("diverged: no result")
	case rec.Resumed > 0:
		b.Skipf("resumed after step %d: its record has the losses, and its time is not compared", rec.Resumed)
	case rec.Scattered:
		b.Skip("more parts than seeds: its record has the losses, and its time is not compared")
	}
}

// keep adds a run's record to what is summarized and to the exact results.
func keep(b *testing.B, rec *record.Record) {
	records = append(records, rec)
	if study == nil {
		return
	}
	if err := WriteResults(work.Out, config, records, runtime.GOMAXPROCS(0)); err != nil {
		b.Fatal(err)
	}
}
