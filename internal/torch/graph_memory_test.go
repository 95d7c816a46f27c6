package torch

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPeakCountsReplays: the allocator's peak says nothing of what replays take.
func TestPeakCountsReplays(t *testing.T) {
	const d = Device(1000) // no such device: the bookkeeping alone
	defer forgetGraphs(d)
	m := Memory{Allocated: 10, AllocatedPeak: 20, Reserved: 30, ReservedPeak: 40}
	require.Equal(t, m, withGraphs(d, m))
	keepPeak(d, Memory{AllocatedPeak: 25, ReservedPeak: 35})
	keepPeak(d, Memory{AllocatedPeak: 15})
	require.Equal(t, Memory{Allocated: 10, AllocatedPeak: 25, Reserved: 30, ReservedPeak: 40}, withGraphs(d, m))
	forgetGraphs(d)
	require.Equal(t, m, withGraphs(d, m))
}

func TestGraphMemoryOnCUDA(t *testing.T) {
	d := devices.GPU(t)
	const n = 64 << 20
	owner := NewScope()
	var sum *Tensor
	require.NoError(t, Run(func(*Scope) error { sum = owner.Zeros(Float32, d); return nil }))
	defer Run(func(*Scope) error { owner.Free(); return nil })
	work := func(s *Scope) {
		x := s.Empty(Float32, d, n/4)
		UniformIn(x, 0, 1)
		AddIn(sum, s.Sum(x))
	}
	require.NoError(t, Run(func(s *Scope) error { work(s); return nil }))
	pool, err := NewGraphPool(d)
	require.NoError(t, err)
	capture := func() (*Graph, int64) {
		g, err := pool.Capture(work)
		require.NoError(t, err)
		held, err := pool.Bytes()
		require.NoError(t, err)
		return g, held
	}
	g, first := capture()
	_, second := capture()
	require.GreaterOrEqual(t, first, int64(n))
	require.Equal(t, first, second, "the second graph's tensors lie where the first one's lie")
	require.GreaterOrEqual(t, g.Temporary(), int64(n))

	require.NoError(t, d.ResetPeak())
	require.NoError(t, Run(func(*Scope) error { g.Replay(); return nil }))
	m, err := d.Memory()
	require.NoError(t, err)
	require.GreaterOrEqual(t, m.AllocatedPeak, m.Allocated+n, "a replay's tensors count")
	require.GreaterOrEqual(t, m.Reserved, first)

	require.NoError(t, pool.Close())
	require.NoError(t, d.EmptyCache())
	after, err := d.Memory()
	require.NoError(t, err)
	require.LessOrEqual(t, after.Reserved, m.Reserved-n, "closing gives the pool back")
}
