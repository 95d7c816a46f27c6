package torch

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/torch/torchtest"
)

// row is a micro-batch of three sequences for tests, one of a single token.
func row(s *Scope, on Device) Sequences {
	q := Sequences{CuSeqlens: []int64{0, 4, 5, 7}, MaxSeqlen: 4}
	if on.CUDA() {
		q.OnDevice = s.Cast(s.FromInts(q.CuSeqlens, on), Int32)
	}
	return q
}

// TestAttentionRepeatsItself: a sequence longer than a block of the kernel's keys has the same gradient each time. On a GPU its
// bits may differ: the kernel splits the keys and adds in no fixed order.
func TestAttentionRepeatsItself(t *testing.T) { devices.Each(t, testAttentionRepeatsItself) }

func testAttentionRepeatsItself(t *testing.T, on Device) {
	const heads, width, tokens = 4, 64, 1000
	run(t, func(s *Scope) {
		require.NoError(t, Seed(1))
		qkv, dy := s.Empty(Float32, on, tokens, 3*heads*width), s.Empty(Float32, on, tokens, heads*width)
		NormalIn(qkv, 0, 1)
		NormalIn(dy, 0, 1)
		q := Sequences{CuSeqlens: []int64{0, 700, 950, tokens}, MaxSeqlen: 700}
		if on.CUDA() {
			q.OnDevice = s.Cast(s.FromInts(q.CuSeqlens, on), Int32)
		}
		var first []float32
		for range 5 {
			y, lse := s.Attention(qkv, q, Heads{heads, heads, 0.125})
			d := s.Floats(s.AttentionBackward(dy, qkv, y, lse, q, Heads{heads, heads, 0.125}))
			if first != nil {
				torchtest.Same(t, on, first, d, "gradient of q, k and v")
			}
			first = d
		}
	})
}

// part is a piece of a model with its backward pass written out: y of its inputs, and the gradients
// of its inputs from y's.
type part struct {
	why    string
	shapes [][]int64
	run    func(s *Scope, x []*Tensor) (y *Tensor, back func(dy *Tensor) []*Tensor)
}

