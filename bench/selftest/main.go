// Command selftest checks what must hold for every rank, on the model and with the adapters that the benchmark would train.
//
//	go run ./bench/selftest -ranks=8,128,256
//
// It takes the benchmark's flags. The exit status is 0 if all checks hold, 1 if one fails or cannot be made, 2 for an unknown flag.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"

	"lorabench/bench"
	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/data"
	"lorabench/lora"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("selftest", flag.ContinueOnError)
	fs.SetOutput(stderr)
	flags := bench.Register(fs)
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if err := selftest(flags, stdout); err != nil {
		fmt.Fprintf(stderr, "selftest: %v\n", err)
		return 1
	}
	fmt.Fprintln(stdout, "\nall checks hold: each rank reaches the weights")
	return 0
}

// checks is the table of checks, each with its arm.
type checks struct {
	format.Table
	failed int
}

func (t *checks) add(arm string, cs ...lora.Check) {
	for _, c := range cs {
		verdict := "ok"
		if !c.OK {
			verdict = "FAILED"
			t.failed++
		}
		t.Rows = append(t.Rows, []string{arm, c.Name, verdict, c.Found})
	}
}

// selftest prints the checks of every arm; if one fails it returns an error.
func selftest(flags *bench.Flags, stdout io.Writer) error {
	s, _, err := flags.Parsed(1)
	if err != nil {
		return err
	}
	s.Eval, s.EvalEvery, s.TargetLoss, s.Forget, s.Limit = 0, 0, 0, "", min(max(s.Limit, s.Batch*s.Accum), 64) // a few records are enough, none of them held out
	s.LRs = s.LRs[:1]
	w, err := bench.LoadWorkload(context.Background(), s, nil)
	if err != nil {
		return err
	}
	defer w.Close()
	t := &checks{Table: format.Table{Head: []string{"arm", "check", "", "found"}, Words: []string{"check", "", "found"}}}
	micro := data.Pack(w.Train, []int{0, len(w.Train) - 1})
	for _, arm := range w.Arms() {
		if arm.Rank == record.Full {
			continue
		}
		c, err := arm.Config(w.Settings)
		if err != nil {
			return err
		}
		cs, err := lora.Checks(w.Base.Share(), c, &micro)
		if err != nil {
			return fmt.Errorf("%s: %w", arm.Name, err)
		}
		t.add(arm.Name, cs...)
	}
	// With B = 0 and without dropout the first step's loss is the base model's for every arm.
	w.Dropout, w.Base.ModelDropout = 0, 0
	var first float64
	for i, arm := range w.Arms() {
		loss, err := firstLoss(w, arm)
		if err != nil {
			return err
		}
		if i == 0 {
			first = loss
		}
		t.add(arm.Name, lora.Check{Name: "first loss coincides", OK: math.Abs(loss-first) <= 1e-5*first,
			Found: fmt.Sprintf("%.6f, the first arm's is %.6f", loss, first)})
	}
	if err := t.Text(stdout); err != nil || t.failed == 0 {
		return err
	}
	return fmt.Errorf("%d checks FAILED", t.failed)
}

// firstLoss trains an arm for one step and returns its loss.
func firstLoss(w *bench.Workload, arm bench.Arm) (float64, error) {
	r, err := w.Start(arm, w.Seed)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	r.Begin()
	if err := errors.Join(r.Step(), r.End()); err != nil {
		return 0, err
	}
	rec, err := r.Record()
	if err != nil {
		return 0, err
	}
	return rec.Loss, nil
}
