package main

import (
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// options holds the command line.
type options struct {
	minutes                            float64
	stages                             []int
	model, data, tokenizer, out, ranks string
	device                             string
	standIn, again                     bool
	extra                              string
	steps, longSteps, peerSteps        int
	maxLength                          int // 0 is the recipe's
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var stages string
	fs := flag.NewFlagSet("gpucheck", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Float64Var(&o.minutes, "minutes", 8, "time for all stages together")
	fs.StringVar(&stages, "stages", "1-6", "stages to run, such as 1-3,6:\n"+stageHelp())
	fs.StringVar(&o.data, "data", "testdata/small/train.jsonl.gz", "instruction records, such as CodeAlpaca's file")
	fs.StringVar(&o.tokenizer, "tokenizer", "testdata/small", "`folder` of the tokenizer's files")
	fs.StringVar(&o.model, "model", "hash:testdata/opt-350m/config.json", "model `folder`, or hash:CONFIG.json for weights made by hash")
	fs.StringVar(&o.ranks, "ranks", "8,128,256", "LoRA ranks")
	fs.IntVar(&o.steps, "steps", 60, "optimizer steps of each run of stages 2, 3 and 4")
	fs.IntVar(&o.longSteps, "long-steps", 1000, "optimizer steps of each run of stage 5")
	fs.IntVar(&o.peerSteps, "peer-steps", 300, "optimizer steps of the peer in stage 5")
	fs.StringVar(&o.device, "device", "auto", "auto, cpu, cuda or cuda:N")
	fs.BoolVar(&o.standIn, "stand-in", false, "run everything on the stand-in card, which computes nothing: a trial of this command")
	fs.StringVar(&o.extra, "bench", "", "further `flags` for lorabench and the peer, as -name=value: -batch, -accum, -alpha ...")
	fs.IntVar(&o.maxLength, "max-length", 0, "tokens a record is cut at (default the recipe's)")
	fs.BoolVar(&o.again, "again", false, "run again what -out has already")
	fs.StringVar(&o.out, "out", "gpucheck-out", "`folder` for the results")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected %q: only flags are taken", fs.Arg(0))
	}
	if !(o.minutes > 0) {
		return o, fmt.Errorf("-minutes is %v, want more than 0", o.minutes)
	}
	for _, f := range []struct {
		name  string
		value int
	}{{"-steps", o.steps}, {"-long-steps", o.longSteps}, {"-peer-steps", o.peerSteps}} {
		if f.value < 1 {
			return o, fmt.Errorf("%s is %d, want at least 1", f.name, f.value)
		}
	}
	if o.maxLength < 0 {
		return o, fmt.Errorf("-max-length is %d, want at least 1", o.maxLength)
	}
	var err error
	if o.stages, err = parseStages(stages); err != nil {
		return o, err
	}
	o.out, err = filepath.Abs(o.out)
	return o, err
}

func stageHelp() string {
	var b strings.Builder
	for _, s := range stages() {
		fmt.Fprintf(&b, "%d %s\n", s.n, s.title)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// parseStages reads numbers and ranges of them, such as 1-3,6.
func parseStages(v string) (out []int, err error) {
	for _, part := range strings.Split(v, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if errA != nil || errB != nil || a < 1 || b < a || b > len(stages()) {
			return nil, fmt.Errorf("-stages has %q, want numbers from 1 to %d and ranges of them, such as 1-3,6", part, len(stages()))
		}
		for n := a; n <= b; n++ {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
