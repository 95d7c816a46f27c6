package decoder_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/fixture"
	"lorabench/internal/torch"
)

func TestNewChecksTheWeights(t *testing.T) {
	m := loadModel(t, post, torch.Float32)
	const q = "model.decoder.layers.0.self_attn.q_proj.weight"
	for _, c := range []struct {
		why    string
		change func(s *torch.Scope, w map[string]*torch.Tensor)
		text   string
	}{
		{"missing", func(_ *torch.Scope, w map[string]*torch.Tensor) { delete(w, q) }, "weight " + q + " is missing"},
		{"misshapen", func(s *torch.Scope, w map[string]*torch.Tensor) { w[q] = s.Narrow(w[q], 0, 0, 31) },
			"weight " + q + " has shape [31 32], the config wants [32 32]"},
		{"of another number of dimensions", func(s *torch.Scope, w map[string]*torch.Tensor) { w[q] = s.View(w[q], 1024) },
			"weight " + q + " has shape [1024]"},
		{"one too many", func(_ *torch.Scope, w map[string]*torch.Tensor) { w["other"] = w[q] }, "37 weights given, the config has 36"},
	} {
		run(t, func(s *torch.Scope) {
			weights := maps.Clone(m.Weights())
			c.change(s, weights)
			_, err := New(m.Config, weights)
			require.ErrorContains(t, err, c.text, c.why)
		})
	}
}

func TestLinears(t *testing.T) {
	m := loadModel(t, post, torch.Float32)
	var names []string
	for _, l := range m.Linears() {
		names = append(names, strings.TrimPrefix(l.Name, "model.decoder."))
		require.Equal(t, []int64{l.Out, l.In}, l.Weight.Shape(), l.Name)
		require.Same(t, m.Weights()[l.Name+".weight"], l.Weight)
		require.Equal(t, strings.Contains(l.Name, "layers."), l.Bias != nil, "the projections of the embeddings have no bias")
	}
	var want []string
	for _, layer := range []string{"layers.0.", "layers.1."} {
		for _, p := range []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "fc1", "fc2"} {
			want = append(want, layer+p)
		}
	}
	require.Equal(t, slices.Concat([]string{"project_in", "project_out"}, want), names)
	require.Len(t, loadModel(t, pre, torch.Float32).Linears(), 12, "no projections where the embeddings are as wide as the model")
}

// halved gives half of what its layers compute.
type halved struct{ asked []int64 }

func (h *halved) Forward(s *torch.Scope, x, y *torch.Tensor, train bool, _ *Saved) {
	h.asked = append(h.asked, y.Shape()[1])
	torch.ScaleIn(y, 0.5)
}

func (h *halved) Backward(*torch.Scope, *torch.Tensor, *torch.Tensor, *torch.Tensor, *Saved) {}

func TestShareHasTheWeightsAndNoAdapters(t *testing.T) {
	m := loadModel(t, post, torch.Float32)
	m.ModelDropout = 0.25
	b := pack(samples()...)
	base := logits(t, m, b, false)
	h := &halved{}
	for _, g := range m.Groups() {
		g.Adapter = h
	}
	adapted := logits(t, m, b, false)
	require.Greater(t, fixture.Largest(t, base, adapted), 0.1)
	var want []int64 // each group once, project_out last: it is computed with the logits
	for _, g := range m.Groups() {
		want = append(want, int64(len(g.Linears))*g.Linears[0].Out)
	}
	require.Equal(t, slices.Concat(want[:1], want[2:], want[1:2]), h.asked)

	other := m.Share()
	require.Equal(t, base, logits(t, other, b, false), "without adapters")
	require.InDelta(t, 0.25, other.ModelDropout, 0)
	require.Equal(t, m.Config, other.Config)
	for name, w := range m.Weights() {
		require.Same(t, w, other.Weights()[name], "not a copy")
	}
	require.Equal(t, adapted, logits(t, m, b, false), "and the first model keeps its own")
}
