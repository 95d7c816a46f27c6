// Package bench measures LoRA training as Go benchmarks, one sub-benchmark for each rank:
//
//	go test -bench=Rank -benchtime=1000x ./bench
//
// One op is one optimizer step, so -benchtime=1000x is a training of 1,000 steps and the length of its learning-rate schedule; with a
// duration the recipe's number of steps is that length. -count=N trains with N seeds: run k of every rank has the same seed and the same
// data in the same order, so that ranks are compared in pairs. All ranks train with one seed before any trains with the next
// (docs/order.md): each block is a call of its own of testing.M's Run, with -count=1.
//
// Base weights, data and token ids are loaded once for the process. docs/use.md has the flags, the metrics and how a run is measured.
// Nothing is printed while one is: go test merges stderr into stdout, and benchstat drops a result that a line splits without a word.
package bench
