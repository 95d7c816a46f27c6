package decoder_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/fixture"
	"lorabench/internal/torch"
	"lorabench/internal/torch/torchtest"
)

// trainable copies m in another element type; the weights that wanted names have gradients.
func trainable(t *testing.T, s *torch.Scope, m *Model, d torch.DType, wanted func(name string) bool) (*Model, map[string]*torch.Tensor) {
	weights, grads := map[string]*torch.Tensor{}, map[string]*torch.Tensor{}
	for _, p := range m.Params() {
		// A copy, and not m's own memory where the types are the same.
		weights[p.Name] = s.Clone(s.Cast(m.Weights()[p.Name], d))
		if wanted(p.Name) {
			grads[p.Name] = s.Zeros(d, m.Device(), p.Shape...)
		}
	}
	c, err := NewTrainable(m.Config, weights, grads)
	require.NoError(t, err)
	c.ModelDropout = m.ModelDropout
	return c, grads
}

// equal weighs all labels the same.
func equal(b *data.MicroBatch, w float32) []float32 { return slices.Repeat([]float32{w}, b.Labels) }

// meanLoss is the mean over labels, and leaves its gradients where they belong.
func meanLoss(s *torch.Scope, m *Model, b *data.MicroBatch) (v float64) {
	s.Do(func(s *torch.Scope) {
		loss := s.Zeros(decoder.LossType(m.DType()), m.Device())
		m.Gradient(s, b, equal(b, 1/float32(b.Labels)), loss)
		v = s.Item(loss)
	})
	return v
}

// TestGradientIsTheDerivative compares the gradient of every weight with finite differences, in
// float64, dropout on: the same seed draws the same masks.
func TestGradientIsTheDerivative(t *testing.T) {
	eachKind(t, func(t *testing.T, base *Model) {
		if base.Device().CUDA() { // the memory-efficient kernel has no float64
			defer torch.FlashAttention(torch.FlashAttention(false))
		}
		base.ModelDropout = 0.3
		masked := sequence(3, 9)
		masked.Labels = slices.Clone(masked.Labels)
		masked.Labels[1], masked.Labels[4] = data.Ignore, data.Ignore
		b := pack(sequence(1, 7), sequence(2, 1), masked)
		run(t, func(s *torch.Scope) {
			m, grads := trainable(t, s, base, torch.Float64, func(string) bool { return true })
			value := func() float64 {
				require.NoError(t, torch.Seed(5))
				return meanLoss(s, m, &b)
			}
			value()
			want := map[string][]float32{}
			for name, g := range grads {
				want[name] = s.Floats(g)
			}
			const h = 1e-6
			for _, p := range m.Params() {
				flat := s.View(m.Weights()[p.Name], p.Size())
				// Few elements of each: those of the largest gradient and some others.
				at := []int{0, int(p.Size()) / 2, int(p.Size()) - 1, largestAt(want[p.Name])}
				if strings.Contains(p.Name, "embed_tokens") {
					at = append(at, int(2*m.Embedding.Tokens.Dim(1))) // the first token's row: embedding and head
				}
				for _, i := range at {
					one := s.Narrow(flat, 0, int64(i), 1)
					torch.AddScalarIn(one, h)
					up := value()
					torch.AddScalarIn(one, -2*h)
					down := value()
					torch.AddScalarIn(one, h)
					require.InDelta(t, (up-down)/(2*h), want[p.Name][i], 1e-6, "%s, element %d", p.Name, i)
				}
			}
		})
	})
}

func largestAt(v []float32) int {
	best := 0
	for i, x := range v {
		if max(x, -x) > max(v[best], -v[best]) {
			best = i
		}
	}
	return best
}

// TestOnlyWhatIsTrainedIsComputed trains parts of the model: each one's gradient is that of training
// everything, whatever else is frozen.
func TestOnlyWhatIsTrainedIsComputed(t *testing.T) {
	eachKind(t, func(t *testing.T, base *Model) {
		b := pack(samples()...)
		base.ModelDropout = 0.1
		run(t, func(s *torch.Scope) {
			all, want := trainable(t, s, base, torch.Float32, func(string) bool { return true })
			require.NoError(t, torch.Seed(5))
			loss := meanLoss(s, all, &b)
			for _, p := range base.Params() {
				s.Do(func(s *torch.Scope) {
					m, got := trainable(t, s, base, torch.Float32, func(name string) bool { return name == p.Name })
					require.NoError(t, torch.Seed(5))
					live := torch.Live()
					require.InDelta(t, loss, meanLoss(s, m, &b), pass(m, 1e-6), p.Name)
					require.Equal(t, live, torch.Live(), "nothing is left over")
					require.Less(t, fixture.Largest(t, s.Floats(got[p.Name]), s.Floats(want[p.Name])), pass(m, 1e-5), p.Name)
				})
			}
		})
	})
}

