package torch

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSnapshotOfTheCPUIsAnError(t *testing.T) {
	require.ErrorIs(t, CPU.RecordMemory(true), ErrNoSnapshot)
	_, err := CPU.MemorySnapshot()
	require.ErrorIs(t, err, ErrNoSnapshot)
}

func TestSnapshotOnCUDA(t *testing.T) {
	d := devices.GPU(t)
	require.NoError(t, d.RecordMemory(true))
	defer func() { require.NoError(t, d.RecordMemory(false)) }()
	require.NoError(t, Run(func(s *Scope) error { s.Zeros(Float32, d, 1<<20); return nil }))
	b, err := d.MemorySnapshot()
	require.NoError(t, err)
	require.Contains(t, string(b), "segments", "torch.cuda.memory._dump_snapshot's keys")
	require.Contains(t, string(b), "device_traces")
}

func TestUsageIsWhatTensorsTake(t *testing.T) {
	m, err := NewMeter(CPU)
	if err != nil {
		t.Skip(err)
	}
	defer m.Close()
	const bytes = 40 << 20
	before, _, err := m.Read()
	require.NoError(t, err)
	require.NoError(t, Run(func(s *Scope) error {
		x := s.Zeros(Float32, CPU, bytes/4)
		now, _, err := m.Read()
		require.InDelta(t, bytes, now-before, 1<<16)
		s.Drop(x)
		s.Zeros(Float32, CPU, bytes/8)
		return err
	}))
	after, peak, err := m.Read()
	require.NoError(t, err)
	require.InDelta(t, 0, after-before, 1<<16)
	require.InDelta(t, bytes, peak-before, 1<<16, "what was there at the last reading counts, and the second tensor was made after that was freed")
}
