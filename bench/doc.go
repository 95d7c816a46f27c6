// Package bench measures LoRA training as Go benchmarks, one sub-benchmark for each rank:
//
//	go test -bench=Rank -benchtime=1000x ./bench
//
// One op is one optimizer step: -benchtime=1000x trains for 1,000 steps, which is also the length of the learning-rate schedule. With a
// duration the schedule has the recipe's length. -count=N trains with N seeds: run k of every rank has the same seed and the same data in
// the same order, so that ranks are compared in pairs. All ranks train with one seed before any trains with the next (docs/order.md): each
// block is a separate call of testing.M's Run, with -count=1.
//
// Base weights, data and token ids are loaded once for the process. docs/use.md has the flags, the metrics and how a run is measured.
// Nothing is printed during a run: go test merges stderr into stdout, and benchstat silently drops a result that another line splits.
package bench
