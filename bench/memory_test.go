package bench

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/torch"
)

func rss(t *testing.T) int64 {
	require.NoError(t, torch.CPU.EmptyCache())
	b, err := procStatus("VmRSS")
	require.NoError(t, err)
	return *b
}

const mib = 1 << 20

func TestMemoryIsFlatOverSteps(t *testing.T) {
	w := small(t, 240, "-eval=0")
	r, err := w.Start(armOf(t, w, "8"), 1)
	require.NoError(t, err)
	defer r.Close()
	step := func(n int) {
		for range n {
			require.NoError(t, r.Step())
		}
	}
	step(40)
	live, before := torch.Live(), rss(t)
	step(200)
	require.Equal(t, live, torch.Live(), "tensors")
	// Micro-batches differ in length, so what the C heap keeps differs a little; 200 steps that
	// leaked one hidden state each would be 10 MiB.
	require.Less(t, float64(rss(t)-before)/mib, 4.0, "resident MiB gained")
}

// TestPeakDoesNotDependOnTheOrderOfRanks is what the reference study failed at: its peaks carried
// over from rank to rank.
func TestPeakDoesNotDependOnTheOrderOfRanks(t *testing.T) {
	if now, err := resetRSS(); err == nil && now == nil {
		t.Skip("the kernel does not let a process reset its peak resident memory (" + clearFile + ")")
	}
	w := small(t, 6, "-eval=0")
	peak := func(rank string) float64 { return float64(*runOnce(t, w, rank, 1, 6).PeakMemory.RSS) / mib }
	for _, rank := range []string{"8", "1024"} {
		peak(rank) // the first run of a rank loads libtorch's kernels for its shapes, whose pages then count for every other
	}
	alone := peak("8")
	large := peak("1024")
	after := peak("8")
	t.Logf("rank 8: %.1f MiB, rank 1024: %.1f MiB, rank 8 again: %.1f MiB", alone, large, after)
	require.Greater(t, large, alone+30, "rank 1024 has 2.1M parameters more, and as many gradients and moments")
	require.InDelta(t, alone, after, 4, "rank 8 after rank 1024")
}
