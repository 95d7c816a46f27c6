package lora

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/checkpoint"
	"lorabench/internal/decoder"
	"lorabench/internal/fixture"
	"lorabench/internal/models"
	"lorabench/internal/torch"
	"lorabench/internal/torch/torchtest"
)

// sizes of a group of three layers under test.
const (
	tokens, ins, outs, rank = 5, 4, 3, 2
)

func drawn(s *torch.Scope, on torch.Device, d torch.DType, shape ...int64) *torch.Tensor {
	x := s.Empty(torch.Float64, on, shape...)
	torch.NormalIn(x, 0, 1)
	return s.Cast(x, d)
}

// someDoRA is a group whose layers at the given places are adapted, with weights of type base and the
// adapter in type d, and the A's as one matrix with their gradients. The last layer has no bias.
func someDoRA(s *torch.Scope, on torch.Device, at []int, dropout float64, base, d torch.DType) (g dora, flatA, flatG *torch.Tensor) {
	n := int64(len(at))
	flatA, flatG = drawn(s, on, d, n*rank, ins), s.Zeros(d, on, n*rank, ins)
	g = dora{&group{config: &Config{R: rank, LoraAlpha: 3, LoraDropout: dropout, UseDoRA: true}, layers: &decoder.Group{}}}
	for i := range 3 {
		l := &decoder.Linear{Name: fmt.Sprint(i), In: ins, Out: outs, Weight: drawn(s, on, base, outs, ins)}
		if i < 2 {
			l.Bias = drawn(s, on, base, outs)
		}
		g.layers.Linears = append(g.layers.Linears, l)
	}
	for i, at := range at {
		g.pairs = append(g.pairs, &pair{linear: g.layers.Linears[at], at: at, r: rank, scaling: g.config.Scaling(),
			a: s.Narrow(flatA, 0, int64(i)*rank, rank), aGrad: s.Narrow(flatG, 0, int64(i)*rank, rank),
			b: drawn(s, on, d, outs, rank), bGrad: s.Zeros(d, on, outs, rank),
			m: drawn(s, on, d, outs), mGrad: s.Zeros(d, on, outs)})
	}
	return g, flatA, flatG
}

// frozen is what a group's layers compute without the adapter, and frozenBackward the gradient of x.
func frozen(s *torch.Scope, g *decoder.Group, x *torch.Tensor) *torch.Tensor {
	var ys []*torch.Tensor
	for _, l := range g.Linears {
		ys = append(ys, s.Linear(x, l.Weight, l.Bias))
	}
	return s.Cat(ys, 1)
}

func frozenBackward(s *torch.Scope, g *decoder.Group, dy *torch.Tensor) (dx *torch.Tensor) {
	for i, l := range g.Linears {
		dx = s.LinearBackward(g.Part(s, dy, i), l.Weight, dx)
	}
	return dx
}

// TestDoRAIsTheDerivative compares DoRA's gradients with finite differences in float64. The norms of V are
// constants to them: while A or B moves, m moves so that m / |V| stays as it is.
func TestDoRAIsTheDerivative(t *testing.T) { devices.Each(t, testDoRAIsTheDerivative) }

func testDoRAIsTheDerivative(t *testing.T, on torch.Device) {
	for _, c := range []struct {
		why     string
		at      []int
		dropout float64
	}{
		{"q and v, one of them without bias", []int{0, 2}, 0},
		{"q and v, a mask each", []int{0, 2}, 0.4},
		{"one layer", []int{1}, 0},
		{"one layer with dropout", []int{1}, 0.4},
	} {
		t.Run(c.why, func(t *testing.T) {
			require.NoError(t, torch.Run(func(s *torch.Scope) error {
				require.NoError(t, torch.Seed(1))
				g, flatA, flatG := someDoRA(s, on, c.at, c.dropout, torch.Float64, torch.Float64)
				x, dy := drawn(s, on, torch.Float64, tokens, ins), drawn(s, on, torch.Float64, tokens, 3*outs)
				var scales []*torch.Tensor
				for _, p := range g.pairs {
					_, _, scale := p.direction(s)
					scales = append(scales, scale)
				}
				value := func(hold bool) (v float64) {
					require.NoError(t, torch.Seed(2))
					s.Do(func(s *torch.Scope) {
						for i, p := range g.pairs {
							if hold {
								_, norms, _ := p.direction(s)
								torch.Copy(p.m, s.Mul(scales[i], norms))
							}
						}
						y := frozen(s, g.layers, x)
						g.Forward(s, x, y, true, nil)
						v = s.Item(s.Sum(s.Mul(y, dy)))
					})
					return v
				}
				k := decoder.NewSaved()
				defer k.Free()
				require.NoError(t, torch.Seed(2))
				y := frozen(s, g.layers, x)
				g.Forward(s, x, y, true, k)
				kept := decoder.Record[saved](k, g.group)
				require.Equal(t, c.dropout > 0, kept.mask != nil)
				require.Nil(t, kept.h, "nothing is kept but masks")
				dx := frozenBackward(s, g.layers, dy)
				g.Backward(s, x, dy, dx, k)
				// From what was drawn the forward pass can be computed again.
				again := frozen(s, g.layers, x)
				g.Forward(s, x, again, true, withMask(g.group, kept.mask))
				require.True(t, torch.Equal(y, again))
				check := func(name string, hold bool, v, grad *torch.Tensor) {
					got, flat := s.Floats(grad), s.View(v, v.Numel())
					for i := range got {
						const h = 1e-6
						one := s.Narrow(flat, 0, int64(i), 1)
						torch.AddScalarIn(one, h)
						up := value(hold)
						torch.AddScalarIn(one, -2*h)
						down := value(hold)
						torch.AddScalarIn(one, h)
						require.InDelta(t, (up-down)/(2*h), got[i], 1e-5, "%s, element %d", name, i)
					}
				}
				check("x", false, x, dx)
				check("A", true, flatA, flatG)
				for _, p := range g.pairs {
					check("B", true, p.b, p.bGrad)
				}
				value(true) // m as it was
				for _, p := range g.pairs {
					check("m", false, p.m, p.mGrad)
				}
				return nil
			}))
		})
	}
}

