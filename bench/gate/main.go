// Gate says whether results of benchmarks got worse, in a form that CI can act on.
//
//	go tool gate [flags] BASELINE NEW             judge two sets of results
//	go tool gate -base=REV [flags] [-- FLAGS]     measure revision REV and the working tree in turns, and judge
//
// BASELINE and NEW are results as go test -bench prints them, of any Go project: a file, or a folder with a bench.txt. -help lists
// the flags and the exit status, docs/gate.md says how the verdict is come to, judge.Verdict what the JSON holds.
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }
