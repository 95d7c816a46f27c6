package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"lorabench/bench"
	"lorabench/bench/record"
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
	saying   sync.Mutex // two programs may be at work
}

// phase is what every rank and program goes through: losses first, then speed.
type phase struct {
	name    string
	steps   int
	warmup  int  // steps before them that the peer leaves out
	still   bool // every dropout is off
	samples string
	tokens  int64 // real ones in the steps
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
	// Before its clock starts lorabench has trained rows of every size that comes. On a card the peer is given all its micro-batches
	// twice: the first product of a shape makes cuBLAS choose a kernel and load it, which took the peer a second a step in bf16.
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
		p.samples, p.tokens = filepath.Join(c.dir, p.name+"-samples.json"), tokens(timed)
		if err := writeSamples(p.samples, timed); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(c.dir, "peer.py"), []byte(program), 0o666); err != nil {
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

// measurePhase fills in what a phase says of one rank. Losses do not depend on what ran beside them.
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

// relayed is what a program is told that gets descriptors from 3 on.
const relayed = "3,4"

// measured is one program's run: of lorabench the record, of the peer the result.
type measured struct {
	record *record.Record
	result *result
	maxRSS int64 // of the process, whatever it did
}

func (c *comparison) runOurs(ctx context.Context, rank int, q training, p phase, pipes []*os.File) (measured, error) {
	rss, err := c.startOurs(ctx, rank, q, p, pipes)
	if err != nil {
		return measured{}, err
	}
	rec, err := readRecord(filepath.Join(c.records(rank, q, p), fmt.Sprintf("rank=%d,seed=%d.json", rank, c.recipe.Seed)), p.steps)
	return measured{record: rec, maxRSS: rss}, err
}

// startOurs runs lorabench and returns the process's most memory.
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
		// One of many that took several steps a turn would end first, and let two others run at once; on a card a turn wakes up nothing.
		if c.turns == "round" || c.cuda() {
			leg = ",0s"
		}
		argv = append(argv, "-relay="+relayed+leg)
	}
	return process.Command{What: what, Argv: argv, Dir: c.benchDir, Env: c.env(), Log: c.log(q), Pass: pipes}.Run(ctx)
}

// log is the file of what a program prints: several may be at work.
func (c *comparison) log(q training) string {
	name := "lorabench"
	if q.kind != nil {
		name = q.kind.name
	}
	return filepath.Join(c.dir, name+"-"+q.precision.name+".log")
}

// records is the folder of lorabench's record.
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
		steps = 0 // the peer tells no losses from there
	}
	res, err := readResult(job.Result, steps)
	return measured{result: res, maxRSS: rss}, err
}

// runPython runs peer.py with a job, written under the name, and returns the process's most memory.
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

// env is for both programs: what they leave behind goes when this ends.
func (c *comparison) env() []string {
	env := append([]string{"TMPDIR=" + c.dir}, c.card...)
	if c.threads != bench.Unset {
		env = append(env, "OMP_NUM_THREADS="+strconv.Itoa(c.threads))
	}
	return env
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
