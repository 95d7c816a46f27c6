package lora

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/torch"
	"lorabench/internal/torch/torchtest"
	"lorabench/opt"
)

var devices = torchtest.Find(torch.OpenDevice, torch.Cards)

// TestGroupIsTheDerivative compares LoRA's gradients with finite differences in float64, for one and
// two adapted layers of three, with and without dropout, in and out of the neighbouring columns.
func TestGroupIsTheDerivative(t *testing.T) { devices.Each(t, testGroupIsTheDerivative) }

func testGroupIsTheDerivative(t *testing.T, on torch.Device) {
	const T, in, out, r = 5, 4, 3, 2
	for _, c := range []struct {
		why     string
		at      []int
		dropout float64
	}{
		{"q and v, one matrix of A's", []int{0, 2}, 0},
		{"q and v, a mask each", []int{0, 2}, 0.4},
		{"one layer", []int{1}, 0},
		{"one layer with dropout", []int{1}, 0.4},
	} {
		t.Run(c.why, func(t *testing.T) {
			require.NoError(t, torch.Run(func(s *torch.Scope) error {
				require.NoError(t, torch.Seed(1))
				draw := func(shape ...int64) *torch.Tensor {
					x := s.Empty(torch.Float64, on, shape...)
					torch.NormalIn(x, 0, 1)
					return x
				}
				n := int64(len(c.at))
				flatA, flatG := draw(n*r, in), s.Zeros(torch.Float64, on, n*r, in)
				g := &group{config: &Config{R: r, LoraAlpha: 3, LoraDropout: c.dropout}, layers: &opt.Group{}}
				for i := range 3 {
					g.layers.Linears = append(g.layers.Linears, &opt.Linear{Name: fmt.Sprint(i), In: in, Out: out})
				}
				for i, at := range c.at {
					g.pairs = append(g.pairs, &pair{linear: g.layers.Linears[at], at: at, a: s.Narrow(flatA, 0, int64(i)*r, r),
						aGrad: s.Narrow(flatG, 0, int64(i)*r, r), b: draw(out, r), bGrad: s.Zeros(torch.Float64, on, out, r)})
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
				var k opt.Kept
				require.NoError(t, torch.Seed(2))
				g.Forward(s, x, s.Zeros(torch.Float64, on, T, 3*out), true, &k)
				require.Equal(t, c.dropout > 0, k.Drawn != nil)
				dx := s.Zeros(torch.Float64, on, T, in)
				g.Backward(s, x, dy, dx, &k)
				// From what was drawn the forward pass can be computed again.
				again := opt.Kept{Drawn: k.Drawn}
				g.Forward(s, x, s.Zeros(torch.Float64, on, T, 3*out), true, &again)
				require.True(t, torch.Equal(k.Values, again.Values))
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
