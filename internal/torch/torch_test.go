package torch

import (
	"debug/elf"
	"errors"
	"io/fs"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/torch/torchtest"
)

func run(t *testing.T, f func(s *Scope)) {
	t.Helper()
	before := Live()
	require.NoError(t, Run(func(s *Scope) error { f(s); return nil }))
	require.Equal(t, before, Live(), "tensors left over")
}

func TestFailedOperationNamesItselfAndShapes(t *testing.T) {
	for _, c := range []struct {
		why  string
		f    func(s *Scope)
		op   string
		text string
	}{
		{"shapes that do not fit", func(s *Scope) { s.MatMul(s.Zeros(Float32, CPU, 2, 3), s.Zeros(Float32, CPU, 2, 3)) }, "matmul", "[[2 3] [2 3]]"},
		{"our own C++", func(s *Scope) {
			s.Attention(s.Zeros(Float32, CPU, 4, 18), Sequences{CuSeqlens: []int64{0, 4}, MaxSeqlen: 4}, Heads{4, 4, 1})
		}, "attention", "[4 18]"},
		{"lengths that do not span the row", func(s *Scope) {
			s.Attention(s.Zeros(Float32, CPU, 4, 18), Sequences{CuSeqlens: []int64{0, 3}, MaxSeqlen: 4}, Heads{2, 2, 1})
		}, "attention", "[0 3]"},
		{"a view of another size", func(s *Scope) { s.View(s.Zeros(Float32, CPU, 4), 3) }, "view", "[4]"},
		{"an index out of range", func(s *Scope) { s.IndexSelect(s.Zeros(Float32, CPU, 2), 0, s.FromInts([]int64{5}, CPU)) }, "index_select", "out of range"},
		{"a tensor of another scope that ended", func(s *Scope) {
			var x *Tensor
			s.Do(func(s *Scope) { x = s.Zeros(Float32, CPU, 1) })
			s.GELU(x)
		}, "gelu", "after its scope ended"},
		{"in place", func(s *Scope) { AddIn(s.Zeros(Float32, CPU, 2), s.Zeros(Float32, CPU, 3)) }, "add_", "[[2] [3]]"},
		{"bytes that are too few", func(s *Scope) { s.FromBytes(make([]byte, 7), Float32, 2) }, "tensor", "7 bytes"},
		{"no tensors to join", func(s *Scope) { s.Cat(nil, 0) }, "cat", "no tensors"},
	} {
		t.Run(c.why, func(t *testing.T) {
			before := Live()
			err := Run(func(s *Scope) error { c.f(s); return nil })
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.op, e.Op)
			require.Contains(t, err.Error(), c.text)
			require.NotContains(t, err.Error(), "Exception raised from", "libtorch's C++ stack")
			require.Equal(t, before, Live(), "a failed operation frees what was made")
		})
	}
}

func TestRun(t *testing.T) {
	t.Run("an ordinary error comes back as it is", func(t *testing.T) {
		want := errors.New("mine")
		require.Equal(t, want, Run(func(*Scope) error { return want }))
	})
	t.Run("another panic is raised in the caller", func(t *testing.T) {
		defer func() { require.Contains(t, recover(), "index out of range") }()
		_ = Run(func(*Scope) error { var v []int; _ = v[len(v)]; return nil })
		t.Fatal("Run returned")
	})
	t.Run("a call inside a call runs at once", func(t *testing.T) {
		require.NoError(t, Run(func(*Scope) error {
			return Run(func(s *Scope) error { s.Zeros(Float32, CPU, 1); return nil })
		}))
	})
	t.Run("many goroutines queue up", func(t *testing.T) {
		before := Live()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				require.NoError(t, Run(func(s *Scope) error {
					require.InDelta(t, 3, s.Item(s.Sum(s.FromFloats([]float32{1, 2}, 2))), 0)
					return nil
				}))
			})
		}
		wg.Wait()
		require.Equal(t, before, Live())
	})
	t.Run("a test that ends inside leaves the thread usable", func(t *testing.T) {
		done := make(chan bool)
		go func() {
			defer close(done)
			_ = Run(func(*Scope) error { runtime.Goexit(); return nil })
		}()
		<-done
		require.NoError(t, Run(func(*Scope) error { return nil }))
	})
}

