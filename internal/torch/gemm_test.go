package torch

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/torch/torchtest"
)

// TestOwnGEMM compares products with libtorch's in float64, at the edges of what is packed: 6 rows, 16
// columns, slabs of 1,024.
func TestOwnGEMM(t *testing.T) {
	setKernels(t, Own, "float32")
	for _, c := range []struct {
		why     string
		m, k, n int64
	}{
		{"whole panels", 36, 64, 32},
		{"one row more", 37, 64, 32},
		{"one row fewer than two panels of 6 more, in two groups of 8", 71, 64, 160},
		{"depth of no multiple of 4 or 8", 48, 67, 48},
		{"depth of two slabs that are not equal", 33, 1030, 64},
		{"depth of four slabs", 33, 4096, 64},
		{"columns of several groups, the last one smaller", 40, 64, 16 * 37},
		{"columns that are no panels, which it leaves to libtorch", 64, 64, 40},
		{"rank 8, which it leaves to libtorch", 64, 64, 8},
	} {
		t.Run(c.why, func(t *testing.T) {
			run(t, func(s *Scope) {
				require.NoError(t, Seed(1))
				draw := func(rows, columns int64) *Tensor {
					x := s.Empty(Float32, CPU, rows, columns)
					NormalIn(x, 0, 1)
					return x
				}
				for _, flags := range []struct{ ta, tb, add bool }{{false, false, false}, {false, true, true}, {true, false, true}, {true, true, false}} {
					turned := func(rows, columns int64, is bool) *Tensor {
						if is {
							return draw(columns, rows)
						}
						return draw(rows, columns)
					}
					a, b := turned(c.m, c.k, flags.ta), turned(c.k, c.n, flags.tb)
					whole := draw(c.m, c.n+16)
					y := s.Narrow(whole, 1, 16, c.n) // of a wider matrix, whose other columns stay
					wide, want := s.Cast(whole, Float64), s.Cast(y, Float64)
					beta := 0.0
					if flags.add {
						beta = 1
					} else { // what was there does not matter, even if it is no number
						FillIn(y, math.NaN())
					}
					AddMM(want, s.Cast(a, Float64), s.Cast(b, Float64), flags.ta, flags.tb, beta, 0.5)
					AddMM(y, a, b, flags.ta, flags.tb, beta, 0.5)
					close := 1e-6 * float64(c.k)
					require.InDeltaSlice(t, s.Floats(s.Cast(want, Float32)), s.Floats(s.Cast(y, Float32)), close, "%+v", flags)
					left := func(x *Tensor) []float32 { return s.Floats(s.Cast(s.Narrow(x, 1, 0, 16), Float32)) }
					require.Equal(t, left(wide), left(whole), "columns beside it")
				}
				x, w, bias := draw(c.m, c.k), draw(c.n, c.k), s.Empty(Float32, CPU, c.n)
				NormalIn(bias, 0, 1)
				y := s.Floats(s.Linear(x, w, bias))
				setKernels(t, LibTorch, "float32")
				require.InDeltaSlice(t, s.Floats(s.Linear(x, w, bias)), y, 1e-6*float64(c.k), "with a bias")
			})
		})
	}
}

// TestOwnGEMMOfBatches: batched products, as LoRA's with dropout are, are those of each matrix by itself.
func TestOwnGEMMOfBatches(t *testing.T) {
	setKernels(t, Own, "float32")
	run(t, func(s *Scope) {
		require.NoError(t, Seed(1))
		draw := func(shape ...int64) *Tensor { x := s.Empty(Float32, CPU, shape...); NormalIn(x, 0, 1); return x }
		for _, ta := range []bool{false, true} {
			y, a, b := draw(2, 70, 64), draw(2, 70, 130), draw(2, 64, 130)
			if ta {
				a = draw(2, 130, 70)
			}
			want := s.Cast(y, Float64)
			AddMM(want, s.Cast(a, Float64), s.Cast(b, Float64), ta, true, 1, 0.5)
			AddMM(y, a, b, ta, true, 1, 0.5)
			require.InDeltaSlice(t, s.Floats(s.Cast(want, Float32)), s.Floats(y), 1e-4)
		}
	})
}

// TestOwnGEMMIsUsed: a step's shapes go to our own kernel where there is one. It adds in another order
// than the libraries, which shows in the last digits.
func TestOwnGEMMIsUsed(t *testing.T) {
	setKernels(t, Own, "float32")
	run(t, func(s *Scope) {
		x, w := s.Empty(Float32, CPU, 100, 1024), s.Empty(Float32, CPU, 256, 1024)
		NormalIn(x, 0, 1)
		NormalIn(w, 0, 1)
		ours := s.Floats(s.Linear(x, w, nil))
		again := s.Floats(s.Linear(x, w, nil))
		require.Equal(t, ours, again, "the same on whatever thread a group is computed")
		setKernels(t, LibTorch, "float32")
		require.False(t, slices.Equal(ours, s.Floats(s.Linear(x, w, nil))))
	})
}

