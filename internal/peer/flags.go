package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench"
	"lorabench/internal/decoder"
	"lorabench/internal/models"
	"lorabench/internal/root"
	"lorabench/lora"
)

// kind is a way of using the Trainer.
type kind struct {
	name    string
	optim   string // TrainingArguments' name
	grouped bool   // by length, where speed is measured
	follows bool   // uses lorabench's precision; else PyTorch's default float32
}

var kinds = []kind{
	{name: "stock", optim: "adamw_torch"},
	{name: "stock-dtype", optim: "adamw_torch", follows: true},
	{name: "tuned", optim: "adamw_torch_fused", grouped: true, follows: true},
}

// precision is the type of the frozen weights and of matrix products.
type precision struct {
	name  string // as -dtype has it
	flags []string
	torch string // torch's name of the weights' type
	tf32  bool
}

var precisions = []precision{
	{name: "float32", flags: []string{"-dtype=float32"}, torch: "float32"},
	{name: "tf32", flags: []string{"-dtype=float32", "-tf32"}, torch: "float32", tf32: true},
	{name: "bf16", flags: []string{"-dtype=bf16"}, torch: "bfloat16"},
}

// options holds the command line.
type options struct {
	model, data, tokenizer, recipe, device, out, turns string
	steps, lossSteps, maxLength, threads               int
	check, standIn                                     bool
	ranks                                              []int
	precisions                                         []precision
	peers                                              []kind
	extra                                              []string // lorabench's own flags
	args                                               []string // as given
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{args: args}
	var ranks, dtypes, peers, extra string
	fs := flag.NewFlagSet("peer", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.model, "model", "testdata/opt-350m/config.json", "the model's `CONFIG.json`; both programs make its weights by hash")
	fs.StringVar(&o.data, "data", "testdata/small/train.jsonl.gz", "instruction records, as lorabench's -data")
	fs.StringVar(&o.tokenizer, "tokenizer", "testdata/small", "`folder` of the tokenizer's files")
	fs.StringVar(&o.recipe, "recipe", "reported", "reported or assigned")
	fs.IntVar(&o.maxLength, "max-length", bench.Unset, "tokens a record is cut at (default the recipe's; on a CPU at most 256)")
	fs.StringVar(&ranks, "ranks", "8,128,256", "LoRA ranks")
	fs.IntVar(&o.steps, "steps", bench.Unset, "optimizer steps timed, 0 for none (default 3 on a CPU, 100 on CUDA)")
	fs.IntVar(&o.lossSteps, "loss-steps", bench.Unset, "optimizer steps whose losses are compared, 0 for none (default 3 on a CPU, 10 on CUDA)")
	fs.StringVar(&o.device, "device", "auto", "auto, cpu, cuda or cuda:N")
	fs.StringVar(&dtypes, "dtype", "float32", "what lorabench and the tuned peer compute in: float32, bf16, tf32 (float32 with TF32 products, CUDA), or several")
	fs.IntVar(&o.threads, "threads", bench.Unset, "threads of each program (default all that torch would use, OMP_NUM_THREADS obeyed)")
	fs.StringVar(&peers, "peers", "stock,tuned", "stock: Trainer as the reference run used it; stock-dtype: the same with -dtype; "+
		"tuned: fused AdamW, grouped by length, -dtype; none (with -stand-in)")
	fs.StringVar(&o.turns, "turns", "", "while speed is measured: step, lorabench and a peer take their steps in turn and share the memory; "+
		"round, all programs of a rank do; run, one after the other (default step on a CPU, run on CUDA)")
	fs.StringVar(&o.out, "out", "out", "`folder` for peer.json")
	fs.BoolVar(&o.standIn, "stand-in", false, "compare memory alone, on the stand-in card of internal/fakecuda, which needs no GPU; writes "+standInFile)
	fs.StringVar(&extra, "bench", "", "further `flags` for lorabench, as -name=value; a recipe's -batch, -accum, -lr, -alpha, -dropout hold for both programs")
	fs.BoolVar(&o.check, "check", false, "only say whether the peer's python has its packages")
	if err := fs.Parse(args); err != nil {
		if err == flag.ErrHelp {
			fmt.Fprintln(stderr, "Usage: go run ./internal/peer [flags]")
			fs.SetOutput(stderr)
			fs.PrintDefaults()
		}
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected %q: only flags are taken", fs.Arg(0))
	}
	if err := o.numbers(); err != nil {
		return o, err
	}
	var err error
	if o.ranks, err = parseRanks(ranks); err == nil {
		o.precisions, err = choose("-dtype", dtypes, precisions, func(p precision) string { return p.name })
	}
	if err == nil {
		if peers != "none" || !o.standIn {
			o.peers, err = choose("-peers", peers, kinds, func(k kind) string { return k.name })
		}
	}
	if err == nil {
		o.extra, err = parseExtra(extra)
	}
	return o, err
}

