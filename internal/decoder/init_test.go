package decoder_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/decoder"
	"lorabench/internal/fixture"
	"lorabench/internal/torch"
)

// shape is a config with both norms' kinds of weights and enough of them for statistics.
func shape(t testing.TB) Config {
	c, err := ParseConfig([]byte(`{"model_type": "opt", "vocab_size": 256, "hidden_size": 64, "num_hidden_layers": 2, "ffn_dim": 128,
		"num_attention_heads": 4, "max_position_embeddings": 64, "word_embed_proj_dim": 32, "init_std": 0.05}`))
	require.NoError(t, err)
	return c
}

func made(t *testing.T, c Config, seed int64) *Model {
	return keep(t, func(s *torch.Scope) (*Model, error) { return Init(s, c, seed, torch.CPU) })
}

func hashed(t *testing.T, c Config, seed uint64) *Model {
	return keep(t, func(s *torch.Scope) (*Model, error) {
		m, _, err := Hash(s, c, seed, torch.Float32, torch.CPU)
		return m, err
	})
}

func constant(x float32, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = x
	}
	return v
}

// moments checks that v has the given mean and standard deviation to five standard errors, and
// which share of it lies within one deviation: 68 percent of a normal, 58 of a uniform distribution.
func moments(t *testing.T, v []float32, mean, std, within float64) {
	n, sum, square, inside := float64(len(v)), 0.0, 0.0, 0.0
	for _, x := range v {
		d := float64(x) - mean
		sum += d
		square += d * d
		if math.Abs(d) < std {
			inside++
		}
	}
	require.InDelta(t, 0, sum/n, 5*std/math.Sqrt(n), "mean")
	require.InEpsilon(t, std, math.Sqrt(square/n), 5/math.Sqrt(2*n), "standard deviation")
	require.InDelta(t, within, inside/n, 5*0.5/math.Sqrt(n), "share within one deviation")
}

func TestInitIsTransformersOwn(t *testing.T) {
	c := shape(t)
	m := made(t, c, 1)
	var drawn []float32
	for _, p := range m.Params() {
		v := values(t, m.Weights()[p.Name])
		switch {
		case strings.HasSuffix(p.Name, "layer_norm.weight"):
			require.Equal(t, constant(1, len(v)), v, p.Name)
		case strings.HasSuffix(p.Name, ".bias"):
			require.Equal(t, constant(0, len(v)), v, p.Name)
		case p.Name == embedTokens:
			require.Equal(t, constant(0, 32), v[32:64], "the padding token's row is 0")
			drawn = append(append(drawn, v[:32]...), v[64:]...)
		default:
			moments(t, v, 0, 0.05, 0.6827)
			drawn = append(drawn, v...)
		}
	}
	moments(t, drawn, 0, 0.05, 0.6827)
	mean, _ := loss(t, m, pack(samples()...))
	require.InDelta(t, math.Log(256), mean, 0.3, "a model that has learnt nothing is about as good as a guess")
}

func TestSameSeedSameWeights(t *testing.T) {
	c := shape(t)
	for _, made := range []struct {
		how         string
		fingerprint func(seed int) string
	}{
		{"Init", func(seed int) string { return fingerprint(t, made(t, c, int64(seed))) }},
		{"Hash", func(seed int) string { return fingerprint(t, hashed(t, c, uint64(seed))) }},
	} {
		first := made.fingerprint(1)
		require.NotEqual(t, first, made.fingerprint(2), made.how)
		require.Equal(t, first, made.fingerprint(1), made.how)
	}
}

func TestMadeModelsNeedAConfigThatHolds(t *testing.T) {
	c := shape(t)
	c.NumAttentionHeads = 7
	run(t, func(s *torch.Scope) {
		_, err := Init(s, c, 1, torch.CPU)
		require.ErrorContains(t, err, "num_attention_heads 7")
		_, _, err = Hash(s, c, 1, torch.Float32, torch.CPU)
		require.ErrorContains(t, err, "num_attention_heads 7")
		require.Zero(t, s.Len())
	})
}

