package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/internal/fakecuda"
)

// predicted compares what shapes say of a run's memory with what PyTorch's CUDA allocator gave out, at OPT-350m's shape: the
// small model's tensors are smaller than the blocks that the allocator deals in. Activations may be off by the share within:
// tensors share 20 MiB, of which up to 1 MiB goes to the last one beside its own.
func predicted(t *testing.T, r fakecuda.Run, within float64) {
	t.Helper()
	for _, x := range r.Record.Memory {
		if x.Predicted == nil {
			continue
		}
		want, got := float64(*x.Predicted), float64(*x.Measured)
		t.Logf("%s: %-14s predicted %7.1f MiB, measured %7.1f", r.Record.Name, x.Name, want/mib, got/mib)
		switch x.Name {
		case record.Activations:
			require.InDelta(t, want, got, within*got, x.Name)
		case record.Workspace: // the rest of the peak: the batches of graphs, and what other rows round otherwise
			require.InDelta(t, want, got, 16*mib, x.Name)
		default:
			require.InDelta(t, want, got, 0.01*got+mib, x.Name)
		}
	}
}

// TestStandInMemoryIsPredicted looks at what TestStandInTrueShape and TestStandInLaunches do not have: other tensors, and a
// long sequence beside short ones, to which the attention kernel pads its log-sum-exps, in a row whose q, k and v the
// allocator rounds up.
func TestStandInMemoryIsPredicted(t *testing.T) {
	long := filepath.Join(t.TempDir(), "long.jsonl")
	records := fmt.Sprintf(`{"instruction": "Count.", "input": "", "output": %q}`+"\n", strings.Repeat("one, two, three, ", 500)) +
		strings.Repeat(`{"instruction": "Add one to two.", "input": "", "output": "three, or 3"}`+"\n", 15)
	require.NoError(t, os.WriteFile(long, []byte(records), 0o666))
	for _, c := range []struct {
		why    string
		within float64
		args   []string
	}{
		{"long beside short", 0.007, []string{"-data=" + long, "-batch=16", "-accum=1"}},
		{"bf16", 0.02, []string{"-dtype=bf16"}},
		{"checkpoint", 0.02, []string{"-checkpoint", "-recipe=assigned"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			runs, out, err := onStandIn(t, fakecuda.Card{}, 3, append(append([]string{"-graphs=off", "-eval=0", "-ranks=8"}, trueShape...), c.args...)...)
			require.NoError(t, err, out)
			require.Len(t, runs, 1)
			predicted(t, runs[0], c.within)
		})
	}
}