func TestScopesMoveAndDrop(t *testing.T) {
	run(t, func(s *Scope) {
		outer := NewScope()
		x := s.Layer(func(s *Scope) *Tensor {
			s.Zeros(Float32, CPU, 8)
			return s.Zeros(Float32, CPU, 2)
		})
		require.Equal(t, 1, s.Len(), "only the result moves out")
		outer.Take(x)
		require.Equal(t, 0, s.Len())
		y := s.Layer(func(*Scope) *Tensor { return x })
		require.Same(t, x, y, "a layer may return its input, whose owner keeps it")
		require.Equal(t, 0, s.Len())
		outer.Free()
		outer.Free()
		z := s.Zeros(Float32, CPU, 1)
		s.Drop(z)
		require.Equal(t, 0, s.Len())
	})
}

// TestAttentionKeepsSequencesApart compares a packed row with each sequence alone, and with the
// formula written out.
func TestAttentionKeepsSequencesApart(t *testing.T) {
	devices.Each(t, testAttentionKeepsSequencesApart)
}

func testAttentionKeepsSequencesApart(t *testing.T, on Device) {
	const heads = 2
	width := 3 // of a head
	if on.CUDA() {
		width = 4 // the kernel reads 16 bytes at a time
	}
	run(t, func(s *Scope) {
		require.NoError(t, Seed(1))
		draw := func() *Tensor { x := s.Empty(Float32, on, 7, heads*int64(width)); NormalIn(x, 0, 1); return x }
		q, k, v := draw(), draw(), draw()
		y, _ := s.Attention(s.Cat([]*Tensor{q, k, v}, 1), row(s, on), Heads{heads, heads, 0.5})
		got, fq, fk, fv := s.Floats(y), s.Floats(q), s.Floats(k), s.Floats(v)
		at := func(x []float32, t, h, d int) float64 { return float64(x[(t*heads+h)*width+d]) }
		for _, seq := range [][2]int{{0, 4}, {4, 5}, {5, 7}} {
			for i := seq[0]; i < seq[1]; i++ {
				for h := range heads {
					var p []float64
					sum := 0.0
					for j := seq[0]; j <= i; j++ {
						dot := 0.0
						for d := range width {
							dot += at(fq, i, h, d) * at(fk, j, h, d)
						}
						p = append(p, math.Exp(dot*0.5))
						sum += p[len(p)-1]
					}
					for d := range width {
						want := 0.0
						for j := range p {
							want += p[j] / sum * at(fv, seq[0]+j, h, d)
						}
						require.InDelta(t, want, at(got, i, h, d), torchtest.Within(on, torchtest.Pass, 1e-5))
					}
				}
			}
		}
	})
}

// floats is FromFloats on any device.
func floats(s *Scope, on Device, v []float32, shape ...int64) *Tensor {
	return s.To(s.FromFloats(v, shape...), Float32, on)
}

func TestRowsAndColumns(t *testing.T) { devices.Each(t, testRowsAndColumns) }

func testRowsAndColumns(t *testing.T, on Device) {
	run(t, func(s *Scope) {
		x := floats(s, on, []float32{3, -4, 0, 5, 12, -1}, 3, 2)
		require.InDeltaSlice(t, []float32{5, 5, float32(math.Sqrt(145))}, s.Floats(s.RowNorms(x)), torchtest.Within(on, torchtest.Pass, 1e-6))
		require.Equal(t, []float32{-1, 5, 11}, s.Floats(s.SumColumns(x)))
		require.Equal(t, []float32{15, 0}, s.Floats(s.SumRows(x)))
		require.Equal(t, []float32{1.5, -1, 0, 1.25, 6, -0.25}, s.Floats(s.Div(x, floats(s, on, []float32{2, 4}, 2))), "b is of every row")
		half := s.Cast(floats(s, on, []float32{1, 2}, 2), BFloat16)
		SubIn(x, half)
		require.Equal(t, []float32{2, -6, -1, 3, 11, -3}, s.Floats(x), "in t's own type")
	})
}

func TestAdamWIsTheFormula(t *testing.T) { devices.Each(t, testAdamWIsTheFormula) }

func testAdamWIsTheFormula(t *testing.T, on Device) {
	run(t, func(s *Scope) {
		p, g := floats(s, on, []float32{1, -2, 3}, 3), floats(s, on, []float32{0.1, -0.2, 1e-9}, 3)
		m, v := s.Zeros(Float32, on, 3), s.Zeros(Float32, on, 3)
		step, rate := s.Zeros(Float32, on, 1), floats(s, on, []float32{0.01}, 1)
		want, wm, wv := []float64{1, -2, 3}, make([]float64, 3), make([]float64, 3)
		for n := 1; n <= 5; n++ {
			AddScalarIn(step, 1)
			AdamW(p, g, m, v, step, rate, 0.9, 0.999, 1e-8, 0.1)
			for i, gi := range []float64{0.1, -0.2, 1e-9} {
				wm[i], wv[i] = 0.9*wm[i]+0.1*gi, 0.999*wv[i]+0.001*gi*gi
				want[i] -= 0.01 * 0.1 * want[i]
				want[i] -= 0.01 * (wm[i] / (1 - math.Pow(0.9, float64(n)))) / (math.Sqrt(wv[i]/(1-math.Pow(0.999, float64(n)))) + 1e-8)
			}
		}
		for i, x := range s.Floats(p) {
			require.InDelta(t, want[i], x, torchtest.Within(on, torchtest.Steps, 2e-6))
		}
	})
}