func TestLowestTrained(t *testing.T) {
	for _, c := range []struct {
		why, weight string
		want        int
	}{
		{"nothing", "-", 2},
		{"the second layer", "layers.1.fc2.bias", 1},
		{"the first layer", "layers.0.self_attn.v_proj.weight", 0},
		{"below the layers", "embed_positions.weight", -1},
		{"below them, a projection", "project_in.weight", -1},
		{"above them", "project_out.weight", 2},
	} {
		base := loadModel(t, post, torch.Float32)
		run(t, func(s *torch.Scope) {
			m, _ := trainable(t, s, base, torch.Float32, func(name string) bool { return strings.HasSuffix(name, c.weight) })
			require.Equal(t, c.want, m.LowestTrained(), c.why)
		})
	}
}

// TestCheckpointChangesNothing: the same masks, the same gradients, bit for bit on a CPU.
func TestCheckpointChangesNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, base *Model) {
		b := pack(samples()...)
		base.ModelDropout = 0.2
		run(t, func(s *torch.Scope) {
			m, grads := trainable(t, s, base, torch.Float32, func(string) bool { return true })
			var losses []float64
			var values []map[string][]float32
			for _, on := range []bool{false, true} {
				m.Checkpoint = on
				for _, g := range grads {
					torch.ZeroIn(g)
				}
				require.NoError(t, torch.Seed(5))
				losses = append(losses, meanLoss(s, m, &b))
				v := map[string][]float32{}
				for name, g := range grads {
					v[name] = s.Floats(g)
				}
				values = append(values, v)
			}
			torchtest.Same(t, m.Device(), losses[:1], losses[1:], "loss")
			for name := range grads {
				torchtest.Same(t, m.Device(), values[0][name], values[1][name], name)
			}
		})
	})
}

// TestGradientsAreAddedUp: a micro-batch adds to what is there, weighted by scale.
func TestGradientsAreAddedUp(t *testing.T) { devices.Each(t, testGradientsAreAddedUp) }

func testGradientsAreAddedUp(t *testing.T, on torch.Device) {
	base := loadOn(t, on, post, torch.Float32)
	base.ModelDropout = 0
	b := pack(samples()...)
	run(t, func(s *torch.Scope) {
		m, grads := trainable(t, s, base, torch.Float32, func(name string) bool { return strings.HasSuffix(name, "fc1.weight") })
		loss := s.Zeros(torch.Float32, on)
		m.Gradient(s, &b, nil, loss)
		one := map[string][]float32{}
		for name, g := range grads {
			one[name] = s.Floats(g)
		}
		first := s.Item(loss)
		m.Gradient(s, &b, equal(&b, 0.5), loss)
		require.InEpsilon(t, 1.5*first, s.Item(loss), pass(m, 1e-6))
		for name, g := range grads {
			for i, v := range s.Floats(g) {
				require.InDelta(t, 1.5*one[name][i], v, pass(m, 1e-3), name)
			}
		}
	})
}

// TestMergedWeightsAreNoNeighbours: q, k and v of another memory are three products, with the same
// result and the same gradient.
func TestMergedWeightsAreNoNeighbours(t *testing.T) {
	devices.Each(t, testMergedWeightsAreNoNeighbours)
}

func testMergedWeightsAreNoNeighbours(t *testing.T, on torch.Device) {
	m := loadOn(t, on, post, torch.Float32)
	b := pack(samples()...)
	stacked := logits(t, m, b, false)
	run(t, func(s *torch.Scope) {
		w, _ := qkv(m, 0).WeightOf(s)
		require.NotNil(t, w, "what is loaded lies side by side")
		for i := range m.Layers {
			l := qkv(m, i).Linears[0]
			l.Weight = s.Clone(l.Weight)
		}
		w, _ = qkv(m, 0).WeightOf(s)
		require.Nil(t, w)
		require.Less(t, fixture.Largest(t, stacked, s.Floats(m.Logits(s, m.Hidden(s, &b, false), false))), pass(m, 1e-5))
	})
}

// qkv is layer i's linear layers of q, k and v.
func qkv(m *Model, i int) *Group { return m.Layers[i][0].Branch.(*decoder.Attention).QKV }
