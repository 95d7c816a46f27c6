package bench

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/internal/torch"
)

// TestMemoryIsPredicted compares what shapes say with what the allocator gave out.
func TestMemoryIsPredicted(t *testing.T) {
	if _, err := torch.CPU.InUse(); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		why  string
		args []string
		rank string
	}{
		{"the default", nil, "8"},
		{"a large rank keeps more", nil, "256"},
		{"without dropout there are no masks", []string{"-dropout=0", "-model-dropout=0"}, "64"},
		{"all linear layers keep their inputs", []string{"-targets=q_proj,k_proj,v_proj,out_proj,fc1,fc2"}, "16"},
		{"checkpointing keeps inputs and masks", []string{"-checkpoint"}, "8"},
		{"DoRA keeps masks alone", []string{"-dora"}, "8"},
		{"DoRA without dropout keeps nothing", []string{"-dora", "-dropout=0", "-model-dropout=0"}, "64"},
		{"every weight is trained", nil, "full"},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := small(t, 2, append([]string{"-batch=8", "-accum=1"}, c.args...)...)
			rec := runOnce(t, w, c.rank, 1, 2)
			sum := int64(0)
			for _, x := range rec.Memory {
				require.NotNil(t, x.Measured, x.Name)
				sum += *x.Measured
				if x.Predicted == nil {
					continue
				}
				t.Logf("%-14s predicted %9d, measured %9d: %+.1f %%", x.Name, *x.Predicted, *x.Measured, 100*(float64(*x.Predicted)/float64(max(1, *x.Measured))-1))
				switch x.Name {
				case record.Weights, record.Adapter, record.Gradients, record.Optimizer, record.Activations:
					require.InEpsilon(t, *x.Measured, *x.Predicted, 0.1, x.Name)
				}
			}
			if rec.PeakMemory.RSS != nil {
				require.Equal(t, *rec.PeakMemory.RSS, sum, "the categories are the whole peak")
			}
		})
	}
}
