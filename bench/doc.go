// Package bench measures LoRA training as Go benchmarks, one sub-benchmark for each rank:
//
//	go test -bench=Rank -benchtime=1000x ./bench
//
// One op is one optimizer step, so -benchtime=1000x is a training of 1,000 steps and the length of
// its learning-rate schedule; with a duration the recipe's own number of steps is that length.
// -count=N trains N times, each time with the next seed: run k of every rank has the same seed and
// the same data in the same order, so that ranks are compared in pairs.
//
// # The order of runs
//
// A block is one seed: every rank trains with it before any trains with the next, and each block begins one rank later than the one
// before, so that a machine that drifts falls on all ranks alike (docs/order.md). Block k is a call of its own of testing.M's Run,
// with -count=1. A failure in any block is the exit status. The package's tests run under -bench only if -run asks for them; profiles
// and coverage are of one seed, so they need -count=1; -cpu takes one number.
//
// With -out an interrupted or failed study is unfinished: the same command at the same commit keeps its whole runs and trains the
// others. A study that has ended, and one with other settings, moves to a folder old-N of -out first.
//
// # The protocol of a run
//
// Base weights, data and token ids are loaded once for the process. Then for each rank and seed:
// put the adapter on, record the CUDA graphs of all its rows, train a few steps to warm up, restore the
// state before the first step, empty the caches, reset the peak, wait for the device, start the clock, train, wait for the
// device, stop the clock, read the peak. Losses are read from the device after that, and the
// held-out loss is computed last, outside the clock and the peak.
//
// Nothing is printed while a run is measured: go test merges stderr into stdout, and a line in
// between splits the result, which benchstat then drops without a word.
package bench
