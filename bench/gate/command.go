package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"lorabench/bench/gate/judge"
	"lorabench/bench/gate/show"
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

	rulesFile string
	ruleLines words
	ignore    words
	options   judge.Options
	rules     *judge.Rules

	output output
	base   base
}

func (c *command) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("gate", flag.ContinueOnError)
	fs.SetOutput(c.stderr)
	fs.StringVar(&c.rulesFile, "rules", "gate.txt", "`file` of rules, a line per unit; the default is read only if it exists, -rules= reads none")
	fs.Var(&c.ruleLines, "rule", "one `line` of rules, such as 'samples/sec floor=5%'; repeatable, over the file's")
	fs.IntVar(&c.options.MinSamples, "min-samples", 4, "fewest values that a side must have of what is tested")
	fs.Var(&c.ignore, "ignore", "configuration `keys` that may differ between the sides, with commas; repeatable")
	c.output.flags(fs)
	c.base.flags(fs)
	fs.Usage = func() {
		fmt.Fprint(c.stderr, usage)
		fs.PrintDefaults()
	}
	return fs
}

const usage = `usage: gate [flags] BASELINE NEW            judge two sets of results
       gate -base=REV [flags] [-- FLAGS]    measure revision REV and the working tree in turns, and judge

BASELINE and NEW: a file, a quoted glob, a folder with a bench.txt, several with commas, or label= before them.
Exit status: 0 as good or better, 1 worse, 2 unusable input or arguments, 3 cannot tell.

`

// run does what the flags ask for. Errors are of the arguments, the environment and what was to be
// written; what is wrong with results is in the verdict.
func (c *command) run(fs *flag.FlagSet) (judge.Status, error) {
	if err := c.complete(fs); err != nil {
		return 0, err
	}
	args := fs.Args()
	if c.base.rev != "" {
		return c.judgeBase(args)
	}
	if err := two(args); err != nil {
		return 0, err
	}
	v := c.compare(args[0], args[1])
	return v.Status, c.output.write(c.stdout, c.stderr, v)
}

// complete checks the flags and reads the rules.
func (c *command) complete(fs *flag.FlagSet) error {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if c.options.MinSamples < 2 {
		return fmt.Errorf("-min-samples is %d, want at least 2: one value has no spread to judge by", c.options.MinSamples)
	}
	for _, line := range c.ignore {
		for key := range strings.SplitSeq(line, ",") {
			if key = strings.TrimSpace(key); key != "" {
				c.options.Ignore = append(c.options.Ignore, key)
			}
		}
	}
	if err := c.base.check(given); err != nil {
		return err
	}
	if err := c.output.complete(given); err != nil {
		return err
	}
	return c.readRules(given["rules"])
}

// readRules reads the file, if it was given or is there, and puts the lines of -rule over it.
func (c *command) readRules(given bool) error {
	c.rules = judge.DefaultRules()
	if c.rulesFile != "" {
		f, err := os.Open(c.rulesFile)
		switch {
		case err == nil:
			defer f.Close() // read only
			if c.rules, err = judge.ParseRules(f, c.rulesFile); err != nil {
				return err
			}
		case given || !errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("rules: %w", err)
		}
	}
	for _, line := range c.ruleLines {
		if err := c.rules.Override(line); err != nil {
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
	switch n := len(args); n {
	case 0:
		return errors.New("no results given, want two sets: gate BASELINE NEW (gate -help says more)")
	case 1:
		return fmt.Errorf("only %s is given, want two sets of results: gate BASELINE NEW", args[0])
	case 2:
		return nil
	default:
		return fmt.Errorf("%d arguments (%s, %s, %s, ...), want two sets of results: quote a glob, so that the shell leaves it to the gate: gate 'old/*.txt' 'new/*.txt'",
			n, args[0], args[1], args[2])
	}
}

// compare reads both sides and judges them.
func (c *command) compare(baseline, next string) *judge.Verdict {
	old, in := judge.ReadBoth(baseline, next)
	return judge.Judge(old, in, c.rules, c.options)
}

// words are a flag that can be given several times.
type words []string

func (w *words) String() string     { return strings.Join(*w, ",") }
func (w *words) Set(s string) error { *w = append(*w, s); return nil }
