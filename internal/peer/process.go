package main

import (
	"context"
	"fmt"
	"lorabench/bench"
	"lorabench/bench/record"
	"lorabench/internal/process"
	"lorabench/internal/root"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// visible returns CUDA_VISIBLE_DEVICES for a peer that is to see only the named device: a Trainer that sees several spreads its batches
// over all of them. now is the variable's value, if it is set.
func visible(device, now string, set bool) (string, error) {
	if device == "cpu" {
		return "", nil
	}
	index := 0
	if _, n, ok := strings.Cut(device, ":"); ok {
		var err error
		if index, err = strconv.Atoi(n); err != nil || index < 0 {
			return "", fmt.Errorf("device %q: want cpu, cuda or cuda:N", device)
		}
	}
	if !set {
		return strconv.Itoa(index), nil
	}
	devices := slices.DeleteFunc(strings.Split(now, ","), func(d string) bool { return strings.TrimSpace(d) == "" })
	if index >= len(devices) {
		return "", fmt.Errorf("CUDA_VISIBLE_DEVICES is %q and has no device %d", now, index)
	}
	return strings.TrimSpace(devices[index]), nil
}

// relayed is how a program is told of a relay's descriptors, which it gets from 3 on.
const relayed = "3,4"

// measured is one program's run: lorabench's record, or the peer's result.
type measured struct {
	record *record.Record
	result *result
	maxRSS int64 // of the whole process
}

func (c *comparison) runOurs(ctx context.Context, rank int, q training, p phase, pipes []*os.File) (measured, error) {
	rss, err := c.startOurs(ctx, rank, q, p, pipes)
	if err != nil {
		return measured{}, err
	}
	rec, err := readRecord(filepath.Join(c.records(rank, q, p), fmt.Sprintf("rank=%d,seed=%d.json", rank, c.recipe.Seed)), p.steps)
	return measured{record: rec, maxRSS: rss}, err
}

// startOurs runs lorabench and returns the process's peak resident memory.
func (c *comparison) startOurs(ctx context.Context, rank int, q training, p phase, pipes []*os.File) (int64, error) {
	what := c.what(rank, q, p)
	c.progress(what)
	s := c.recipe
	argv := slices.Concat([]string{c.binary, "-test.run=^$", "-test.bench=Rank", "-test.benchtime=" + strconv.Itoa(p.steps) + "x",
		"-test.timeout=0", "-ranks=" + strconv.Itoa(rank), "-model=hash:" + c.model, "-tokenizer=" + c.tokenizer, "-data=" + c.data,
		"-recipe=" + s.Recipe, "-max-length=" + strconv.Itoa(s.MaxLength), "-order=" + s.Order, "-eval=0", "-adapter=" + c.adapter(rank, p),
		"-device=" + s.Device, "-out=" + c.records(rank, q, p)}, q.flags, c.extra)
	// The adapter has the recipe's dropout, or none where both are still: the flag would contradict it.
	argv = slices.DeleteFunc(argv, func(f string) bool { return flagName(f) == "dropout" })
	if p.still {
		argv = append(argv, "-model-dropout=0")
	}
	if pipes != nil {
		leg := ""
		// With several steps a turn, one of many would end first, and let two others run at once; on a card a turn wakes up nothing.
		if c.turns == "round" || c.cuda() {
			leg = ",0s"
		}
		argv = append(argv, "-relay="+relayed+leg)
	}
	return process.Command{What: what, Argv: argv, Dir: c.benchDir, Env: c.env(), Log: c.log(q), Pass: pipes}.Run(ctx)
}

// log returns the log file of a program: several may run at once.
func (c *comparison) log(q training) string {
	name := "lorabench"
	if q.kind != nil {
		name = q.kind.name
	}
	return filepath.Join(c.dir, name+"-"+q.precision.name+".log")
}

// records returns the folder of lorabench's record.
func (c *comparison) records(rank int, q training, p phase) string {
	return filepath.Join(c.dir, "records", fmt.Sprintf("r%d-%s-%s", rank, q.precision.name, p.name))
}

func (c *comparison) runPeer(ctx context.Context, rank int, q training, p phase, pipes []*os.File) (measured, error) {
	c.progress(c.what(rank, q, p))
	s := c.recipe
	name := fmt.Sprintf("r%d-%s-%s-%s", rank, q.kind.name, q.precision.name, p.name)
	job := trainJob{Model: c.model, HashSeed: 1, DType: q.torch, TF32: q.tf32, Adapter: c.adapter(rank, p), Samples: p.samples,
		Device: strings.SplitN(s.Device, ":", 2)[0], Warmup: p.warmup, Steps: p.steps, Batch: s.Batch, Accum: s.Accum, LR: s.LR,
		Optim: q.optim, Grouped: q.grouped && !p.still, LoggingSteps: 10, Seed: s.Seed,
		Scratch: filepath.Join(c.dir, "scratch-"+name), Result: filepath.Join(c.dir, name+".json")}
	if c.threads != bench.Unset {
		job.Threads = c.threads
	}
	if p.still {
		job.ModelDropout, job.LoggingSteps = new(float64), 1 // logging waits for the device: not where speed is measured
	}
	if pipes != nil {
		job.Relay = relayed
	}
	rss, err := c.runPython(ctx, "train", c.what(rank, q, p), name, c.log(q), job, pipes...)
	if err != nil {
		return measured{}, err
	}
	steps := p.steps
	if c.options.standIn {
		steps = 0 // the peer reports no losses there
	}
	res, err := readResult(job.Result, steps)
	return measured{result: res, maxRSS: rss}, err
}

// runPython runs peer.py with a job, written under the name, and returns the process's peak resident memory.
func (c *comparison) runPython(ctx context.Context, subcommand, what, name, log string, job any, pipes ...*os.File) (int64, error) {
	path := filepath.Join(c.dir, name+"-job.json")
	if err := writeJSON(path, job); err != nil {
		return 0, err
	}
	env := append(c.env(), "CUDA_VISIBLE_DEVICES="+c.visible, "HF_HUB_OFFLINE=1", "TRANSFORMERS_OFFLINE=1", "TOKENIZERS_PARALLELISM=false",
		"PYTHONUNBUFFERED=1")
	if root.Bundled() {
		// The run script put a libtorch there for lorabench. Python's torch finds its own.
		env = append(env, "LD_LIBRARY_PATH="+os.Getenv(root.LibraryPathVariable))
	}
	return process.Command{What: what, Argv: []string{c.python, filepath.Join(c.dir, "peer.py"), subcommand, path}, Dir: c.dir, Env: env,
		Log: log, Pass: pipes}.Run(ctx)
}

// env returns both programs' environment: what they leave behind is removed when this program ends.
func (c *comparison) env() []string {
	env := append([]string{"TMPDIR=" + c.dir}, c.card...)
	if c.threads != bench.Unset {
		env = append(env, "OMP_NUM_THREADS="+strconv.Itoa(c.threads))
	}
	return env
}
