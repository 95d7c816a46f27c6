package main

import (
	"fmt"

	"lorabench/bench/gate/baseline"
	"lorabench/bench/gate/judge"
)

// judgeStored judges results against what is stored for the class of machine that they are of.
func (c *command) judgeStored(args []string) (judge.Status, error) {
	if len(args) != 1 {
		return 0, fmt.Errorf("-baselines=%s: %d sets of results, want one, which is compared with the stored baseline", c.baselines, len(args))
	}
	in, problems := judge.Read(args[0])
	if len(problems) > 0 && len(in.Benchmarks) == 0 { // no class of machine: say what is wrong with the file itself
		return c.finish(unusable(problems), nil)
	}
	path, err := baseline.Find(c.baselines, in)
	if err != nil {
		// What is wrong with the lines comes first: it may be why the class cannot be told.
		return c.finish(unusable(append(problems, judge.Problem{Kind: judge.Empty, Text: err.Error()})), nil)
	}
	return c.judge("baseline="+path, args[0])
}

// storeBaseline makes results the baseline of their class of machine.
func (c *command) storeBaseline(args []string) (judge.Status, error) {
	if len(args) != 1 {
		return 0, fmt.Errorf("-baseline-out=%s: %d arguments, want one: the folder of the results to store", c.baselineOut, len(args))
	}
	path, err := baseline.Store(c.baselineOut, args[0])
	if err != nil {
		return 0, err
	}
	_, err = fmt.Fprintf(c.stdout, "%s is the baseline of its class of machine now.\n", path)
	return judge.Pass, err
}

// unusable is the verdict where there is nothing to judge, so that files of reports say so too.
func unusable(problems []judge.Problem) *judge.Verdict {
	return &judge.Verdict{Status: judge.Unusable, Text: "Nothing was judged: the input cannot be used.", Problems: problems}
}