// TestDoRAWithDropoutAgreesWithPEFT gives q_proj and v_proj of a layer PEFT's masks and compares what they
// return and their gradients: with dropout, the frozen weight's part of the difference is of dropout(x), too.
func TestDoRAWithDropoutAgreesWithPEFT(t *testing.T) {
	devices.Each(t, testDoRAWithDropoutAgreesWithPEFT)
}

func testDoRAWithDropoutAgreesWithPEFT(t *testing.T, on torch.Device) {
	const dir = "../testdata/parity/post"
	within := func(cpu float64) float64 { return torchtest.Within(on, torchtest.Pass, cpu) }
	f := fixture.Open(t, dir+"/dora.safetensors")
	scope := torch.NewScope()
	defer func() { _ = torch.Run(func(*torch.Scope) error { scope.Free(); return nil }) }()
	require.NoError(t, torch.Run(func(s *torch.Scope) error {
		m, _, err := models.Load(scope, dir, torch.Float32, on)
		require.NoError(t, err)
		a, err := Load(m, dir+"/dora")
		require.NoError(t, err)
		defer a.Close()
		a.LoraDropout = 0.25
		g := a.groups[0].adapter()
		layers := a.groups[0].layers
		read := func(name string, shape ...int64) *torch.Tensor {
			return s.To(s.FromFloats(fixture.Floats(t, f, "dropout."+name), shape...), torch.Float32, on)
		}
		x, _, err := f.Tensor("dropout.mask")
		require.NoError(t, err)
		k := withMask(a.groups[0], maskOf(s, on, x))
		defer k.Free()

		in, dys := read("x", 7, 32), read("dy", 2, 7, 32)
		y := frozen(s, layers, in)
		key := s.Floats(layers.Part(s, y, 1))
		g.Forward(s, in, y, true, k)
		want := fixture.Floats(t, f, "dropout.y")
		for i, at := range []int{0, 2} {
			require.Less(t, fixture.Largest(t, s.Floats(layers.Part(s, y, at)), want[i*7*32:(i+1)*7*32]), within(1e-5))
		}
		require.Equal(t, key, s.Floats(layers.Part(s, y, 1)), "k_proj has no adapter")

		dy := s.Zeros(torch.Float32, on, 7, 3*32)
		torch.Copy(layers.Part(s, dy, 0), copyOf(s, dys, 0))
		torch.Copy(layers.Part(s, dy, 2), copyOf(s, dys, 1))
		dx := frozenBackward(s, layers, dy)
		g.Backward(s, in, dy, dx, k)
		require.Less(t, fixture.Largest(t, s.Floats(dx), fixture.Floats(t, f, "dropout.dx")), within(2e-5))
		for i, name := range a.Names[:6] {
			require.Less(t, fixture.Largest(t, s.Floats(a.Gradient(i)), fixture.Floats(t, f, "dropout.grad."+name)), within(2e-5), name)
		}
		return nil
	}))
}