func TestHashValuesAreThePeers(t *testing.T) {
	// Of OPT-350m with hash:1; a value depends on its place and not on the shape.
	want := []float32{-0.01944994553923607, -0.008000180125236511, -0.02273566462099552}
	require.Equal(t, want, HashValues(embedTokens, 3, 1, 0.02))
	require.Equal(t, want, HashValues(embedTokens, 1000, 1, 0.02)[:3])
	require.NotEqual(t, want, HashValues(embedTokens, 3, 2, 0.02), "another seed")
	require.NotEqual(t, want, HashValues("model.decoder.embed_positions.weight", 3, 1, 0.02), "another name")
	for i, x := range HashValues(embedTokens, 3, 1, 0.04) {
		require.InDelta(t, 2*want[i], x, 1e-8, "std is a factor")
	}
	moments(t, HashValues("a", 100_000, 1, 0.02), 0, 0.02, 1/math.Sqrt(3))
	moments(t, HashValues("a.layer_norm.weight", 100_000, 1, 0.02), 1, 0.02, 1/math.Sqrt(3))
	require.Empty(t, HashValues("a", 0, 1, 0.02))
}

// TestHashAgreesWithPeerAtTrueShape compares the beginning of each of OPT-350m's weights.
func TestHashAgreesWithPeerAtTrueShape(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(fixture.Shared(t, "peer/fixtures/opt-350m"), "fixture.json"))
	require.NoError(t, err)
	var f struct {
		Weights struct {
			Tensors map[string]struct {
				Shape []int64   `json:"shape"`
				Sum   float64   `json:"sum"`
				First []float32 `json:"first"`
			} `json:"tensors"`
		} `json:"weights"`
	}
	require.NoError(t, json.Unmarshal(b, &f))
	require.NotEmpty(t, f.Weights.Tensors)
	for name, x := range f.Weights.Tensors {
		require.Equal(t, x.First, HashValues(name, len(x.First), 1, 0.02), name)
		if len(x.Shape) == 1 { // the large ones would take seconds
			sum := 0.0
			for _, v := range HashValues(name, int(x.Shape[0]), 1, 0.02) {
				sum += float64(v)
			}
			require.InDelta(t, x.Sum, sum, 1e-9, name)
		}
	}
}

func TestHashMakesAWholeModel(t *testing.T) {
	c := shape(t)
	var src decoder.Source
	m := keep(t, func(s *torch.Scope) (m *Model, err error) {
		m, src, err = Hash(s, c, 1, torch.Float32, torch.CPU)
		return m, err
	})
	for _, p := range m.Params() {
		v := values(t, m.Weights()[p.Name])
		want := HashValues(p.Name, len(v), 1, 0.05)
		if p.Name == embedTokens {
			copy(want[32:64], constant(0, 32)) // the padding token's row
		}
		require.Equal(t, want, v, p.Name)
	}
	require.Empty(t, src.Files)
	require.Len(t, src.SHA256, 64)
	other := func(seed uint64, c Config) (sum string) {
		run(t, func(s *torch.Scope) {
			_, o, err := Hash(s, c, seed, torch.BFloat16, torch.CPU)
			require.NoError(t, err)
			sum = o.SHA256
		})
		return sum
	}
	require.Equal(t, src.SHA256, other(1, c), "of the recipe")
	require.NotEqual(t, src.SHA256, other(2, c))
	c.InitStd = 0.06
	require.NotEqual(t, src.SHA256, other(1, c))
}

func fingerprint(t *testing.T, m *Model) string {
	f, err := m.Fingerprint()
	require.NoError(t, err)
	return f
}

func TestFingerprintSeesEveryBit(t *testing.T) {
	m := made(t, shape(t), 1)
	before := fingerprint(t, m)
	require.Len(t, before, 64)
	require.Equal(t, before, fingerprint(t, m.Share()), "of the weights, not of the model")
	seen := map[string]string{before: "none"}
	for _, p := range m.Params() {
		run(t, func(s *torch.Scope) {
			w := m.Weights()[p.Name]
			flat := s.View(w, -1)
			last := s.Narrow(flat, 0, w.Numel()-1, 1)
			old := s.Clone(last)
			torch.AddScalarIn(last, 0x1p-20)
			now := fingerprint(t, m)
			require.NotContains(t, seen, now, p.Name)
			seen[now] = p.Name
			torch.Copy(last, old)
		})
		require.Equal(t, before, fingerprint(t, m), "put back")
	}
	run(t, func(*torch.Scope) { torch.ScaleIn(m.Weights()["model.decoder.layers.0.fc1.bias"], -1) })
	require.NotEqual(t, before, fingerprint(t, m), "-0 is not 0")
}
