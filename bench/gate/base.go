package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"

	"lorabench/bench/gate/judge"
	"lorabench/bench/gate/turns"
)

// base is the flags of -base.
type base struct {
	rev string
	turns.Options
}

func (b *base) flags(fs *flag.FlagSet) {
	fs.StringVar(&b.rev, "base", "", "`revision` to check out, measure in turns with the working tree, and judge against")
	fs.IntVar(&b.Steps, "steps", 0, "with -base: optimizer steps of each run (default 40)")
	fs.IntVar(&b.Seeds, "seeds", 0, "with -base: runs of each benchmark and side (default 10)")
	fs.StringVar(&b.Ranks, "ranks", "", "with -base: the `ranks` to train (default the benchmark's own)")
	fs.StringVar(&b.Out, "out", "", "with -base: `folder` for both sides' results (default out/gate)")
}

// check refuses flags of -base without it, which would be ignored without a word.
func (b *base) check(given map[string]bool) error {
	if b.rev != "" {
		return nil
	}
	if given["base"] {
		return errors.New("-base is empty, want a revision")
	}
	for _, name := range []string{"steps", "seeds", "ranks", "out"} {
		if given[name] {
			return fmt.Errorf("-%s is for -base, which is not given", name)
		}
	}
	return nil
}

// judgeBase judges the working tree against the base. What could not be measured is a verdict too, so that
// files of reports say so.
func (c *command) judgeBase(benchFlags []string) (judge.Status, error) {
	v, err := c.measureBase(benchFlags)
	if err != nil {
		v = &judge.Verdict{Status: judge.Unusable, Text: "Nothing was judged: the input cannot be used.",
			Problems: []judge.Problem{{Kind: judge.Empty, Text: err.Error()}}}
	}
	return v.Status, c.output.write(c.stdout, c.stderr, v)
}

// measureBase measures and compares both. Where speed got worse it times the parts of a step too, so that
// the verdict names the one that slowed.
func (c *command) measureBase(benchFlags []string) (*judge.Verdict, error) {
	o := c.base.Options
	o.Base, o.BenchFlags, o.Stderr = c.base.rev, benchFlags, c.stderr
	release, err := turns.Hold(context.Background(), &o)
	if err != nil {
		return nil, err
	}
	defer release()
	base, head, err := turns.Run(context.Background(), o)
	if err != nil {
		return nil, err
	}
	v := c.compare("base="+base, "head="+head)
	slower := func(r judge.Result) bool { return r.Call == judge.CallWorse && r.Class == judge.Speed }
	if v.Status == judge.Worse && slices.ContainsFunc(v.Results, slower) {
		if err := turns.Parts(context.Background(), o); err != nil {
			v.Notes = append(v.Notes, fmt.Sprintf("which part of a step slowed is not known: %v", err))
		} else {
			v = c.compare("base="+base, "head="+head)
		}
	}
	return v, nil
}
