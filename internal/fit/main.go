// Fit finds the LoRA ranks that fit a card, on a machine without one: it trains on the stand-in card of internal/fakecuda, where
// PyTorch's own caching allocator decides what fits. It is run by `make fit` and by a bundle's `run fit`.
//
//	go run ./internal/fit -model=hash:testdata/opt-350m/config.json -gpu=24GiB
//
// It prints the peaks of each rank on a card that is large enough for all, then the largest rank and the largest batch that
// train on a card of the size asked for while the next step of the search runs out of memory there. Each trial is a process of
// its own. The same command prints the same table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"lorabench/internal/fakecuda"
	"lorabench/internal/process"
)

func main() {
	ctx, stop := process.Interruptible(context.Background())
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns 0 if it has an answer, also that nothing fits, 1 if it has none, 2 for wrong flags.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "fit: %v (-help lists the flags)\n", err)
		return 2
	}
	if err := fit(ctx, o, stdout, stderr); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		fmt.Fprintf(stderr, "fit: %v\n", err)
		return 1
	}
	return 0
}

func fit(ctx context.Context, o options, stdout, stderr io.Writer) error {
	libs, err := fakecuda.Dir()
	if errors.Is(err, fakecuda.ErrNoCUDA) {
		return fmt.Errorf("%w: the stand-in needs one with CUDA (pip install torch==2.11.0 brings it)", err)
	}
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lorabench-fit-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b, err := newBench(ctx, o, libs, dir)
	if err != nil {
		return err
	}
	r, err := (&session{options: o, try: b.try, stderr: stderr}).ask(ctx)
	if err != nil {
		return err
	}
	return r.print(stdout)
}
