// Peer measures lorabench side by side with a Python peer, Hugging Face's Trainer with PEFT: the same
// machine, weights, adapter, token sequences, micro-batches and recipe, each run a process of its own,
// the two in turn, run by run for losses and step by step for speed.
//
//	go run ./internal/peer -ranks=8,128,256
//
// It prints a table and writes out/peer.json, or, if any run fails, neither.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"lorabench/internal/process"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := process.Interruptible(context.Background())
	defer stop()
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "peer: %v (-help lists the flags)\n", err)
		return 2
	}
	if o.check {
		return check(ctx, stdout, stderr)
	}
	if err := compare(ctx, o, stdout, stderr); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		fmt.Fprintf(stderr, "peer: %v: no result\n", err)
		return 1
	}
	return 0
}
