// Gpucheck tests lorabench on a card that is available for minutes: tests, speed, memory and losses, beside Hugging Face's Trainer
// and beside the stand-in card's predictions. It is a bundle's `run gpucheck`.
//
//	run gpucheck -minutes=8 -out=gpucheck-out
//
// Stages run in order of worth, each within a share of the time and each with a result file of its own in -out. One that fails
// does not stop the next. A later call with the same -out does what is missing there. Stage 4 needs no card.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"lorabench/internal/process"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns 0 if all that was asked for succeeded, 1 if something failed or is missing, 2 for wrong flags.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := process.Interruptible(context.Background())
	defer stop()
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "gpucheck: %v (-help lists the flags)\n", err)
		return 2
	}
	s := &session{options: o, log: stderr, deadline: time.Now().Add(time.Duration(o.minutes * float64(time.Minute))), ended: map[int]string{}}
	if err := s.prepare(ctx); err != nil {
		fmt.Fprintf(stderr, "gpucheck: %v\n", err)
		return 1
	}
	err = s.runStages(ctx)
	if tableErr := s.table(stdout); err == nil {
		err = tableErr
	}
	if err != nil {
		fmt.Fprintf(stderr, "gpucheck: %v\n", err)
		return 1
	}
	return 0
}