func parts(on Device) []part {
	const heads, scale = 2, 0.7
	return []part{
		{"layer norm", [][]int64{{5, 6}, {6}, {6}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			y, mean, rstd := s.LayerNorm(x[0], x[1], x[2], 1e-5)
			return y, func(dy *Tensor) []*Tensor {
				dw, db := s.Zeros(y.DType(), on, 6), s.Zeros(y.DType(), on, 6)
				return []*Tensor{s.LayerNormBackward(dy, x[0], mean, rstd, x[1], x[2], dw, db), dw, db}
			}
		}},
		{"relu", [][]int64{{5, 6}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			y := s.Clone(x[0])
			zero := s.ReLUIn(y, true)
			return y, func(dy *Tensor) []*Tensor {
				d := s.Clone(dy)
				ReLUBackwardIn(d, zero)
				return []*Tensor{d}
			}
		}},
		{"gelu", [][]int64{{5, 6}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			return s.GELU(x[0]), func(dy *Tensor) []*Tensor { return []*Tensor{s.GELUBackward(dy, x[0])} }
		}},
		{"dropout, twice the same input with two masks", [][]int64{{5, 6}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			_ = Seed(1)
			y, mask := s.Dropout(x[0], 2, 0.4)
			return y, func(dy *Tensor) []*Tensor { return []*Tensor{s.SumRows(s.DropoutWith(dy, mask, 0, 0.4))} }
		}},
		{"residual with dropout", [][]int64{{5, 6}, {5, 6}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			_ = Seed(1)
			y := s.Clone(x[1])
			mask := s.ResidualIn(x[0], y, nil, 0.4)
			return y, func(dy *Tensor) []*Tensor { return []*Tensor{dy, s.DropoutWith(dy, mask, 0, 0.4)} }
		}},
		{"attention", [][]int64{{7, 24}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			q := row(s, on)
			y, lse := s.Attention(x[0], q, Heads{heads, heads, scale})
			return y, func(dy *Tensor) []*Tensor {
				return []*Tensor{s.AttentionBackward(dy, x[0], y, lse, q, Heads{heads, heads, scale})}
			}
		}},
		{"exact attention", [][]int64{{7, 24}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			defer FlashAttention(FlashAttention(false))
			q := row(s, on)
			y, lse := s.Attention(x[0], q, Heads{heads, heads, scale})
			return y, func(dy *Tensor) []*Tensor {
				defer FlashAttention(FlashAttention(false))
				return []*Tensor{s.AttentionBackward(dy, x[0], y, lse, q, Heads{heads, heads, scale})}
			}
		}},
		{"grouped attention", [][]int64{{7, 24}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			defer FlashAttention(FlashAttention(!on.CUDA() || x[0].DType() == Float32))
			q, h := row(s, on), Heads{4, 1, scale}
			y, lse := s.Attention(x[0], q, h)
			return y, func(dy *Tensor) []*Tensor {
				defer FlashAttention(FlashAttention(!on.CUDA() || x[0].DType() == Float32))
				return []*Tensor{s.AttentionBackward(dy, x[0], y, lse, q, h)}
			}
		}},
		{"rms norm of two heads", [][]int64{{5, 6}, {3}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			y, rstd := s.RMSNorm(x[0], x[1], 1e-5)
			return y, func(dy *Tensor) []*Tensor {
				dw := s.Zeros(y.DType(), on, 3)
				return []*Tensor{s.RMSNormBackward(dy, x[0], rstd, x[1], dw), dw}
			}
		}},
		{"rms norm of a row of whole vectors and a rest", [][]int64{{3, 35}, {35}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			y, rstd := s.RMSNorm(x[0], x[1], 1e-5)
			return y, func(dy *Tensor) []*Tensor {
				dw := s.Zeros(y.DType(), on, 35)
				return []*Tensor{s.RMSNormBackward(dy, x[0], rstd, x[1], dw), dw}
			}
		}},
		{"rotary positions of the first two heads of three", [][]int64{{5, 12}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			angles := s.To(s.FromFloats([]float32{0, 0, .5, .1, 1, .2, 1.5, .3, 2, .4}, 5, 2), x[0].DType(), on)
			cos, sin := s.Cos(angles), s.Sin(angles)
			y := s.Clone(x[0])
			RotateIn(s.Narrow(y, 1, 0, 8), cos, sin, 2, false)
			return y, func(dy *Tensor) []*Tensor {
				d := s.Clone(dy)
				RotateIn(s.Narrow(d, 1, 0, 8), cos, sin, 2, true)
				return []*Tensor{d}
			}
		}},
		{"swiglu", [][]int64{{5, 8}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			return s.SwiGLU(x[0]), func(dy *Tensor) []*Tensor { return []*Tensor{s.SwiGLUBackward(dy, x[0])} }
		}},
		{"head and loss, in chunks of two, one row without a label", [][]int64{{5, 3}, {9, 3}}, func(s *Scope, x []*Tensor) (*Tensor, func(*Tensor) []*Tensor) {
			target := s.FromInts([]int64{3, 8, -100, 0, 3}, on)
			loss := s.Zeros(x[0].DType(), on)
			weights := func(dy *Tensor) *Tensor { // rows count differently
				w := s.To(s.FromFloats([]float32{1, 0.5, 2, 0.25, 3}, 5), loss.DType(), on)
				if dy != nil {
					MulIn(w, dy)
				}
				return w
			}
			s.CrossEntropySum(x[0], x[1], target, weights(nil), loss, nil, false, 2)
			return loss, func(dy *Tensor) []*Tensor {
				dw, again := s.Zeros(x[0].DType(), on, 9, 3), s.Zeros(x[0].DType(), on)
				return []*Tensor{s.CrossEntropySum(x[0], x[1], target, weights(dy), again, dw, true, 2), dw}
			}
		}},
	}
}

// TestBackwardIsTheDerivative compares each backward pass with finite differences of its forward pass,
// in float64.
func TestBackwardIsTheDerivative(t *testing.T) { devices.Each(t, testBackwardIsTheDerivative) }

func testBackwardIsTheDerivative(t *testing.T, on Device) {
	for _, p := range parts(on) {
		t.Run(p.why, func(t *testing.T) {
			if on.CUDA() && p.why == "attention" {
				t.Skip("the memory-efficient kernel has no float64: TestDevicesComputeWhatTheCPUDoes compares it")
			}
			run(t, func(s *Scope) {
				require.NoError(t, Seed(3))
				var x []*Tensor
				for _, shape := range p.shapes {
					v := s.Empty(Float64, on, shape...)
					NormalIn(v, 0, 1)
					x = append(x, v)
				}
				y, back := p.run(s, x)
				dy := s.Empty(Float64, on, y.Shape()...)
				NormalIn(dy, 0, 1)
				value := func() (v float64) {
					s.Do(func(s *Scope) {
						y, _ := p.run(s, x)
						v = s.Item(s.Sum(s.Mul(y, dy)))
					})
					return v
				}
				for i, g := range back(dy) {
					require.Equal(t, x[i].Shape(), g.Shape())
					flat, got := s.View(x[i], x[i].Numel()), s.Floats(g)
					const h = 1e-5
					for j := range got {
						one := s.Narrow(flat, 0, int64(j), 1)
						AddScalarIn(one, h)
						up := value()
						AddScalarIn(one, -2*h)
						down := value()
						AddScalarIn(one, h)
						require.InDelta(t, (up-down)/(2*h), got[j], 2e-5, "input %d, element %d", i, j)
					}
				}
			})
		})
	}
}

// TestDevicesComputeWhatTheCPUDoes runs the same parts on a device and on the CPU. Attention on CUDA is the
// kernel with cumulative lengths, on the CPU one call a sequence.
func TestDevicesComputeWhatTheCPUDoes(t *testing.T) { devices.Each(t, testComputesWhatTheCPUDoes) }

