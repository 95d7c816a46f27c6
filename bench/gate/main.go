// Gate says whether results of benchmarks got worse, in a form that CI can act on.
//
//	go tool gate [flags] BASELINE NEW             judge two sets of results
//	go tool gate -base=REV [flags] [-- FLAGS]     measure revision REV and the working tree in turns, and judge
//
// BASELINE and NEW are results as go test -bench prints them, of any Go project: a file, or a folder with a bench.txt.
//
// The exit status is 0 where NEW is as good or better, 1 where it is worse or its losses have other digits, 2 where the input or
// the arguments cannot be used, and 3 where the results are too few or too noisy to tell; go run ./bench/gate makes each but 0
// into 1. docs/gate.md says how the verdict is come to, judge.Verdict what the JSON holds.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }
