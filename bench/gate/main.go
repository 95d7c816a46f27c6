// Gate reports whether benchmark results got worse, in a form that CI can act on.
//
//	go tool gate [flags] BASELINE NEW             judge two sets of results
//	go tool gate -base=REV [flags] [-- FLAGS]     measure revision REV and the working tree in turns, and judge
//
// BASELINE and NEW are results as go test -bench prints them, of any Go project: a file, or a folder with a bench.txt. -help lists the
// flags and the exit status, docs/gate.md explains the verdict, judge.Verdict the JSON.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
	"lorabench/bench/gate/show"
	"lorabench/bench/gate/turns"
	"lorabench/bench/results"
	"lorabench/internal/file"
	"lorabench/internal/process"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run runs the command and returns its exit status.
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

// command holds the flags and what they are parsed into.
type command struct {
	stdout, stderr io.Writer

	rulesFile       string
	ruleLines       []string
	options         judge.Options
	turns           turns.Options
	markdown, json  string // files
	github, verbose bool
}

func (c *command) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("gate", flag.ContinueOnError)
	fs.SetOutput(c.stderr)
	fs.StringVar(&c.rulesFile, "rules", "gate.txt", "`file` of rules, a line per unit; the default is read only if it exists")
	fs.Func("rule", "one `line` of rules, such as 'samples/sec floor=5%'; repeatable, over the file's", func(line string) error {
		c.ruleLines = append(c.ruleLines, line)
		return nil
	})
	fs.IntVar(&c.options.MinSamples, "min-samples", 4, "fewest values that a side must have of what is tested")
	fs.Func("ignore", "configuration `keys` that may differ between the sides, with commas; repeatable", func(keys string) error {
		c.options.Ignore = append(c.options.Ignore, strings.Split(strings.ReplaceAll(keys, " ", ""), ",")...)
		return nil
	})
	fs.Func("accept", "`losses`: other digits of the same seed are meant; losses are tested then. With -base\n"+turns.Accept+
		" in the message of a commit of the change says the same", func(what string) error {
		if what != "losses" {
			return errors.New("want losses")
		}
		c.options.Accept = "-accept=losses"
		return nil
	})
	fs.StringVar(&c.markdown, "markdown", "", "write Markdown to `file` too")
	fs.StringVar(&c.json, "json", "", "write JSON to `file` too")
	fs.BoolVar(&c.github, "github", os.Getenv("GITHUB_ACTIONS") == "true",
		"print GitHub annotations too, and append the Markdown to $GITHUB_STEP_SUMMARY; the default where GITHUB_ACTIONS is true")
	fs.BoolVar(&c.verbose, "v", false, "print all results, what is not judged included, and cut no list")
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

BASELINE and NEW: a file, or a folder with a bench.txt.
Exit status: 0 as good or better, 1 worse or numerics changed, 2 unusable input or arguments, 3 cannot tell.

`

// run does what the flags ask for. Errors are about arguments, environment and output files; what is wrong with results is in the verdict.
func (c *command) run(fs *flag.FlagSet) (judge.Status, error) {
	if err := c.complete(fs); err != nil {
		return 0, err
	}
	args := fs.Args()
	var v *judge.Verdict
	if c.turns.Base != "" {
		v = c.judgeBase(args)
	} else if len(args) == 2 {
		v = c.compare(args[0], args[1])
	} else {
		return 0, fmt.Errorf("%d arguments (%s), want two sets of results: gate BASELINE NEW; several files of a side are joined "+
			"with cat", len(args), format.Few(args, 4))
	}
	return v.Status, c.write(v)
}

// complete checks the flags and reads the rules: the file's, if it was given or exists, then those of -rule, which override them.
func (c *command) complete(fs *flag.FlagSet) (err error) {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) {
		given[f.Name] = true
		switch f.Name {
		case "base", "markdown", "json":
			if f.Value.String() == "" {
				err = fmt.Errorf("-%s is empty, want a value: is a variable not set?", f.Name)
			}
		case "steps", "seeds", "out":
			if c.turns.Base == "" { // it would be silently ignored
				err = fmt.Errorf("-%s is for -base, which is not given", f.Name)
			}
		}
	})
	if err == nil && c.options.MinSamples < 2 {
		err = fmt.Errorf("-min-samples is %d, want at least 2: one value has no spread to judge by", c.options.MinSamples)
	}
	if err != nil {
		return err
	}
	text, err := os.ReadFile(c.rulesFile)
	if err != nil && c.rulesFile != "" && (given["rules"] || !errors.Is(err, os.ErrNotExist)) {
		return fmt.Errorf("rules: %w", err)
	}
	if err := c.options.Rules.Read(string(text), c.rulesFile); err != nil {
		return err
	}
	return c.options.Rules.Read(strings.Join(c.ruleLines, "\n"), "-rule")
}

// compare reads and judges both sides. labels, if given, name them.
func (c *command) compare(old, in string, labels ...string) *judge.Verdict {
	a, b := judge.ReadBoth(old, in)
	if labels != nil {
		a.Label, b.Label = labels[0], labels[1]
	}
	return judge.Judge(a, b, c.options)
}

// judgeBase judges the working tree against the base. A failure to measure is a verdict too, so that report files say so. An interrupt
// ends the measurement and the processes it started.
func (c *command) judgeBase(flags []string) *judge.Verdict {
	ctx, stop := process.Interruptible(context.Background())
	defer stop()
	c.turns.Flags, c.turns.Stderr = flags, c.stderr
	v, err := c.measure(ctx)
	if err != nil {
		return &judge.Verdict{Status: judge.Unusable, Text: "Nothing was judged: the two sides were not measured.",
			Problems: []judge.Problem{{Kind: results.Empty, Text: err.Error()}}}
	}
	return v
}

// measure measures both sides and compares them. If speed got worse it also times the parts of a step, to name the one that slowed.
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
	v := c.compare(base, head, "base", "head")
	slower := func(r *judge.Result) bool { return r.Call == judge.CallWorse && r.Class == judge.Speed }
	if v.Status != judge.Worse || !slices.ContainsFunc(v.Results, slower) {
		return v, nil
	}
	if err := m.Parts(ctx); err != nil {
		v.Notes = append(v.Notes, fmt.Sprintf("Which part of a step slowed is not known: %v", err))
		return v, nil
	}
	return c.compare(base, head, "base", "head"), nil
}

// write writes every report that was asked for; one that fails does not stop the others.
func (c *command) write(v *judge.Verdict) error {
	text, summary := show.Text(v, c.verbose), error(nil)
	if c.github {
		text += show.Annotations(v)
		summary = add(os.Getenv("GITHUB_STEP_SUMMARY"), "\n"+show.Markdown(v)) // after an empty line: the job may have written there
	}
	_, err := io.WriteString(c.stdout, text)
	return errors.Join(err, summary, put(c.markdown, show.Markdown(v)), put(c.json, show.JSON(v)))
}

// put replaces the content of a file, if path names one. What is no regular file, such as /dev/stdout or a pipe, it appends to.
func put(path, text string) error {
	if info, err := os.Stat(path); path == "" || err == nil && !info.Mode().IsRegular() {
		return add(path, text)
	}
	return file.Write(path, []byte(text))
}

// add appends text to a file, if path names one, in one write.
func add(path, text string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