// setKernels has a library compute products until t ends, those of bfloat16 in a type, whatever is fast here. It skips t where the
// processor does not have the library.
func setKernels(t testing.TB, library, half string) {
	k, err := ParseKernels("layers="+library+",head="+library, CurrentKernels())
	if err != nil {
		t.Skip(err)
	}
	k.BFloat16 = half
	before := SetKernels(k)
	t.Cleanup(func() { SetKernels(before) })
}

// BenchmarkGEMM is the products of OPT-350m's layers with 650 tokens, forward (x W^T) and for the gradient
// (dy W), by each library, in float32 and bfloat16, one layer after the other; GFLOP/s is what counts.
func BenchmarkGEMM(b *testing.B) {
	for _, c := range []struct {
		name       string
		in, out, m int64
	}{{"qkv", 1024, 3072, 650}, {"out", 1024, 1024, 650}, {"fc1", 1024, 4096, 650}, {"fc2", 4096, 1024, 650}, {"head", 512, 50272, 160}, {"r=128", 1024, 128, 650}, {"r=256", 1024, 256, 650}} {
		for _, pass := range []string{"forward", "backward"} {
			for _, by := range []string{Own, OneDNN, LibTorch} {
				for _, d := range []DType{Float32, BFloat16} {
					b.Run(fmt.Sprintf("layer=%s/pass=%s/dtype=%s/by=%s", c.name, pass, d, by), func(b *testing.B) {
						setKernels(b, by, d.String())
						bench(b, func(s *Scope, _ *Tensor) func(s *Scope) {
							x, dy, w := s.Empty(d, CPU, c.m, c.in), s.Empty(d, CPU, c.m, c.out), s.Empty(d, CPU, c.out, c.in)
							for _, t := range []*Tensor{x, dy, w} {
								NormalIn(t, 0, 1)
							}
							if pass == "forward" {
								return func(s *Scope) { s.Linear(x, w, nil) }
							}
							return func(s *Scope) { s.LinearBackward(dy, w, nil) }
						})
						b.ReportMetric(2*float64(c.m*c.in*c.out)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
					})
				}
			}
		}
	}
}

// TestOneOpenMP: a second OpenMP runtime in the process would be a second pool of threads, which compete
// with libtorch's for the same cores.
func TestOneOpenMP(t *testing.T) {
	maps, err := os.ReadFile("/proc/self/maps")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no /proc/self/maps: not Linux")
	}
	require.NoError(t, err)
	loaded := map[string]bool{}
	for _, path := range regexp.MustCompile(`/\S*/lib(?:g|i)?omp[^/\s]*\.so\S*`).FindAllString(string(maps), -1) {
		loaded[path] = true
	}
	require.Len(t, loaded, 1)
}

// TestLargeProductsAreTheSmallOnes: a large product, which on a CPU another library computes, is that of
// its rows a few at a time.
func TestLargeProductsAreTheSmallOnes(t *testing.T) {
	devices.Each(t, testLargeProductsAreTheSmallOnes)
}

func testLargeProductsAreTheSmallOnes(t *testing.T, on Device) {
	run(t, func(s *Scope) {
		require.NoError(t, Seed(1))
		draw := func(shape ...int64) *Tensor { x := s.Empty(Float32, on, shape...); NormalIn(x, 0, 1); return x }
		const rows, in, out, few = 600, 1024, 1000, 100
		within := torchtest.Within(on, torchtest.Pass, 2e-4)
		x, w, b, dy := draw(rows, in), draw(out, in), draw(out), draw(rows, out)
		y, dx, sum := s.Linear(x, w, b), s.LinearBackward(dy, w, nil), s.Clone(x)
		require.Same(t, sum, s.LinearBackward(dy, w, sum))
		for at := int64(0); at < rows; at += few {
			part := func(t *Tensor) *Tensor { return s.Narrow(t, 0, at, few) }
			require.InDeltaSlice(t, s.Floats(s.Linear(part(x), w, b)), s.Floats(part(y)), within)
			small := s.LinearBackward(part(dy), w, nil)
			require.InDeltaSlice(t, s.Floats(small), s.Floats(part(dx)), within)
			require.InDeltaSlice(t, s.Floats(s.Add(small, part(x))), s.Floats(part(sum)), within)
		}
	})
}
