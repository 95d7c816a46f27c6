package decoder_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/checkpoint"
	"lorabench/internal/decoder"
	"lorabench/internal/fixture"
	"lorabench/internal/torch"
)

// lowRank is LoRA's formula, y + scale B A x, written out (Hu et al. 2021, arXiv:2106.09685): the
// fixtures' figures of what each layer returns are with an adapter. Package lora cannot be imported
// here, since it imports this one.
type lowRank struct {
	a, b  *torch.Tensor
	scale float64
}

// lowRanks is one for each layer of a group that has any.
type lowRanks struct {
	group *Group
	at    map[int]lowRank
}

func (r lowRanks) Forward(s *torch.Scope, x, y *torch.Tensor, _ bool, _ *Saved) {
	for i, l := range r.at {
		torch.AddIn(r.group.Part(s, y, i), s.Scale(s.Linear(s.Linear(x, l.a, nil), l.b, nil), l.scale))
	}
}

func (lowRanks) Backward(*torch.Scope, *torch.Tensor, *torch.Tensor, *torch.Tensor, *Saved) {}

// adapt puts the fixture's adapter on m and returns how many layers have one.
func adapt(t *testing.T, s *torch.Scope, m *Model, dir string, scale float64) (n int) {
	f, err := checkpoint.OpenAdapter(filepath.Join(dir, "adapter"))
	require.NoError(t, err)
	defer f.Close()
	get := func(name string) *torch.Tensor {
		x, ok, err := f.Tensor(name)
		require.NoError(t, err)
		require.True(t, ok, name)
		return s.To(s.FromBytes(x.Data, torch.Float32, x.Shape...), torch.Float32, m.Device())
	}
	names := map[string]bool{}
	for _, name := range f.Names() {
		names[name] = true
	}
	for _, g := range m.Groups() {
		r := lowRanks{g, map[int]lowRank{}}
		for i, l := range g.Linears {
			if key := "base_model.model." + l.Name; names[key+".lora_A.weight"] {
				r.at[i] = lowRank{get(key + ".lora_A.weight"), get(key + ".lora_B.weight"), scale}
				n++
			}
		}
		if len(r.at) > 0 {
			g.Adapter = r
		}
	}
	require.Len(t, names, 2*n, "every matrix has its layer")
	return n
}

// TestLayersAgreeWithTransformers compares what each layer returns, so that a disagreement of the
// logits can be placed, and that a linear layer asks its adapter.
func TestLayersAgreeWithTransformers(t *testing.T) { devices.Each(t, testLayersAgreeWithTransformers) }

func testLayersAgreeWithTransformers(t *testing.T, on torch.Device) {
	for _, c := range []struct {
		why, dir string
		scale    float64 // lora_alpha / r, or / sqrt r
		adapted  int
	}{
		{"opt-350m's kind", post, 8.0 / 4, 2 * 2},
		{"opt-125m's kind, adapters on all six projections", pre, 6.0 / 3, 2 * 6},
		{"rank-stabilized", sharded, 8.0 / math.Sqrt(4), 2 * 2},
		{"the peer's own tiny model, with what lies inside a layer", "", 8.0 / 4, 2 * 2},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := c.dir
			if dir == "" {
				dir = fixture.Shared(t, "peer/fixtures/tiny")
			}
			f := fixture.Open(t, filepath.Join(dir, "fixture.safetensors"))
			b, at := fixture.Rows(t, f, "")
			m := loadOn(t, on, dir, torch.Float32)
			run(t, func(s *torch.Scope) {
				require.Equal(t, c.adapted, adapt(t, s, m, dir, c.scale))
				same := func(x *torch.Tensor, name string) {
					require.Less(t, fixture.Padded(s.Floats(x), fixture.Floats(t, f, name), at), pass(m, logitsWithin), name)
				}
				u := m.Upload(s, &b, nil)
				inside := func(i int, x *torch.Tensor) { // a layer of norms after, without dropout
					if c.dir == "" && i < len(m.Layers) {
						a := m.Layers[i][0].Branch.(*decoder.Attention)
						y, _ := s.Attention(a.QKV.ForwardOf(s, x), u.Sequences, a.Heads)
						same(a.Out.ForwardOf(s, y), "layer."+string(rune('0'+i))+".attention")
					}
				}
				if c.dir == "" {
					x := m.EmbeddingOf(s, u)
					same(x, "embeddings")
					inside(0, x)
				}
				seen := 0
				h := m.HiddenOf(s, u, nil, false, func(i int, x *torch.Tensor) {
					require.Equal(t, seen, i)
					seen++
					same(x, "layer."+string(rune('0'+i)))
					inside(i+1, x)
				})
				require.Len(t, m.Layers, seen)
				if c.dir == "" {
					same(m.Head.Out.ForwardOf(s, h), "projected")
				}
				same(m.Logits(s, h, false), "logits")
			})
		})
	}
}
