// Cards trains a study on several GPUs of one machine: a process on each card over a part of the study, never two on one. It is run by
// `make bench GPUS=all`, which then reports on the parts together. Flags besides -gpus are bench's.
//
//	go run ./internal/cards -gpus=all -benchtime=1000x -count=8 -out=out
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lorabench/internal/gpu"
	"lorabench/internal/process"
	"lorabench/internal/root"
	"lorabench/internal/shard"
)

func main() {
	ctx, stop := process.Interruptible(context.Background())
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stderr))
}

// run exits with 0 where every part ended well, 1 where one did not, 2 for wrong flags.
func run(ctx context.Context, args []string, stderr io.Writer) int {
	cards, out, bench, err := parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "cards: %v\n", err)
		return 2
	}
	if err := train(ctx, cards, out, bench, stderr); err != nil {
		fmt.Fprintf(stderr, "cards: %v\n", err)
		return 1
	}
	return 0
}

// parse returns the cards, as CUDA_VISIBLE_DEVICES names them, the folder of -out, and bench's flags as its test binary has them.
func parse(args []string) (cards []string, out string, bench []string, err error) {
	list := ""
	for _, a := range args {
		name, value, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
		switch name {
		case "gpus":
			list = value
			continue
		case "out":
			out = value
		case "shard":
			return nil, "", nil, fmt.Errorf("%s: a card is a part of the study: leave it out", a)
		}
		bench = append(bench, process.Flag(a))
	}
	switch {
	case list == "":
		return nil, "", nil, errors.New("-gpus is missing: all, or CUDA's numbers or UUIDs of cards, such as 0,1")
	case out == "":
		return nil, "", nil, errors.New("-out is missing: the folder that all parts write into")
	case list == "all":
		cards, err = gpu.Visible()
	default:
		cards = strings.Split(list, ",")
	}
	for i, c := range cards {
		if c == "" || slices.Contains(cards[:i], c) {
			return nil, "", nil, fmt.Errorf("-gpus is %q: want each card once", list)
		}
	}
	if err == nil && len(cards) == 0 {
		err = errors.New("-gpus is all, and CUDA would show no card")
	}
	return cards, out, bench, err
}

// fewer reports whether a flag is a -count below n.
func fewer(flag string, n int) bool {
	value, ok := strings.CutPrefix(flag, "-test.count=")
	count, err := strconv.Atoi(value)
	return ok && err == nil && count < n
}

// train runs a process on each card and waits for all: a part that fails leaves the others to end, since what they measure is kept.
func train(ctx context.Context, cards []string, out string, bench []string, stderr io.Writer) error {
	top, err := root.Dir()
	if err != nil {
		return err
	}
	if out, err = root.Abs(out); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lorabench-cards-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := process.Benchmark(ctx, top, dir)
	if err != nil {
		return err
	}
	folders := make([]string, len(cards))
	for i := range cards {
		folders[i] = filepath.Join(out, shard.Part{I: i, N: len(cards)}.Folder())
		if err := os.MkdirAll(folders[i], 0o777); err != nil {
			return err
		}
	}
	errs := make([]error, len(cards))
	var all sync.WaitGroup
	for i, card := range cards {
		part, folder := shard.Part{I: i, N: len(cards)}, folders[i]
		argv := append([]string{binary, "-test.run=^$", "-test.bench=Rank", "-test.timeout=0"}, bench...)
		c := process.Command{What: fmt.Sprintf("card %s, part %s", card, part), Argv: append(argv, "-shard="+part.String()),
			Dir: filepath.Join(top, "bench"), Env: []string{"CUDA_VISIBLE_DEVICES=" + card}, Log: filepath.Join(folder, "bench.log"),
			Grace: time.Minute} // to write checkpoints in
		fmt.Fprintf(stderr, "cards: %s: %s\n", c.What, c.Log)
		if i == 0 && slices.ContainsFunc(bench, func(f string) bool { return fewer(f, len(cards)) }) {
			fmt.Fprintf(stderr, "cards: with fewer seeds than cards their runs are dealt one by one, and no speeds are compared: COUNT=%d keeps them\n", len(cards))
		}
		all.Go(func() { _, errs[i] = c.Run(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}