// numbers refuses values that allow no comparison.
func (o *options) numbers() error {
	for _, f := range []struct {
		name  string
		value int
	}{{"-steps", o.steps}, {"-loss-steps", o.lossSteps}, {"-threads", o.threads}, {"-max-length", o.maxLength}} {
		if f.value < 1 && f.value != bench.Unset && (f.value < 0 || !strings.HasSuffix(f.name, "steps")) {
			return fmt.Errorf("%s is %d, want at least 1", f.name, f.value)
		}
	}
	if o.steps == 0 && (o.lossSteps == 0 || o.standIn) {
		return fmt.Errorf("-steps is 0: want at least 1, or -loss-steps alone")
	}
	if !slices.Contains([]string{"", "step", "round", "run"}, o.turns) {
		return fmt.Errorf("-turns is %q, want step, round or run", o.turns)
	}
	return nil
}

func parseRanks(v string) (ranks []int, err error) {
	for _, r := range strings.Split(v, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(r))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-ranks has %q, want whole numbers of at least 1, such as 8,128,256", r)
		}
		if slices.Contains(ranks, n) {
			return nil, fmt.Errorf("-ranks has %d twice", n)
		}
		ranks = append(ranks, n)
	}
	return ranks, nil
}

// choose returns those of all that a flag's list names.
func choose[T any](flag, list string, all []T, name func(T) string) (chosen []T, err error) {
	var names, seen []string
	for _, x := range all {
		names = append(names, name(x))
	}
	for _, want := range strings.Split(list, ",") {
		i := slices.Index(names, strings.TrimSpace(want))
		if i < 0 {
			return nil, fmt.Errorf("%s has %q, want %s, or several", flag, want, strings.Join(names, ", "))
		}
		if slices.Contains(seen, names[i]) {
			return nil, fmt.Errorf("%s has %s twice", flag, names[i])
		}
		chosen, seen = append(chosen, all[i]), append(seen, names[i])
	}
	return chosen, nil
}

// own lists lorabench's flags that the comparison sets itself.
var own = []string{"model", "data", "tokenizer", "recipe", "max-length", "ranks", "device", "dtype", "tf32", "out",
	"order", "eval", "adapter", "model-dropout", "relay", "test.run", "test.bench", "test.benchtime", "test.count", "test.timeout"}

func parseExtra(v string) ([]string, error) {
	extra := strings.Fields(v)
	for _, f := range extra {
		name := flagName(f)
		if name == "" {
			return nil, fmt.Errorf("-bench has %q: write flags as -name=value", f)
		}
		if slices.Contains(own, name) {
			return nil, fmt.Errorf("-bench has -%s, which the comparison sets itself", name)
		}
	}
	return extra, nil
}

// flagName returns NAME of -NAME, --NAME and -NAME=VALUE, "" for anything else.
func flagName(arg string) string {
	rest, ok := strings.CutPrefix(arg, "-")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(rest, "-"), "=")
	return name
}

