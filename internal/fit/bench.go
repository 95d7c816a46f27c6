package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"lorabench/internal/fakecuda"
	"lorabench/internal/process"
	"lorabench/internal/root"
)

// setting is what a line of a table is for.
type setting struct {
	dtype      string
	graphs     string // bench's -graphs
	checkpoint bool
}

// trial is one process that trains each rank on a card.
type trial struct {
	setting
	card  int64
	ranks []int
	batch int // 0: the recipe's, or -batch
	steps int
}

func (t trial) String() string {
	s := fmt.Sprintf("%s, graphs %s, checkpoint %t, ranks %s", t.dtype, t.graphs, t.checkpoint, join(t.ranks))
	if t.batch > 0 {
		s += fmt.Sprintf(", batch %d", t.batch)
	}
	return s + fmt.Sprintf(", %d steps on %s", t.steps, gib(t.card))
}

// peak is a training's memory as PyTorch's allocator counts it.
type peak struct {
	rank                int
	allocated, reserved int64
	graphs              string // on, off, or failed: not recorded, and the run went on without
}

// bench runs trials.
type bench struct {
	options
	libs, dir, binary string
	trials            int
}

func newBench(ctx context.Context, o options, libs, dir string) (*bench, error) {
	top, err := root.Dir()
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, libs: libs, dir: dir}
	b.binary, err = process.Benchmark(ctx, top, dir)
	return b, err
}

// try returns the peaks of t's ranks in their order, and [fakecuda.ErrFull] where the card ran out of memory.
func (b *bench) try(ctx context.Context, t trial) ([]peak, error) {
	b.trials++
	runs, err := fakecuda.Card{Memory: t.card}.Train(ctx, b.libs, fakecuda.Training{What: t.String(), Argv: b.argv(t), Dir: filepath.Join(b.dir, strconv.Itoa(b.trials))})
	if err != nil {
		return nil, err
	}
	return peaks(t, runs)
}

func (b *bench) argv(t trial) []string {
	argv := []string{b.binary, "-test.run=^$", "-test.bench=Rank", "-test.benchtime=" + strconv.Itoa(t.steps) + "x",
		"-test.timeout=0", "-device=cuda", "-eval=0", "-model=" + b.model, "-data=" + b.data,
		"-ranks=" + join(t.ranks), "-dtype=" + t.dtype, "-graphs=" + t.graphs}
	if b.tokenizer != "" {
		argv = append(argv, "-tokenizer="+b.tokenizer)
	}
	if t.checkpoint {
		argv = append(argv, "-checkpoint")
	}
	argv = append(argv, b.passed...)
	if t.batch > 0 { // the last one counts
		argv = append(argv, "-batch="+strconv.Itoa(t.batch))
	}
	return argv
}

func peaks(t trial, runs []fakecuda.Run) ([]peak, error) {
	if len(runs) != len(t.ranks) {
		return nil, fmt.Errorf("%s: %d runs are reported, want %d", t, len(runs), len(t.ranks))
	}
	var out []peak
	for i, r := range runs {
		p := r.Record.PeakMemory
		if r.Record.Rank != strconv.Itoa(t.ranks[i]) || p.GPUAllocated == nil || p.GPUReserved == nil {
			return nil, fmt.Errorf("%s: run %d is %s, want rank %d with its peaks", t, i+1, r.Record.Name, t.ranks[i])
		}
		graphs := "off"
		switch {
		case r.Record.GraphsFailed != "":
			graphs = "failed"
		case r.Record.Graphs > 0:
			graphs = "on"
		}
		out = append(out, peak{t.ranks[i], *p.GPUAllocated, *p.GPUReserved, graphs})
	}
	return out, nil
}

func join(ranks []int) string {
	s := make([]string, len(ranks))
	for i, r := range ranks {
		s[i] = strconv.Itoa(r)
	}
	return strings.Join(s, ",")
}
