package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
	"lorabench/bench/gate/show"
	"lorabench/bench/gate/turns"
	"lorabench/bench/results"
)

// run is the command; its result is the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	c := &command{stdout: stdout, stderr: stderr}
	fs := c.flags()
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return int(judge.Pass)
	} else if err != nil {
		return int(judge.Unusable) // fs has said why
	}
	status, err := c.run(fs)
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") { // errors.Join's: one line each
			fmt.Fprintf(stderr, "gate: %s\n", show.Line(line))
		}
		return int(judge.Unusable)
	}
	return int(status)
}

// command is the flags and what they are made into.
type command struct {
	stdout, stderr io.Writer

	rulesFile         string
	ruleLines, ignore words
	accept            string
	options           judge.Options
	rules             *judge.Rules
	output            output
	turns             turns.Options
}

func (c *command) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("gate", flag.ContinueOnError)
	fs.SetOutput(c.stderr)
	fs.StringVar(&c.rulesFile, "rules", "gate.txt", "`file` of rules, a line per unit; the default is read only if it exists")
	fs.Var(&c.ruleLines, "rule", "one `line` of rules, such as 'samples/sec floor=5%'; repeatable, over the file's")
	fs.IntVar(&c.options.MinSamples, "min-samples", 4, "fewest values that a side must have of what is tested")
	fs.Var(&c.ignore, "ignore", "configuration `keys` that may differ between the sides, with commas; repeatable")
	fs.StringVar(&c.accept, "accept", "", "losses: other digits of the same seed are meant; losses are tested then. With -base\n"+
		turns.Accept+" in the message of a commit of the change says the same")
	c.output.flags(fs)
	fs.StringVar(&c.turns.Base, "base", "", "`revision` to check out, measure in turns with the working tree, and judge against")
	fs.IntVar(&c.turns.Steps, "steps", 40, "with -base: optimizer steps of each run")
	fs.IntVar(&c.turns.Seeds, "seeds", 10, "with -base: runs of each benchmark and side")
	fs.StringVar(&c.turns.Out, "out", "", "with -base: `folder` for both sides' results (default out/gate)")
	fs.Usage = func() {
		fmt.Fprint(c.stderr, usage)
		fs.PrintDefaults()
	}
	return fs
}

const usage = `usage: gate [flags] BASELINE NEW            judge two sets of results
       gate -base=REV [flags] [-- FLAGS]    measure revision REV and the working tree in turns, and judge

BASELINE and NEW: a file, a quoted glob, a folder with a bench.txt, several with commas, or label= before them.
Exit status: 0 as good or better, 1 worse or numerics changed, 2 unusable input or arguments, 3 cannot tell.

`

// run does what the flags ask for. Errors are of the arguments, the environment and what was to be written; what is wrong with
// results is in the verdict.
func (c *command) run(fs *flag.FlagSet) (judge.Status, error) {
	if err := c.complete(fs); err != nil {
		return 0, err
	}
	args := fs.Args()
	var v *judge.Verdict
	if c.turns.Base != "" {
		v = c.judgeBase(args)
	} else if err := two(args); err != nil {
		return 0, err
	} else {
		v = c.compare(args[0], args[1])
	}
	return v.Status, c.output.write(c.stdout, c.stderr, v)
}

