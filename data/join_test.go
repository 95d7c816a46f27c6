package data

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestJoinIsPackOfAll: joined micro-batches are what Pack makes of all their samples at once.
func TestJoinIsPackOfAll(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var samples []Sample
	for range 40 {
		n := 1 + rng.IntN(9)
		s := Sample{IDs: make([]int32, n), Labels: make([]int32, n)}
		for i := range n {
			s.IDs[i], s.Labels[i] = rng.Int32N(100), Ignore
			if rng.IntN(3) > 0 {
				s.Labels[i] = s.IDs[i]
			}
		}
		samples = append(samples, s)
	}
	for range 50 {
		var micros []MicroBatch
		var all []int
		for range 1 + rng.IntN(5) {
			var index []int
			for range 1 + rng.IntN(4) {
				index = append(index, rng.IntN(len(samples)))
			}
			micros = append(micros, Pack(samples, index))
			all = append(all, index...)
		}
		before := micros[0]
		before.CuSeqlens = append([]int64(nil), before.CuSeqlens...)
		got, want := Join(micros), Pack(samples, all)
		require.Len(t, got.LabelIndex, want.Labels)
		if want.Labels == 0 {
			got.LabelIndex, want.LabelIndex = nil, nil
		}
		require.Equal(t, want, got)
		require.Equal(t, before.CuSeqlens, micros[0].CuSeqlens, "what is joined stays as it is")
	}
}
