package lora

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/decoder"
	"lorabench/internal/fixture"
	"lorabench/internal/torch"
	"lorabench/internal/torch/torchtest"
)

var devices = torchtest.Find(torch.OpenDevice, torch.Cards)

// TestGroupIsTheDerivative compares LoRA's gradients with finite differences in float64, for one and
// two adapted layers of three, with and without dropout, in and out of the neighbouring columns.
func TestGroupIsTheDerivative(t *testing.T) { devices.Each(t, testGroupIsTheDerivative) }

func testGroupIsTheDerivative(t *testing.T, on torch.Device) {
	const T, in, out = 5, 4, 3
	for _, c := range []struct {
		why     string
		at      []int
		ranks   []int64
		dropout float64
	}{
		{"q and v, one matrix of A's", []int{0, 2}, []int64{2, 2}, 0},
		{"q and v, a mask each", []int{0, 2}, []int64{2, 2}, 0.4},
		{"one layer", []int{1}, []int64{2}, 0},
		{"one layer with dropout", []int{1}, []int64{2}, 0.4},
		{"ranks that differ", []int{0, 1, 2}, []int64{2, 1, 3}, 0},
		{"ranks that differ, a mask each", []int{0, 1, 2}, []int64{2, 1, 3}, 0.4},
	} {
		t.Run(c.why, func(t *testing.T) {
			require.NoError(t, torch.Run(func(s *torch.Scope) error {
				require.NoError(t, torch.Seed(1))
				draw := func(shape ...int64) *torch.Tensor {
					x := s.Empty(torch.Float64, on, shape...)
					torch.NormalIn(x, 0, 1)
					return x
				}
				all := int64(0)
				for _, r := range c.ranks {
					all += r
				}
				flatA, flatG := draw(all, in), s.Zeros(torch.Float64, on, all, in)
				g := &group{config: &Config{LoraDropout: c.dropout}, layers: &decoder.Group{}}
				for i := range 3 {
					g.layers.Linears = append(g.layers.Linears, &decoder.Linear{Name: fmt.Sprint(i), In: in, Out: out})
				}
				for i, at := range c.at {
					r, from := c.ranks[i], g.ranks(i)
					g.pairs = append(g.pairs, &pair{linear: g.layers.Linears[at], at: at, r: r, scaling: 3 / float64(r+int64(i)),
						a: s.Narrow(flatA, 0, from, r), aGrad: s.Narrow(flatG, 0, from, r),
						b: draw(out, r), bGrad: s.Zeros(torch.Float64, on, out, r)})
				}
				x, dy := draw(T, in), draw(T, 3*out)
				value := func() (v float64) {
					require.NoError(t, torch.Seed(2))
					s.Do(func(s *torch.Scope) {
						y := s.Zeros(torch.Float64, on, T, 3*out)
						g.Forward(s, x, y, true, nil)
						v = s.Item(s.Sum(s.Mul(y, dy)))
					})
					return v
				}
				k := decoder.NewSaved()
				defer k.Free()
				require.NoError(t, torch.Seed(2))
				g.Forward(s, x, s.Zeros(torch.Float64, on, T, 3*out), true, k)
				kept := decoder.Record[saved](k, g)
				require.Equal(t, c.dropout > 0, kept.mask != nil)
				dx := s.Zeros(torch.Float64, on, T, in)
				g.Backward(s, x, dy, dx, k)
				// From what was drawn the forward pass can be computed again.
				again := withMask(g, kept.mask)
				defer again.Free()
				g.Forward(s, x, s.Zeros(torch.Float64, on, T, 3*out), true, again)
				require.True(t, torch.Equal(kept.h, decoder.Record[saved](again, g).h))
				check := func(name string, v, grad *torch.Tensor) {
					got, flat := s.Floats(grad), s.View(v, v.Numel())
					for i := range got {
						const h = 1e-6
						one := s.Narrow(flat, 0, int64(i), 1)
						torch.AddScalarIn(one, h)
						up := value()
						torch.AddScalarIn(one, -2*h)
						down := value()
						torch.AddScalarIn(one, h)
						require.InDelta(t, (up-down)/(2*h), got[i], 1e-5, "%s, element %d", name, i)
					}
				}
				check("x", x, dx)
				check("A", flatA, flatG)
				for _, p := range g.pairs {
					check("B", p.b, p.bGrad)
				}
				return nil
			}))
		})
	}
}