func testComputesWhatTheCPUDoes(t *testing.T, d Device) {
	on := parts(d)
	for i, p := range parts(CPU) {
		if p.why == "dropout, twice the same input with two masks" || p.why == "residual with dropout" {
			continue // another generator, other masks
		}
		t.Run(p.why, func(t *testing.T) {
			run(t, func(s *Scope) {
				require.NoError(t, Seed(3))
				var x, gx []*Tensor
				for _, shape := range p.shapes {
					v := s.Empty(Float32, CPU, shape...)
					NormalIn(v, 0, 1)
					x, gx = append(x, v), append(gx, s.To(v, Float32, d))
				}
				y, back := p.run(s, x)
				gy, gback := on[i].run(s, gx)
				require.InDeltaSlice(t, s.Floats(y), s.Floats(gy), 1e-4)
				dy := s.Empty(Float32, CPU, y.Shape()...)
				NormalIn(dy, 0, 1)
				want, got := back(dy), gback(s.To(dy, Float32, d))
				for j := range want {
					require.InDeltaSlice(t, s.Floats(want[j]), s.Floats(got[j]), 1e-4, "input %d", j)
				}
			})
		})
	}
}

// TestChunksChangeNothing: the head is the same whatever its chunks are.
func TestChunksChangeNothing(t *testing.T) { devices.Each(t, testChunksChangeNothing) }

func testChunksChangeNothing(t *testing.T, on Device) {
	run(t, func(s *Scope) {
		require.NoError(t, Seed(1))
		h, w := s.Empty(Float32, on, 7, 4), s.Empty(Float32, on, 11, 4)
		NormalIn(h, 0, 1)
		NormalIn(w, 0, 1)
		target := s.FromInts([]int64{1, 2, 10, 0, 5, 5, -100}, on)
		var losses, grads [][]float32
		for _, chunk := range []int64{1, 3, 7, 100} {
			loss := s.Zeros(Float32, on)
			d := s.CrossEntropySum(h, w, target, floats(s, on, []float32{1, 2, 3, 4, 5, 6, 7}, 7), loss, nil, true, chunk)
			losses, grads = append(losses, s.Floats(loss)), append(grads, s.Floats(d))
		}
		for i := range losses {
			require.InEpsilonSlice(t, losses[0], losses[i], torchtest.Within(on, torchtest.Pass, 1e-6))
			require.InDeltaSlice(t, grads[0], grads[i], torchtest.Within(on, torchtest.Pass, 1e-6))
		}
		require.Equal(t, make([]float32, 4), grads[0][24:], "a row without a label has no gradient")
	})
}

func TestStackedIsAViewOfNeighboursOnly(t *testing.T) {
	run(t, func(s *Scope) {
		flat := s.FromFloats([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 8)
		piece := func(at, rows int64) *Tensor { return s.View(s.Narrow(flat, 0, at, 2*rows), rows, 2) }
		a, b, c := piece(0, 1), piece(2, 2), piece(6, 1)
		all := s.Stacked(a, b, c)
		require.Equal(t, []int64{4, 2}, all.Shape())
		FillIn(b, 0)
		require.Equal(t, []float32{1, 2, 0, 0, 0, 0, 7, 8}, s.Floats(all), "the same memory")
		for _, c := range []struct {
			why string
			ts  []*Tensor
		}{
			{"a gap", []*Tensor{a, c}},
			{"another order", []*Tensor{b, a}},
			{"other memory", []*Tensor{a, s.Clone(b)}},
			{"one is missing", []*Tensor{a, nil}},
		} {
			require.Nil(t, s.Stacked(c.ts...), c.why)
		}
	})
}

func TestDropoutKeepsItsShareAndScale(t *testing.T) {
	devices.Each(t, testDropoutKeepsItsShareAndScale)
}

func testDropoutKeepsItsShareAndScale(t *testing.T, on Device) {
	run(t, func(s *Scope) {
		require.NoError(t, Seed(1))
		const n, p = 1 << 18, 0.1
		x := s.Zeros(Float32, on, n)
		FillIn(x, 2)
		y, mask := s.Dropout(x, 2, p)
		require.Equal(t, []int64{2, n}, y.Shape())
		v, kept := s.Floats(y), 0
		same := 0
		for i, e := range v {
			if e != 0 {
				require.InDelta(t, 2/(1-p), e, 1e-6)
				kept++
			}
			if i < n && (e == 0) == (v[n+i] == 0) {
				same++
			}
		}
		require.InDelta(t, 1-p, float64(kept)/(2*n), 3e-3, "5 standard deviations")
		require.InDelta(t, p*p+(1-p)*(1-p), float64(same)/n, 5e-3, "the two masks are independent")
		require.Equal(t, v, s.Floats(s.DropoutWith(x, mask, 2, p)), "the mask again")
	})
}