func TestSeedRepeats(t *testing.T) { devices.Each(t, testSeedRepeats) }

func testSeedRepeats(t *testing.T, on Device) {
	draw := func(seed int64) (v []float32) {
		run(t, func(s *Scope) {
			Seed(seed)
			y, _ := s.Dropout(floats(s, on, []float32{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 12), 0, 0.5)
			v = s.Floats(y)
		})
		return v
	}
	require.Equal(t, draw(7), draw(7))
	require.NotEqual(t, draw(7), draw(8))
}

func TestDevices(t *testing.T) {
	for _, c := range []struct{ why, name, text string }{
		{"not a device", "tpu", "want cpu, cuda, cuda:N or auto"},
		{"no index", "cuda:x", "want cpu, cuda, cuda:N or auto"},
		{"a negative index", "cuda:-1", "want cpu, cuda, cuda:N or auto"},
	} {
		_, err := OpenDevice(c.name)
		require.ErrorContains(t, err, c.text, c.why)
	}
	d, err := OpenDevice("cpu")
	require.NoError(t, err)
	require.Equal(t, CPU, d)
	_, err = d.Memory()
	require.ErrorIs(t, err, ErrNoCUDA)
	require.ErrorIs(t, d.ResetPeak(), ErrNoCUDA)
	require.NoError(t, d.Synchronize())
	if DriverPresent() {
		return
	}
	_, err = OpenDevice("cuda")
	require.ErrorContains(t, err, "no NVIDIA driver", "asked for by name it is an error")
	require.ErrorContains(t, err, "-device=cpu", "which says what to do")
	d, err = OpenDevice("auto")
	require.NoError(t, err)
	require.Equal(t, CPU, d)
	// The allocator's statistics without CUDA: an error, no crash.
	_, err = Device(0).Memory()
	require.ErrorContains(t, err, "memory of cuda:0: no NVIDIA driver")
	require.ErrorContains(t, Device(0).ResetPeak(), "memory of cuda:0: no NVIDIA driver")
}

// TestCUDAPartBringsCUDAIn: the part that is opened at run time must need libtorch_cuda, or opening
// it registers nothing and libtorch sees no GPU. That can be told without one.
func TestCUDAPartBringsCUDAIn(t *testing.T) {
	f, err := elf.Open("link/liblorabench_cuda.so")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this libtorch has no CUDA half, so there is no CUDA part")
	}
	require.NoError(t, err)
	defer f.Close()
	needed, err := f.ImportedLibraries()
	require.NoError(t, err)
	require.Contains(t, needed, "libtorch_cuda.so")
	symbols, err := f.DynamicSymbols()
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(symbols, func(s elf.Symbol) bool {
		return s.Name == "lorabench_cuda_device" && s.Section != elf.SHN_UNDEF
	}))
}

func TestCUDA(t *testing.T) {
	d := devices.GPU(t)
	name, err := d.Name()
	require.NoError(t, err)
	t.Log(name)
	require.NoError(t, d.EmptyCache())
	require.NoError(t, d.ResetPeak())
	before, err := d.Memory()
	require.NoError(t, err)
	const n = 64 << 20
	run(t, func(s *Scope) { s.Zeros(UInt8, d, n) })
	after, err := d.Memory()
	require.NoError(t, err)
	require.GreaterOrEqual(t, after.AllocatedPeak, before.Allocated+n)
	require.Equal(t, before.Allocated, after.Allocated)
	require.NoError(t, d.ResetPeak())
	reset, err := d.Memory()
	require.NoError(t, err)
	require.Equal(t, reset.Allocated, reset.AllocatedPeak)
	require.NoError(t, d.Synchronize())
}

// BenchmarkOp is one operation's overhead: a view of one element.
func BenchmarkOp(b *testing.B) {
	err := Run(func(s *Scope) error {
		x := s.Zeros(Float32, CPU, 1)
		for b.Loop() {
			s.Drop(s.View(x, 1))
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