// paths makes the options' paths absolute: both programs run elsewhere.
func (o *options) paths() error {
	top, err := root.Dir()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		path *string
	}{{"-model", &o.model}, {"-data", &o.data}, {"-tokenizer", &o.tokenizer}} {
		if *f.path, err = find(top, *f.path); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if info, err := os.Stat(o.model); err == nil && info.IsDir() {
		o.model = filepath.Join(o.model, "config.json")
	}
	if o.out, err = filepath.Abs(o.out); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	return nil
}

// settings completes the options as lorabench itself would: its own flags parse what it will be
// given, so that the peer gets the same recipe. What depends on the device gets its default.
func (o *options) settings() (bench.Settings, error) {
	if err := o.paths(); err != nil {
		return bench.Settings{}, err
	}
	fs := flag.NewFlagSet("-bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	flags := bench.Register(fs)
	if o.standIn { // the device is the children's: this process has none
		o.device = "cpu"
	}
	args := []string{"-ranks=1", "-eval=0", "-model=hash:" + o.model, "-data=" + o.data, "-tokenizer=" + o.tokenizer,
		"-recipe=" + o.recipe, "-device=" + o.device, "-max-length=" + strconv.Itoa(o.maxLength)}
	for _, f := range o.extra {
		if fs.Lookup(flagName(f)) != nil { // the others are go test's and say nothing of the recipe
			args = append(args, f)
		}
	}
	if err := fs.Parse(args); err != nil {
		return bench.Settings{}, err
	}
	s, _, err := flags.Parsed(1)
	if err != nil {
		return s, err
	}
	if len(s.Arms()) > 1 || s.RSLoRA || s.DoRA {
		return s, fmt.Errorf("-bench has several values of -alpha, -lr or -targets, sqrt, or -dora: the peer is given one plain LoRA, so one number, one rate and one list of targets")
	}
	if slices.ContainsFunc(s.Targets, lora.IsAllLinear) {
		return s, fmt.Errorf("-bench has -targets=%s, which PEFT does not know in a list: name the layers", s.Targets[0])
	}
	if o.standIn {
		s.Device = "cuda:0"
	}
	cuda := s.Device != "cpu"
	for _, p := range o.precisions {
		if p.tf32 && !cuda {
			return s, fmt.Errorf("-dtype=tf32 is for CUDA, and the device is %s", s.Device)
		}
	}
	if o.maxLength == bench.Unset && !cuda {
		s.MaxLength = min(s.MaxLength, 256) // longer micro-batches need 20 GB in the peer
	}
	o.complete(cuda)
	config, err := models.ReadConfig(o.model)
	if err != nil {
		return s, fmt.Errorf("-model: %w", err)
	}
	s.MaxLength = min(s.MaxLength, int(config.Build(&decoder.Builder{}).MaxPositionEmbeddings))
	return s, nil
}

// complete sets the defaults that depend on the device.
func (o *options) complete(cuda bool) {
	if o.steps == bench.Unset {
		o.steps = byDevice(cuda, 100, 3)
	}
	if o.lossSteps == bench.Unset {
		o.lossSteps = byDevice(cuda, 10, 3)
	}
	if o.turns == "" { // a card's memory is for one of them, and its speed does not drift as a shared machine's does
		o.turns = "step"
		if cuda {
			o.turns = "run"
		}
	}
}

func byDevice(cuda bool, onCUDA, onCPU int) int {
	if cuda {
		return onCUDA
	}
	return onCPU
}

// find makes path absolute: from here, or else from the module's root.
func find(top, path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(abs); err == nil {
		return abs, nil
	}
	if in := filepath.Join(top, path); !filepath.IsAbs(path) {
		if _, err := os.Stat(in); err == nil {
			return in, nil
		}
	}
	return "", fmt.Errorf("there is no %s, here or in the module's root", path)
}