// TestGroupInBFloat16 compares products in bfloat16 with float32's of the same numbers. Gradients are added to float32
// buffers, whatever was there; the neighbouring columns stay.
func TestGroupInBFloat16(t *testing.T) {
	const T, in, out, r, n = 5, 16, 8, 4, 2
	for _, dropout := range []float64{0, 0.4} {
		for _, half := range []string{"bfloat16", "float32"} {
			kernels := torch.CurrentKernels()
			kernels.BFloat16 = half
			defer torch.SetKernels(torch.SetKernels(kernels))
			require.NoError(t, torch.Run(func(s *torch.Scope) error {
				require.NoError(t, torch.Seed(1))
				rounded := func(shape ...int64) *torch.Tensor {
					return s.Cast(drawn(s, torch.CPU, torch.BFloat16, shape...), torch.Float32)
				}
				flat, before, mask := rounded(n*(r*in+out*r)), rounded(n*(r*in+out*r)), (*torch.Tensor)(nil)
				x, y, dy, dx := rounded(T, in), rounded(T, 3*out), rounded(T, 3*out), rounded(T, in)
				if dropout > 0 {
					_, mask = s.Dropout(x, n, dropout)
				}
				compute := func(d torch.DType) (y2, dx2, grads *torch.Tensor) {
					grads = s.Clone(before)
					g := &group{config: &Config{R: r, LoraAlpha: 3, LoraDropout: dropout, BFloat16: d == torch.BFloat16}, layers: &decoder.Group{}}
					at := int64(0)
					next := func(rows, columns int64) (value, grad *torch.Tensor) {
						at += rows * columns
						return s.View(s.Narrow(flat, 0, at-rows*columns, rows*columns), rows, columns),
							s.View(s.Narrow(grads, 0, at-rows*columns, rows*columns), rows, columns)
					}
					for i := range 3 {
						g.layers.Linears = append(g.layers.Linears, &decoder.Linear{Name: fmt.Sprint(i), In: in, Out: out})
					}
					for _, i := range []int{0, 2} {
						g.pairs = append(g.pairs, &pair{linear: g.layers.Linears[i], at: i, r: r, scaling: g.config.Scaling()})
					}
					for _, p := range g.pairs {
						p.a, p.aGrad = next(r, in)
					}
					for _, p := range g.pairs {
						p.b, p.bGrad = next(out, r)
					}
					y2, dx2 = s.Clone(s.Cast(y, d)), s.Clone(s.Cast(dx, d))
					k := withMask(g, mask)
					defer k.Free()
					g.Forward(s, s.Cast(x, d), y2, true, k)
					require.Equal(t, d, decoder.Record[saved](k, g).h.DType())
					g.Backward(s, s.Cast(x, d), s.Cast(dy, d), dx2, k)
					return y2, dx2, grads
				}
				y32, dx32, grads32 := compute(torch.Float32)
				y16, dx16, grads16 := compute(torch.BFloat16)
				require.Equal(t, torch.BFloat16, y16.DType())
				require.Equal(t, torch.Float32, grads16.DType())
				for _, c := range []struct {
					name      string
					want, got *torch.Tensor
				}{{"y", y32, y16}, {"dx", dx32, dx16}, {"gradients", grads32, grads16}} {
					far := fixture.Largest(t, s.Floats(c.got), s.Floats(c.want))
					require.Less(t, far, 4.0/256*s.AbsMax(c.want), "%s, dropout %v, products in %s", c.name, dropout, half)
					require.Positive(t, far, "%s was computed in bfloat16", c.name)
				}
				require.True(t, torch.Equal(s.Cast(s.Narrow(y, 1, out, out), torch.BFloat16), s.Narrow(y16, 1, out, out)), "k_proj has no adapter")
				return nil
			}))
		}
	}
}

// withMask is as after a forward pass that drew a mask; nil is none.
func withMask(g *group, mask *torch.Tensor) *decoder.Saved {
	k := decoder.NewSaved()
	decoder.Record[saved](k, g).mask = mask
	return k
}
