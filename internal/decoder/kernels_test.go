package decoder_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

// TestFastestKernels: the fastest wins where it gains a tenth, and is used no longer than it is measured; else what was in use stays.
func TestFastestKernels(t *testing.T) {
	now := torch.Kernels{Layers: torch.LibTorch, Head: torch.LibTorch, BFloat16: "float32", Attention: "float32"}
	other := now
	other.Head = torch.OneDNN
	for _, c := range []struct {
		now, other time.Duration
		want       torch.Kernels
		why        string
	}{
		{20 * time.Millisecond, 5 * time.Millisecond, other, "a quarter of the time"},
		{5 * time.Millisecond, 20 * time.Millisecond, now, "four times the time"},
		{50 * time.Millisecond, 49 * time.Millisecond, now, "too close: noise would choose"},
	} {
		defer torch.SetKernels(torch.SetKernels(now))
		require.NoError(t, torch.Run(func(s *torch.Scope) error {
			got := decoder.Fastest(s, now, []torch.Kernels{now, other}, []func(*torch.Scope){func(*torch.Scope) {
				if torch.CurrentKernels() == now {
					time.Sleep(c.now)
				} else {
					time.Sleep(c.other)
				}
			}})
			require.Equal(t, c.want, got, c.why)
			return nil
		}))
	}
}

// TestMeasureKernels: what is measured is what this processor has, in float32 and in bfloat16; nothing stays allocated or in use.
func TestMeasureKernels(t *testing.T) {
	libraries, types := torch.Available()
	for _, d := range []torch.DType{torch.Float32, torch.BFloat16} {
		m := loadModel(t, post, d)
		before, live := torch.CurrentKernels(), torch.Live()
		k, err := m.MeasureKernels()
		require.NoError(t, err)
		require.Contains(t, libraries, k.Layers)
		require.Contains(t, libraries, k.Head)
		require.Contains(t, types, k.BFloat16)
		require.Contains(t, types, k.Attention)
		require.Equal(t, before, torch.CurrentKernels())
		require.Equal(t, live, torch.Live())
	}
}
