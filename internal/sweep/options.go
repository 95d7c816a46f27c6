package main

import (
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"lorabench/internal/fakecuda"
)

// options are the flags: sweep's own, and bench's as they were typed.
type options struct {
	parts    int
	time     time.Duration
	memory   int   // MiB
	card     int64 // bytes of a GPU's memory; 0: not asked
	measured string
	sbatch   string
	runner   string
	submit   bool

	out   string // bench's -out, absolute
	count int
	steps int      // of -benchtime; 0 where it is no number of steps
	bench []string // every other flag of bench
}

// parse tells sweep's flags from bench's and reads of those what it needs.
func parse(args []string, stderr io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("sweep-slurm", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&o.parts, "parts", 0, "tasks of the array (default one for each seed: blocks are then whole)")
	fs.DurationVar(&o.time, "time", 0, "time limit of a task, such as 2h (default from -measured)")
	fs.IntVar(&o.memory, "mem", 0, "memory of a task in `MiB` (default from -measured, else the cluster's)")
	fs.Func("gpu", "memory of the cards, such as 24GiB: asks for a GPU, and refuses a study that does not fit, tried on a stand-in card as run fit does", func(v string) (err error) {
		o.card, err = fakecuda.ParseMemory(v)
		return err
	})
	fs.StringVar(&o.measured, "measured", "", "`folder` of records of a few steps of the same arms, which say how long a task takes and how much memory")
	fs.StringVar(&o.sbatch, "sbatch", "", "more `options` of sbatch for the array, such as '--partition=gpu --account=x'")
	fs.StringVar(&o.runner, "run", "", "the run `script` of the bundle that nodes use (default this bundle's)")
	fs.BoolVar(&o.submit, "submit", false, "submit the jobs instead of printing the script")
	fs.Usage = func() {
		fmt.Fprint(stderr, "usage: run sweep-slurm [FLAGS] [FLAGS OF BENCH, with -out=DIR -count=N -benchtime=Nx]\n")
		fs.PrintDefaults()
	}
	var own []string
	for i := 0; i < len(args); i++ {
		name, _, valued := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		f := fs.Lookup(name)
		switch {
		case !strings.HasPrefix(args[i], "-"):
			return o, fmt.Errorf("unexpected argument %q: give flags as -name=value", args[i])
		case f == nil && name != "h" && name != "help":
			o.bench = append(o.bench, args[i])
			continue
		}
		own = append(own, args[i])
		if f != nil && !valued && name != "submit" && i+1 < len(args) {
			i++
			own = append(own, args[i])
		}
	}
	if err := fs.Parse(own); err != nil {
		return o, err
	}
	return o, o.check()
}

// check reads bench's flags that a plan depends on and refuses what would not become a study in parts.
func (o *options) check() (err error) {
	o.count = 1
	if n, given := o.value("count"); given {
		if o.count, err = strconv.Atoi(n); err != nil {
			return fmt.Errorf("-count: %w", err)
		}
	}
	steps, _ := o.value("benchtime")
	if n, counted := strings.CutSuffix(steps, "x"); counted {
		o.steps, _ = strconv.Atoi(n)
	}
	o.out, _ = o.value("out")
	o.bench = slices.DeleteFunc(o.bench, func(f string) bool { return flagName(f) == "out" })
	shard, sharded := o.value("shard")
	switch {
	case sharded:
		return fmt.Errorf("-shard=%s: the tasks of the array are the parts: leave it out", shard)
	case o.out == "":
		return fmt.Errorf("-out is missing: the folder, on a file system that all nodes share, that records go to")
	case o.count < 1:
		return fmt.Errorf("-count is %d, want at least 1", o.count)
	case o.steps < 1:
		return fmt.Errorf("-benchtime is %q, want a number of steps such as 1000x: a task goes on with a run of so many", steps)
	case o.parts < 0:
		return fmt.Errorf("-parts is %d, want at least 1", o.parts)
	case o.time < 0 || o.memory < 0:
		return fmt.Errorf("-time is %v and -mem %d, want more than 0", o.time, o.memory)
	case o.measured == "" && o.time == 0:
		return fmt.Errorf("how long does a task take? Train a few steps where tasks will run (run bench FLAGS -benchtime=5x -count=1 " +
			"-out=first) and give -measured=first, or give -time")
	}
	if o.parts == 0 {
		o.parts = o.count
	}
	o.out, err = filepath.Abs(o.out)
	return err
}

// value returns the value of a flag of bench's, "" for one without a value, and whether it is given. The last one counts.
func (o *options) value(name string) (value string, given bool) {
	for _, f := range o.bench {
		if flagName(f) == name {
			_, value, _ = strings.Cut(f, "=")
			given = true
		}
	}
	return value, given
}

func flagName(f string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(f, "-"), "=")
	return strings.TrimPrefix(name, "test.")
}
