package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lorabench/internal/fakecuda"
	"lorabench/internal/process"
	"lorabench/internal/root"
)

// fit trains one seed of every arm, all its steps, on a stand-in card of the size asked for, and adds to p what the allocator held. The
// peak of a few measured steps would be too low: the longest row of tokens may come later.
func (o options) fit(ctx context.Context, p *plan) error {
	if value, given := o.value("dora"); given && value != "false" {
		return errors.New("-gpu: a stand-in card computes nothing, and DoRA needs the norms of weights: leave -gpu out")
	}
	libs, err := fakecuda.Dir()
	if err != nil {
		return fmt.Errorf("-gpu: %w", err)
	}
	top, err := root.Dir()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lorabench-sweep-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := process.Benchmark(ctx, top, dir)
	if err != nil {
		return err
	}
	argv := []string{binary, "-test.run=^$", "-test.bench=Rank", "-test.timeout=0"}
	for _, f := range o.bench {
		argv = append(argv, process.Flag(f))
	}
	argv = append(argv, "-test.count=1", "-device=cuda", "-out="+filepath.Join(dir, "out")) // the last of a flag counts
	card := fakecuda.Card{Memory: o.card}
	runs, err := card.Train(ctx, libs, fakecuda.Training{What: "trying the study on a stand-in card", Argv: argv, Dir: filepath.Join(dir, "trial")})
	size := fmt.Sprintf("%.4g GiB", float64(o.card)/(1<<30))
	var names []string
	held := int64(0)
	for _, r := range runs {
		names = append(names, r.Record.Name)
		if gpu := r.Record.PeakMemory.GPUReserved; gpu != nil {
			held = max(held, *gpu)
		}
	}
	if errors.Is(err, fakecuda.ErrFull) {
		return fmt.Errorf("-gpu: a card of %s is full before the study's %d steps are done; the arms that trained before that: %s. Ask for a larger card, or train "+
			"with -dtype=bf16, -checkpoint or a smaller -batch: run fit says which ranks fit with them", size, o.steps, cmp.Or(strings.Join(names, " "), "none"))
	}
	if err != nil {
		return err
	}
	p.gpu = true
	p.notes = append(p.notes, fmt.Sprintf("on a stand-in card of %s every arm trains all its steps; PyTorch's allocator holds at most %.1f GiB", size, float64(held)/(1<<30)))
	return nil
}