// maskOf is a mask of bytes as Dropout keeps it: bits on a CPU, booleans on CUDA.
func maskOf(s *torch.Scope, on torch.Device, x checkpoint.Tensor) *torch.Tensor {
	if on.CUDA() {
		const boolean = torch.DType(11) // PyTorch's number
		return s.Cast(s.To(s.FromBytes(x.Data, torch.UInt8, x.Shape...), torch.UInt8, on), boolean)
	}
	bits := make([]byte, (len(x.Data)+7)/8)
	for i, keep := range x.Data {
		bits[i/8] |= keep << (i % 8)
	}
	return s.FromBytes(bits, torch.UInt8, int64(len(bits)))
}

// TestDoRAOnABFloat16Base computes in float32 what the base has in bfloat16, and rounds once: gradients of
// the adapter are those over the same weights in float32.
func TestDoRAOnABFloat16Base(t *testing.T) { devices.Each(t, testDoRAOnABFloat16Base) }

func testDoRAOnABFloat16Base(t *testing.T, on torch.Device) {
	within := func(cpu float64) float64 { return torchtest.Within(on, torchtest.Pass, cpu) }
	for _, dropout := range []float64{0, 0.4} {
		require.NoError(t, torch.Run(func(s *torch.Scope) error {
			require.NoError(t, torch.Seed(1))
			half, _, halfG := someDoRA(s, on, []int{0, 2}, dropout, torch.BFloat16, torch.Float32)
			x, dy := drawn(s, on, torch.BFloat16, tokens, ins), drawn(s, on, torch.BFloat16, tokens, 3*outs)

			// As it starts, it is the base bit for bit.
			for _, p := range half.pairs {
				s.Do(func(s *torch.Scope) {
					b, m := s.Clone(p.b), s.Clone(p.m)
					torch.ZeroIn(p.b)
					_, norms, _ := p.direction(s)
					torch.Copy(p.m, norms)
					y := frozen(s, half.layers, x)
					before := s.Clone(y)
					dora{&group{config: half.config, layers: half.layers, pairs: []*pair{p}}}.Forward(s, x, y, true, nil)
					require.True(t, torch.Equal(before, y))
					torch.Copy(p.b, b)
					torch.Copy(p.m, m)
				})
			}

			wide := dora{&group{config: half.config, layers: &decoder.Group{}}}
			for _, l := range half.layers.Linears {
				c := *l
				c.Weight = s.Cast(l.Weight, torch.Float32)
				if l.Bias != nil {
					c.Bias = s.Cast(l.Bias, torch.Float32)
				}
				wide.layers.Linears = append(wide.layers.Linears, &c)
			}
			flat := s.Zeros(torch.Float32, on, 2*rank, ins)
			for i, p := range half.pairs {
				wide.pairs = append(wide.pairs, &pair{linear: wide.layers.Linears[p.at], at: p.at, r: p.r, scaling: p.scaling, a: p.a, b: p.b, m: p.m,
					aGrad: s.Narrow(flat, 0, int64(i)*rank, rank), bGrad: s.Zeros(torch.Float32, on, outs, rank),
					mGrad: s.Zeros(torch.Float32, on, outs)})
			}
			compute := func(g dora, d torch.DType) (y, dx *torch.Tensor) {
				require.NoError(t, torch.Seed(2))
				x, dy := s.Cast(x, d), s.Cast(dy, d)
				var mask *torch.Tensor
				if dropout > 0 { // of the same values, whatever type they are drawn over
					_, mask = s.Dropout(s.Cast(x, torch.Float32), 2, dropout)
				}
				k := withMask(g.group, mask)
				defer k.Free()
				y = frozen(s, g.layers, x)
				g.Forward(s, x, y, true, k)
				dx = frozenBackward(s, g.layers, dy)
				g.Backward(s, x, dy, dx, k)
				return y, dx
			}
			y, dx := compute(half, torch.BFloat16)
			wantY, wantDx := compute(wide, torch.Float32)
			require.Equal(t, torch.BFloat16, y.DType())
			const rounding = 1.0 / 256 // of bfloat16, relative to the largest value
			require.Less(t, fixture.Largest(t, s.Floats(y), s.Floats(wantY)), 4*rounding*s.AbsMax(wantY))
			require.Less(t, fixture.Largest(t, s.Floats(dx), s.Floats(wantDx)), 4*rounding*s.AbsMax(wantDx))
			require.Less(t, fixture.Largest(t, s.Floats(halfG), s.Floats(flat)), within(1e-5))
			for i, p := range half.pairs {
				require.Less(t, fixture.Largest(t, s.Floats(p.bGrad), s.Floats(wide.pairs[i].bGrad)), within(1e-5))
				require.Less(t, fixture.Largest(t, s.Floats(p.mGrad), s.Floats(wide.pairs[i].mGrad)), within(1e-5))
			}
			return nil
		}))
	}
}