// complete checks the flags and reads the rules.
func (c *command) complete(fs *flag.FlagSet) error {
	given := map[string]bool{}
	var empty error
	fs.Visit(func(f *flag.Flag) {
		given[f.Name] = true
		if slices.Contains([]string{"base", "markdown", "json", "accept"}, f.Name) && f.Value.String() == "" {
			empty = fmt.Errorf("-%s is empty, want a value: is a variable not set?", f.Name)
		}
	})
	if empty != nil {
		return empty
	}
	for _, name := range []string{"steps", "seeds", "out"} {
		if given[name] && c.turns.Base == "" { // it would be ignored without a word
			return fmt.Errorf("-%s is for -base, which is not given", name)
		}
	}
	if c.options.MinSamples < 2 {
		return fmt.Errorf("-min-samples is %d, want at least 2: one value has no spread to judge by", c.options.MinSamples)
	}
	switch c.accept {
	case "":
	case "losses":
		c.options.Accept = "-accept=losses"
	default:
		return fmt.Errorf("-accept is %q, want losses", c.accept)
	}
	for key := range strings.SplitSeq(c.ignore.String(), ",") {
		c.options.Ignore = append(c.options.Ignore, strings.TrimSpace(key))
	}
	if err := c.output.check(); err != nil {
		return err
	}
	return c.readRules(given["rules"])
}

// readRules reads the file, if it was given or is there, and puts the lines of -rule over it.
func (c *command) readRules(given bool) error {
	c.rules = &judge.Rules{}
	f, err := os.Open(c.rulesFile)
	switch {
	case err == nil:
		defer f.Close() // read only
		if err := c.rules.Read(f, c.rulesFile); err != nil {
			return err
		}
	case c.rulesFile != "" && (given || !errors.Is(err, os.ErrNotExist)):
		return fmt.Errorf("rules: %w", err)
	}
	for _, line := range c.ruleLines {
		if err := c.rules.Read(strings.NewReader(line), "-rule"); err != nil {
			return err
		}
	}
	return nil
}

// two says what is wrong where there are not two sets of results.
func two(args []string) error {
	if i := slices.IndexFunc(args, func(a string) bool { return len(a) > 1 && a[0] == '-' }); i > 0 {
		return fmt.Errorf("%s stands after the results: flags go before them", args[i])
	}
	if len(args) == 2 {
		return nil
	}
	return fmt.Errorf("%d arguments (%s), want two sets of results: gate BASELINE NEW; a glob is quoted: gate 'old/*.txt' 'new/*.txt'",
		len(args), format.Few(args, 4))
}

// compare reads both sides and judges them.
func (c *command) compare(baseline, next string) *judge.Verdict {
	old, in := judge.ReadBoth(baseline, next)
	return judge.Judge(old, in, c.rules, c.options)
}

// judgeBase judges the working tree against the base. What could not be measured is a verdict too, so that files of reports say
// so. An interrupt ends the measuring and what it started, as does the end of the terminal, unless that is ignored (nohup).
func (c *command) judgeBase(flags []string) *judge.Verdict {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	c.turns.Flags, c.turns.Stderr = flags, c.stderr
	v, err := c.measure(ctx)
	if err != nil {
		return &judge.Verdict{Status: judge.Unusable, Text: "Nothing was judged: the two sides were not measured.",
			Problems: []judge.Problem{{Kind: results.Empty, Text: err.Error()}}}
	}
	return v
}

// measure measures and compares both. Where speed got worse it times the parts of a step too, so that the verdict names the one
// that slowed.
func (c *command) measure(ctx context.Context) (*judge.Verdict, error) {
	m, err := turns.Open(ctx, c.turns)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if c.options.Accept == "" && m.Accepts != "" {
		c.options.Accept = "commit " + m.Accepts
	}
	base, head, err := m.Run(ctx)
	if err != nil {
		return nil, err
	}
	v := c.compare("base="+base, "head="+head)
	slower := func(r judge.Result) bool { return r.Call == judge.CallWorse && r.Class == judge.Speed }
	if v.Status != judge.Worse || !slices.ContainsFunc(v.Results, slower) {
		return v, nil
	}
	if err := m.Parts(ctx); err != nil {
		v.Notes = append(v.Notes, fmt.Sprintf("Which part of a step slowed is not known: %v", err))
		return v, nil
	}
	return c.compare("base="+base, "head="+head), nil
}

// words are a flag that can be given several times.
type words []string

func (w *words) String() string     { return strings.Join(*w, ",") }
func (w *words) Set(s string) error { *w = append(*w, s); return nil }
