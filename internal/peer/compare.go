package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"lorabench/bench"
	"lorabench/internal/file"
	"lorabench/internal/process"
	"lorabench/internal/root"
)

// comparison is one invocation, prepared: everything that its runs share.
type comparison struct {
	options
	recipe   bench.Settings
	dir      string // temporary, with all that the runs write
	python   string
	visible  string // CUDA_VISIBLE_DEVICES of the peer
	binary   string // lorabench's compiled benchmark
	benchDir string // where go test would run it
	versions map[string]string
	notes    []string
	losses   phase
	speed    phase
	card     []string // with -stand-in, the environment in which programs find it
	stderr   io.Writer
	saying   sync.Mutex // two programs may run at once
}

// phase is what every rank and program goes through: losses first, then speed.
type phase struct {
	name    string
	steps   int
	warmup  int  // steps before them that the peer leaves out
	still   bool // every dropout is off
	samples string
	tokens  []int64 // real ones in each step
}

// compare measures, writes the results and prints the table: all of it or nothing.
func compare(ctx context.Context, o options, stdout, stderr io.Writer) error {
	return compareWith(ctx, o, stdout, stderr, (*comparison).programs)
}

// compareWith is compare with the two programs that programs finds.
func compareWith(ctx context.Context, o options, stdout, stderr io.Writer, programs func(*comparison, context.Context) error) (err error) {
	c := &comparison{options: o, stderr: stderr}
	if c.recipe, err = c.settings(); err != nil {
		return err
	}
	if err := os.MkdirAll(c.out, 0o777); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	if c.dir, err = os.MkdirTemp("", "lorabench-peer-"); err != nil {
		return err
	}
	defer os.RemoveAll(c.dir)
	if err := programs(c, ctx); err != nil {
		return err
	}
	if c.options.standIn {
		return c.standIn(ctx, stdout)
	}
	// Before its clock starts lorabench has trained rows of every size that occurs. On a card the peer is given all its micro-batches twice:
	// the first product of a shape makes cuBLAS choose a kernel and load it, which took the peer a second a step in bf16.
	c.losses = phase{name: "losses", steps: c.lossSteps, still: true}
	c.speed = phase{name: "speed", steps: c.steps, warmup: byDevice(c.cuda(), c.steps, 1)}
	if err := c.inputs(ctx, &c.losses, &c.speed); err != nil {
		return err
	}
	rows, err := c.measure(ctx)
	if err != nil {
		return err
	}
	path := filepath.Join(c.out, "peer.json")
	b, err := marshal(rows)
	if err == nil {
		err = file.Write(path, b)
	}
	if err != nil {
		return err
	}
	return report(stdout, rows, c.notes)
}

// programs finds or makes the two programs.
func (c *comparison) programs(ctx context.Context) (err error) {
	top, err := root.Dir()
	if err != nil {
		return err
	}
	c.benchDir = filepath.Join(top, "bench")
	if c.python, err = pythonCommand(ctx, c.dir, c.stderr); err != nil {
		return err
	}
	if c.versions, c.notes, err = versionsOf(ctx, c.python, c.dir); err != nil {
		return err
	}
	if c.options.standIn {
		if err := suitsPeer(ctx, c.python, c.dir); err != nil {
			return err
		}
	}
	c.progress("compiling lorabench")
	c.binary, err = process.Benchmark(ctx, top, c.dir)
	return err
}

// inputs writes what both programs are given: samples and adapters.
func (c *comparison) inputs(ctx context.Context, phases ...*phase) (err error) {
	now, set := os.LookupEnv("CUDA_VISIBLE_DEVICES")
	if c.visible, err = visible(c.recipe.Device, now, set); err != nil {
		return err
	}
	phases = slices.DeleteFunc(phases, func(p *phase) bool { return p.steps == 0 })
	for _, p := range phases {
		step := c.recipe.Batch * c.recipe.Accum
		timed, err := sequences(ctx, c.recipe, step*p.steps)
		if err != nil {
			return err
		}
		p.samples = filepath.Join(c.dir, p.name+"-samples.json")
		for of := range slices.Chunk(timed, step) {
			p.tokens = append(p.tokens, tokens(of))
		}
		if err := writeSamples(p.samples, timed); err != nil {
			return err
		}
	}
	if err := os.CopyFS(c.dir, programs); err != nil {
		return err
	}
	job := adaptersJob{Model: c.model, Seed: c.recipe.Seed, Alpha: c.recipe.Alpha, Targets: c.recipe.Targets,
		Result: filepath.Join(c.dir, "adapters.json")}
	for _, rank := range c.ranks {
		for _, p := range phases {
			a := newAdapter{Rank: rank, Dropout: c.recipe.Dropout, Folder: c.adapter(rank, *p)}
			if p.still {
				a.Dropout = 0
			}
			job.Make = append(job.Make, a)
		}
	}
	c.progress("making the adapters")
	_, err = c.runPython(ctx, "adapters", "making the adapters", "adapters", filepath.Join(c.dir, "adapters.log"), job)
	return err
}

// measure runs everything, the programs in turn.
func (c *comparison) measure(ctx context.Context) (rows []row, err error) {
	for _, rank := range c.ranks {
		ofRank := make([]row, len(c.pairs()))
		for _, p := range []phase{c.losses, c.speed} {
			if p.steps == 0 {
				continue
			}
			if err := c.measurePhase(ctx, rank, p, ofRank); err != nil {
				return nil, err
			}
		}
		rows = append(rows, ofRank...)
	}
	return rows, nil
}

// measurePhase fills in a phase's figures for one rank. Losses do not depend on what ran beside them.
func (c *comparison) measurePhase(ctx context.Context, rank int, p phase, rows []row) (err error) {
	pairs := c.pairs()
	var got map[string]measured
	for i, x := range pairs {
		switch {
		case !p.still && c.turns == "step":
			got, err = c.round(ctx, rank, p, []pair{x})
		case i == 0 && !p.still && c.turns == "round":
			got, err = c.round(ctx, rank, p, pairs)
		case i == 0:
			got, err = c.oneByOne(ctx, rank, p, pairs)
		}
		if err != nil {
			return err
		}
		ours, theirs := got[c.what(rank, x.ours, p)], got[c.what(rank, x.theirs, p)]
		what := fmt.Sprintf("rank %d, %s, %s", rank, x.theirs.kind.name, p.name)
		if err := c.same(p, ours, theirs); err != nil {
			return fmt.Errorf("%s: lorabench and the peer did not do the same: %w", what, err)
		}
		err := rows[i].describe(c, x, ours, theirs)
		if p.still {
			rows[i].compareLosses(ours, theirs)
		} else if err == nil {
			err = rows[i].compareSpeed(c, ours, theirs)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

func (c *comparison) cuda() bool { return c.recipe.Device != "cpu" }

func (c *comparison) adapter(rank int, p phase) string {
	return filepath.Join(c.dir, "adapters", fmt.Sprintf("r%d-%s", rank, p.name))
}

func (c *comparison) progress(what string) {
	c.saying.Lock()
	defer c.saying.Unlock()
	fmt.Fprintf(c.stderr, "peer: %s\n", what)
}
