package decoder_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

// TestFixedRoomIsFilledUp: what is left over is a sequence of padding without a label, and gives the
// same loss and gradients as the micro-batch alone, whatever was in the room before.
func TestFixedRoomIsFilledUp(t *testing.T) {
	eachKind(t, func(t *testing.T, base *Model) {
		base.ModelDropout = 0
		run(t, func(s *torch.Scope) {
			m, grads := trainable(t, s, base, torch.Float32, func(string) bool { return true })
			gradient := func(f func(loss *torch.Tensor)) (float64, map[string][]float32) {
				for _, g := range grads {
					torch.ZeroIn(g)
				}
				loss := s.Zeros(torch.Float32, m.Device())
				f(loss)
				v := map[string][]float32{}
				for name, g := range grads {
					v[name] = s.Floats(g)
				}
				return s.Item(loss), v
			}
			f := m.NewBucket(s, Size{Tokens: 64, Labels: 50, Sequences: 8})
			for _, b := range []data.MicroBatch{pack(samples()...), pack(sequence(1, 7)), pack(sequence(2, 12), sequence(3, 20))} {
				want, wantGrads := gradient(func(loss *torch.Tensor) { m.Gradient(s, &b, equal(&b, 0.1), loss) })
				got, gotGrads := gradient(func(loss *torch.Tensor) {
					f.Fill(s, &b, equal(&b, 0.1))
					m.GradientOf(s, &f.Batch, loss)
				})
				require.InEpsilon(t, want, got, pass(m, 1e-6))
				for name := range grads {
					require.InDeltaSlice(t, wantGrads[name], gotGrads[name], pass(m, 1e-4), name)
				}
			}
		})
	})
}

// TestFillWithoutWeights: a label counts 1 where nobody says otherwise, as for Upload.
func TestFillWithoutWeights(t *testing.T) {
	m := loadModel(t, post, torch.Float32)
	run(t, func(s *torch.Scope) {
		b := pack(samples()...)
		f := m.NewBucket(s, Size{Tokens: 64, Labels: 50, Sequences: 8})
		f.Fill(s, &b, equal(&b, 0.25))
		f.Fill(s, &b, nil)
		v := s.Floats(f.Weight)
		for i, w := range v {
			require.Equal(t, i < b.Labels, w == 1, "label %d", i)
			require.Equal(t, i >= b.Labels, w == 0, "label %d", i)
		}
		require.Equal(t, v[:b.Labels], s.Floats(m.Upload(s, &b, nil).Weight))
	})
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	m := loadModel(t, post, torch.Float32)
	for _, c := range []struct {
		why     string
		room    Size
		longest int64
	}{
		{"tokens", Size{Tokens: 42, Labels: 50, Sequences: 8}, 64},
		{"labels", Size{Tokens: 64, Labels: 37, Sequences: 8}, 64},
		{"sequences, one of which is for the rest", Size{Tokens: 64, Labels: 50, Sequences: 5}, 64},
		{"a sequence longer than was recorded", Size{Tokens: 64, Labels: 50, Sequences: 8}, 15},
		{"a rest longer than was recorded", Size{Tokens: 64, Labels: 50, Sequences: 8}, 20},
	} {
		b := pack(samples()...) // 43 tokens, 38 labels, 5 sequences, the longest of 16
		err := torch.Run(func(s *torch.Scope) error {
			f := m.NewBucket(s, c.room)
			if f.MaxSeqlen = c.longest; c.longest < 64 {
				f.Seal()
			}
			f.Fill(s, &b, nil)
			return nil
		})
		require.ErrorContains(t, err, "does not fit into", c.why)
	}
}

func TestLayoutHasTheSameWeightsSideBySide(t *testing.T) {
	for _, dir := range []string{post, pre} {
		c, err := ReadConfig(dir)
		require.NoError(t, err)
		names := func(ps []decoder.Param) (n []string) {
			for _, p := range ps {
				n = append(n, p.Name)
			}
			return n
		}
		layout := names(decoder.Layout(c))
		require.ElementsMatch(t, names(c.Params()), layout)
		for _, kind := range []string{".weight", ".bias"} {
			at := slices.Index(layout, "model.decoder.layers.1.self_attn.q_proj"+kind)
			require.True(t, strings.HasSuffix(layout[at+1], "layers.1.self_attn.k_proj"+kind))
			require.True(t, strings.HasSuffix(layout[at+2], "layers.1.self_attn.v_proj"+kind))
		}
	}
}
