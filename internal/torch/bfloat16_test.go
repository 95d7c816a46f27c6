package torch

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBFloat16Products: products of bfloat16 are those of the same numbers in float32, rounded once, on processors
// with and without instructions for it, at the edges of what gemm.cpp packs and at shapes that it leaves.
func TestBFloat16Products(t *testing.T) {
	for _, c := range []struct {
		why     string
		m, k, n int64
	}{
		{"whole panels", 36, 64, 32},
		{"a row and a depth that fill none", 37, 67, 48},
		{"several slabs and groups", 71, 2050, 16 * 37},
		{"rank 8, which libtorch multiplies", 64, 64, 8},
		{"one row", 1, 64, 64},
	} {
		for _, by := range [][2]string{{Own, "float32"}, {OneDNN, "float32"}, {LibTorch, "float32"}, {LibTorch, "bfloat16"}} {
			t.Run(fmt.Sprint(c.why, ", ", by), func(t *testing.T) {
				setKernels(t, by[0], by[1])
				run(t, func(s *Scope) {
					require.NoError(t, Seed(1))
					draw := func(shape ...int64) *Tensor { x := s.Empty(BFloat16, CPU, shape...); NormalIn(x, 0, 1); return x }
					x, w, bias, dy := draw(c.m, c.k), draw(c.n, c.k), draw(c.n), draw(c.m, c.n)
					wide := func(x *Tensor) *Tensor { return s.Cast(x, Float64) }
					rounded(t, s, s.Linear(wide(x), wide(w), wide(bias)), s.Linear(x, w, bias), 1.0/256)
					rounded(t, s, s.LinearBackward(wide(dy), wide(w), nil), s.LinearBackward(dy, w, nil), 1.0/256)
					dx := draw(c.m, c.k) // the sum is rounded once more
					want := s.LinearBackward(wide(dy), wide(w), s.Clone(wide(dx)))
					rounded(t, s, want, s.LinearBackward(dy, w, dx), 1.0/32)
				})
			})
		}
	}
}

// TestAddMMInBFloat16: sums of products are float32's of the same numbers, rounded once to bfloat16, or added to float32 with
// the product rounded at most once, with the CPU's instructions for bfloat16 and without.
func TestAddMMInBFloat16(t *testing.T) {
	for _, half := range types {
		setKernels(t, CurrentKernels().Layers, half)
		for _, batch := range []int64{0, 3} {
			for _, beta := range []float64{0, 1, 0.5} {
				run(t, func(s *Scope) {
					require.NoError(t, Seed(1))
					draw := func(d DType, shape ...int64) *Tensor {
						if batch > 0 {
							shape = append([]int64{batch}, shape...)
						}
						x := s.Empty(d, CPU, shape...)
						NormalIn(x, 0, 1)
						return x
					}
					a, b := draw(BFloat16, 67, 37), draw(BFloat16, 67, 48) // a is transposed
					for _, d := range []DType{BFloat16, Float32} {
						y := s.Narrow(draw(d, 37, 64), -1, 8, 48) // part of a wider one
						want := s.Cast(y, Float64)
						AddMM(want, s.Cast(a, Float64), s.Cast(b, Float64), true, false, beta, 1.5)
						if beta == 0 { // what was there does not matter
							FillIn(y, math.NaN())
						}
						AddMM(y, a, b, true, false, beta, 1.5)
						require.Equal(t, d, y.DType())
						rounded(t, s, want, s.Cast(y, BFloat16), 1.0/64)
					}
				})
			}
		}
	}
}

// TestMixedTypesAreRefused on every processor, whichever of the kernels would do without.
func TestMixedTypesAreRefused(t *testing.T) {
	for _, c := range []struct{ x, w, bias DType }{{BFloat16, Float32, Float32}, {Float32, BFloat16, BFloat16}, {BFloat16, BFloat16, Float32}} {
		err := Run(func(s *Scope) error {
			s.Linear(s.Zeros(c.x, CPU, 64, 64), s.Zeros(c.w, CPU, 64, 64), s.Zeros(c.bias, CPU, 64))
			return nil
		})
		require.ErrorContains(t, err, "types differ", "%+v", c)
	}
	for _, c := range []struct{ y, a, b DType }{{Float32, Float32, BFloat16}, {BFloat16, Float32, Float32}, {Float64, BFloat16, BFloat16}} {
		err := Run(func(s *Scope) error {
			AddMM(s.Zeros(c.y, CPU, 64, 64), s.Zeros(c.a, CPU, 64, 64), s.Zeros(c.b, CPU, 64, 64), false, false, 1, 1)
			return nil
		})
		require.ErrorContains(t, err, "types differ", "%+v", c)
	}
}

// TestBFloat16Attention: so is attention, whose kernel may round its weights as well.
func TestBFloat16Attention(t *testing.T) { devices.Each(t, testBFloat16Attention) }

func testBFloat16Attention(t *testing.T, on Device) {
	run(t, func(s *Scope) {
		require.NoError(t, Seed(1))
		row := Sequences{CuSeqlens: []int64{0, 5, 5, 70}, MaxSeqlen: 65}
		onDevice := row
		if on.CUDA() {
			onDevice.OnDevice = s.Cast(s.FromInts(row.CuSeqlens, on), Int32)
		}
		there := func(x *Tensor) *Tensor { return s.To(x, x.DType(), on) }
		draw := func(shape ...int64) *Tensor { x := s.Empty(BFloat16, CPU, shape...); NormalIn(x, 0, 1); return x }
		qkv, dy := draw(70, 3*64), draw(70, 64)
		y, lse := s.Attention(there(qkv), onDevice, Heads{4, 4, 0.25})
		require.Equal(t, BFloat16, y.DType())
		require.Equal(t, Float32, lse.DType())
		d := s.AttentionBackward(there(dy), there(qkv), y, lse, onDevice, Heads{4, 4, 0.25})
		require.Equal(t, BFloat16, d.DType())

		wide, wideDy := s.Cast(qkv, Float64), s.Cast(dy, Float64)
		want, wantLSE := s.Attention(wide, row, Heads{4, 4, 0.25})
		rounded(t, s, want, y, 1.0/32)
		rounded(t, s, s.AttentionBackward(wideDy, wide, want, wantLSE, row, Heads{4, 4, 0.25}), d, 1.0/16)
	})
}

// rounded compares what was computed in bfloat16 with float64's, relative to each number or, where it is small
// because terms cancel, to an eighth of the largest.
func rounded(t *testing.T, s *Scope, want, got *Tensor, tolerance float64) {
	t.Helper()
	require.Equal(t, BFloat16, got.DType())
	w, g := s.Floats(s.Cast(want, Float32)), s.Floats(s.Cast(got, Float32))
	require.Len(t, g, len(w))
	size := 0.0
	for _, x := range w {
		size = max(size, math.Abs(float64(x)))
	}
	for i := range w {
		require.InDelta(t, w[i], g[i], tolerance*max(math.Abs(float64(w[i])), size/8), "element %d", i)
	}
}
