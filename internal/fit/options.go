package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"lorabench/internal/fakecuda"
)

// The repository's own data and tokenizer, for a -model without any: only the lengths of sequences matter here.
const (
	ownData      = "testdata/small/train.jsonl.gz"
	ownTokenizer = "testdata/small"
)

// options holds the command line.
type options struct {
	model, data, tokenizer string
	gpus                   []int64 // bytes of the cards
	ranks                  []int   // rising, at least two
	dtypes                 []string
	steps                  int
	maxRank, maxBatch      int
	passed                 []string // flags that go to bench as they are
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("fit", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.model, "model", "hash:testdata/opt-350m/config.json",
		"model `folder`, Hub id, or hash:CONFIG.json for made weights of that shape")
	fs.StringVar(&o.data, "data", ownData, "instruction records; only their lengths matter")
	fs.StringVar(&o.tokenizer, "tokenizer", "", "`folder` of the tokenizer's files (default the model's; "+ownTokenizer+" with hash:)")
	gpus := fs.String("gpu", "24GiB", "the card's `memory`, in GiB, GB or MiB, or a list: 8GiB,24GiB")
	ranks := fs.String("ranks", "8,128,256", "ranks of the table, at least two; the largest batch is that of the smallest")
	dtypes := fs.String("dtypes", "float32,bf16", "bench's -dtype, a list")
	fs.IntVar(&o.steps, "steps", 1000, "optimizer steps of each trial: the more, the longer the longest row of tokens")
	fs.IntVar(&o.maxRank, "max-rank", 16384, "try no rank above it")
	fs.IntVar(&o.maxBatch, "max-batch", 1024, "try no batch above it; 0 searches none")
	for _, name := range []string{"recipe", "batch", "accum", "max-length", "targets"} {
		fs.Func(name, "as bench's", func(v string) error {
			o.passed = append(o.passed, "-"+name+"="+v)
			return nil
		})
	}
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected %q: only flags are taken", fs.Arg(0))
	}
	if o.tokenizer == "" && strings.HasPrefix(o.model, "hash:") {
		o.tokenizer = ownTokenizer
	}
	for _, v := range strings.Split(*gpus, ",") {
		gpu, err := fakecuda.ParseMemory(v)
		if err != nil {
			return o, fmt.Errorf("-gpu: %w", err)
		}
		o.gpus = append(o.gpus, gpu)
	}
	if o.ranks, err = parseRanks(*ranks); err != nil {
		return o, err
	}
	o.dtypes = strings.Split(*dtypes, ",")
	for _, f := range []struct {
		name         string
		value, least int
	}{{"-steps", o.steps, 1}, {"-max-rank", o.maxRank, 1}, {"-max-batch", o.maxBatch, 0}} {
		if f.value < f.least {
			return o, fmt.Errorf("%s is %d, want at least %d", f.name, f.value, f.least)
		}
	}
	return o, nil
}

func parseRanks(v string) (ranks []int, err error) {
	for _, e := range strings.Split(v, ",") {
		r, err := strconv.Atoi(strings.TrimSpace(e))
		if err != nil || r < 1 {
			return nil, fmt.Errorf("-ranks has %q, want whole numbers of at least 1", e)
		}
		ranks = append(ranks, r)
	}
	slices.Sort(ranks)
	if ranks = slices.Compact(ranks); len(ranks) < 2 {
		return nil, fmt.Errorf("-ranks is %q, want at least two: between them memory is interpolated", v)
	}
	return ranks, nil
}
