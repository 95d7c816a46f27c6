package train

import (
	"fmt"
	"math"
)

// Options configures a training. The zero value of a field is not its default: DefaultOptions has those.
type Options struct {
	Schedule
	Beta1, Beta2, Eps, WeightDecay float64 // AdamW's
	ClipNorm                       float64 // gradients are scaled down to this norm; 0 is off

	// RowTokens joins micro-batches of a step into rows of up to this many tokens, which are computed
	// together: the same gradient, from fewer and larger matrix products. 0 computes each alone. A
	// micro-batch that is longer is a row of its own.
	RowTokens int
	// Graphs records the work on a row as a CUDA graph, one for each size of row, and replays it. On a CPU it
	// only rounds rows up as for a graph. If recording fails, for lack of memory for example, rows run
	// without graphs from then on, and Trainer.Graphs has the reason; with GraphsRequired that is an error.
	Graphs, GraphsRequired bool
}

// DefaultOptions returns the reference run's optimizer settings, which are the Trainer's defaults.
func DefaultOptions(s Schedule) Options {
	return Options{Schedule: s, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, ClipNorm: 1}
}

func (o Options) check() error {
	switch {
	case o.Steps < 1:
		return fmt.Errorf("training for %d steps, want at least 1", o.Steps)
	case o.Warmup < 0 || o.Warmup > o.Steps:
		return fmt.Errorf("warm-up of %d steps, want 0 to %d", o.Warmup, o.Steps)
	case !(o.LR >= 0) || math.IsInf(o.LR, 0):
		return fmt.Errorf("learning rate %v, want a number of at least 0", o.LR)
	case !(o.ClipNorm >= 0):
		return fmt.Errorf("clip norm %v, want at least 0", o.ClipNorm)
	case o.RowTokens < 0:
		return fmt.Errorf("rows of %d tokens, want at least 0", o.RowTokens)
	}
	return nil
}
