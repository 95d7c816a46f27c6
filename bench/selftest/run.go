package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"

	"lorabench/bench"
	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/data"
	"lorabench/lora"
)

func run(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("selftest", flag.ContinueOnError)
	fs.SetOutput(stderr)
	flags := bench.Register(fs)
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	failed, err := selftest(flags, stdout)
	if err != nil {
		fmt.Fprintf(stderr, "selftest: %v\n", err)
		return 1
	}
	if failed > 0 {
		fmt.Fprintf(stdout, "\n%d checks FAILED\n", failed)
		return 1
	}
	fmt.Fprintln(stdout, "\nall checks hold: the rank is wired")
	return 0
}

type line struct {
	arm string
	lora.Check
}

func selftest(flags *bench.Flags, stdout io.Writer) (failed int, err error) {
	s, _, err := flags.Parsed(1)
	if err != nil {
		return 0, err
	}
	s.Eval, s.Forget, s.Limit = 0, "", min(max(s.Limit, s.Batch*s.Accum), 64) // a few records do, and no held-out ones
	s.LRs = s.LRs[:1]
	w, err := bench.LoadWorkload(context.Background(), s, nil)
	if err != nil {
		return 0, err
	}
	defer w.Close()
	micro := data.Pack(w.Train, []int{0, 1})
	var lines []line
	for _, arm := range w.Arms() {
		if arm.Rank == record.Full {
			continue
		}
		c, err := arm.Config(w.Settings)
		if err != nil {
			return 0, err
		}
		checks, err := lora.Checks(w.Base.Share(), c, &micro)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", arm.Name, err)
		}
		for _, c := range checks {
			lines = append(lines, line{arm.Name, c})
		}
	}
	first, err := firstLosses(w)
	if err != nil {
		return 0, err
	}
	return show(stdout, append(lines, first...))
}

// firstLosses compares the loss of the first step over all arms, dropout off: with B = 0 each is the base
// model's.
func firstLosses(w *bench.Workload) ([]line, error) {
	w.Dropout, w.Base.ModelDropout = 0, 0
	var lines []line
	want := math.NaN()
	for _, arm := range w.Arms() {
		r, err := w.Start(arm, w.Seed)
		if err != nil {
			return nil, err
		}
		r.Begin()
		err = errors.Join(r.Step(), r.End())
		var rec *record.Record
		if err == nil {
			rec, err = r.Record()
		}
		r.Close()
		if err != nil {
			return nil, err
		}
		loss := rec.Loss
		if math.IsNaN(want) {
			want = loss
		}
		lines = append(lines, line{arm.Name, lora.Check{Name: "first loss coincides", OK: math.Abs(loss-want) <= 1e-5*want,
			Found: fmt.Sprintf("%.6f, the first arm's is %.6f", loss, want)}})
	}
	return lines, nil
}

func show(w io.Writer, lines []line) (failed int, err error) {
	t := format.Table{Head: []string{"arm", "check", "", "found"}, Words: []string{"check", "", "found"}}
	for _, l := range lines {
		verdict := "ok"
		if !l.OK {
			verdict = "FAILED"
			failed++
		}
		t.Rows = append(t.Rows, []string{l.arm, l.Name, verdict, l.Found})
	}
	return failed, t.Text(w)
}
