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
// # What is compared
//
// Recipes give the settings that no flag names. Without -model and -data, where there is no CUDA device, recipe small trains the
// repository's own model: ranks 1, 8, 64 and full, each at several learning rates, because at the reference's one rate all of them
// have learned next to nothing (testdata/small/choose.sh shows how rates, ranks and steps were chosen). Everywhere else it is the
// recipe of the reference run, reported. The lines before the results name the recipe.
//
// Records are held out of the data by their text (-eval). A record of a run has the loss on them before and after training, and that
// on each of two halves, so that the rate chosen for a rank on one half can be judged on the other. Where -forget names other text,
// forget-loss is the loss on that after training: what was unlearned is its rise over the base model's, which is in the record.
//
// A training that diverges, so that its loss is no number, fails where one learning rate is trained. Among several it ends without a
// result line: its record says at which step, summary and verdict leave its arm out and say so.
//
// # The protocol of a run
//
// Base weights, data and token ids are loaded once for the process. Then for each rank and seed:
// put the adapter on, record the CUDA graphs of all its rows, train a few steps to warm up, restore the
// state before the first step, empty the caches, reset the peak, wait for the device, start the clock, train, wait for the
// device, stop the clock, read the peak. Losses are read from the device after that, and those on
// text that was not trained on are computed last, outside the clock and the peak.
//
// Nothing is printed while a run is measured: go test merges stderr into stdout, and a line in
// between splits the result, which benchstat then drops without a word.
package bench
