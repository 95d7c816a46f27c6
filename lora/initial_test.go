package lora

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/mat"

	"lorabench/internal/decoder"
)

// TestInitialAdapters compares what is left of a weight with the definitions: PiSSA leaves the singular values after the r-th,
// and OLoRA, with scaling 1, a matrix whose first r columns are 0. Vectors that were found once are not looked for again.
func TestInitialAdapters(t *testing.T) {
	const out, in, r = 7, 5, 2
	w := decoder.HashValues("w", out*in, 1, 1)
	p := &pair{linear: &decoder.Linear{Name: "w", Out: out, In: in}, r: r, scaling: 1}
	left := func(init string) *mat.Dense {
		v := append([]float32(nil), w...)
		require.NoError(t, p.subtractInitial(v, init))
		return dense(out, in, v)
	}
	values := func(m *mat.Dense) []float64 {
		var svd mat.SVD
		require.True(t, svd.Factorize(m, mat.SVDNone))
		return svd.Values(nil)
	}
	require.InDeltaSlice(t, append(values(dense(out, in, w))[r:], 0, 0), values(left("pissa")), 1e-6)
	olora := left("olora")
	require.Less(t, mat.Norm(olora.Slice(0, out, 0, r), 2), 1e-6)
	require.Greater(t, mat.Norm(olora, 2), 1.0)

	first, err := singular(dense(out, in, w), r)
	require.NoError(t, err)
	again, err := singular(dense(out, in, w), r)
	require.NoError(t, err)
	require.Same(t, first, again)
	w[3]++
	other, err := singular(dense(out, in, w), r)
	require.NoError(t, err)
	require.NotSame(t, first, other)
}

func dense(out, in int, v []float32) *mat.Dense {
	m := mat.NewDense(out, in, nil)
	for i, x := range v {
		m.RawMatrix().Data[i] = float64(x)
	}
	return m
}
