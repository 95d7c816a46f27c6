package decoder_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/fixture"
	"lorabench/internal/torch"
)

// reference is the forward pass over one sequence written out in float64 (modeling_opt.py), for the
// switches that no fixture has.
type reference struct {
	Config
	weights map[string][]float32
}

func (r reference) linear(x [][]float64, name string) [][]float64 {
	w, b, in := r.weights[name+".weight"], r.weights[name+".bias"], len(x[0])
	y := make([][]float64, len(x))
	for t := range x {
		for o := range len(w) / in {
			sum := 0.0
			if b != nil {
				sum = float64(b[o])
			}
			for i, v := range x[t] {
				sum += float64(w[o*in+i]) * v
			}
			y[t] = append(y[t], sum)
		}
	}
	return y
}

func (r reference) norm(x [][]float64, name string) [][]float64 {
	w, b := r.weights[name+".weight"], r.weights[name+".bias"]
	y := make([][]float64, len(x))
	for t := range x {
		mean, square, n := 0.0, 0.0, float64(len(x[t]))
		for _, v := range x[t] {
			mean += v / n
		}
		for _, v := range x[t] {
			square += (v - mean) * (v - mean) / n
		}
		for i, v := range x[t] {
			v = (v - mean) / math.Sqrt(square+1e-5)
			if w != nil {
				v = v*float64(w[i]) + float64(b[i])
			}
			y[t] = append(y[t], v)
		}
	}
	return y
}

func (r reference) attention(x [][]float64, name string) [][]float64 {
	q, k, v := r.linear(x, name+"q_proj"), r.linear(x, name+"k_proj"), r.linear(x, name+"v_proj")
	y := make([][]float64, len(x))
	d := int(r.HiddenSize / r.NumAttentionHeads)
	for t := range x {
		y[t] = make([]float64, r.HiddenSize)
		for from := 0; from < int(r.HiddenSize); from += d {
			var p []float64
			sum := 0.0
			for u := 0; u <= t; u++ {
				score := 0.0
				for i := from; i < from+d; i++ {
					score += q[t][i] * k[u][i]
				}
				p = append(p, math.Exp(score/math.Sqrt(float64(d))))
				sum += p[u]
			}
			for u := range p {
				for i := from; i < from+d; i++ {
					y[t][i] += p[u] / sum * v[u][i]
				}
			}
		}
	}
	return r.linear(y, name+"out_proj")
}

func (r reference) feedForward(x [][]float64, name string) [][]float64 {
	h := r.linear(x, name+"fc1")
	for t := range h {
		for i, v := range h[t] {
			if r.ActivationFunction == "gelu" {
				h[t][i] = v * (1 + math.Erf(v/math.Sqrt2)) / 2
			} else {
				h[t][i] = max(v, 0)
			}
		}
	}
	return r.linear(h, name+"fc2")
}

// branch is x + f(x) with the norm before f or after the sum.
func (r reference) branch(x [][]float64, norm string, f func(x [][]float64) [][]float64) [][]float64 {
	in := x
	if r.DoLayerNormBefore {
		in = r.norm(x, norm)
	}
	y := f(in)
	for t := range y {
		for i := range y[t] {
			y[t][i] += x[t][i]
		}
	}
	if !r.DoLayerNormBefore {
		y = r.norm(y, norm)
	}
	return y
}

func (r reference) logits(ids []int32) (flat []float32) {
	const d = "model.decoder."
	embed, positions := r.weights[d+"embed_tokens.weight"], r.weights[d+"embed_positions.weight"]
	e, h := int(r.WordEmbedProjDim), int(r.HiddenSize)
	x := make([][]float64, len(ids))
	for t, id := range ids {
		for _, v := range embed[int(id)*e : int(id+1)*e] {
			x[t] = append(x[t], float64(v))
		}
	}
	if e != h {
		x = r.linear(x, d+"project_in")
	}
	for t := range x {
		for i := range x[t] {
			x[t][i] += float64(positions[(t+2)*h+i])
		}
	}
	for n := range r.NumHiddenLayers {
		l := fmt.Sprintf("%slayers.%d.", d, n)
		x = r.branch(x, l+"self_attn_layer_norm", func(x [][]float64) [][]float64 { return r.attention(x, l+"self_attn.") })
		x = r.branch(x, l+"final_layer_norm", func(x [][]float64) [][]float64 { return r.feedForward(x, l) })
	}
	if r.DoLayerNormBefore && !r.RemoveFinalLayerNorm {
		x = r.norm(x, d+"final_layer_norm")
	}
	if e != h {
		x = r.linear(x, d+"project_out")
	}
	for _, row := range r.linear(x, d+"embed_tokens") {
		for _, v := range row {
			flat = append(flat, float32(v))
		}
	}
	return flat
}

func TestEverySwitchIsTheFormula(t *testing.T) { devices.Each(t, testEverySwitchIsTheFormula) }

func testEverySwitchIsTheFormula(t *testing.T, device torch.Device) {
	const switches = 6
	s := sequence(1, 11)
	for bits := range 1 << switches {
		on := func(i int) bool { return bits>>i&1 == 1 }
		c, err := ParseConfig([]byte(`{"model_type": "opt", "vocab_size": 96, "hidden_size": 24, "num_hidden_layers": 2, "ffn_dim": 40,
			"num_attention_heads": 3, "max_position_embeddings": 16, "init_std": 0.2}`))
		require.NoError(t, err)
		c.DoLayerNormBefore, c.RemoveFinalLayerNorm, c.EnableBias, c.LayerNormAffine = on(0), on(1), on(2), on(3)
		if on(4) {
			c.ActivationFunction = "gelu"
		}
		if on(5) {
			c.WordEmbedProjDim = 16
		}
		// Not keep: 64 models need not live at once.
		run(t, func(scope *torch.Scope) {
			m, _, err := Hash(scope, c, uint64(bits), torch.Float32, device)
			require.NoError(t, err)
			r := reference{c, map[string][]float32{}}
			for name, w := range m.Weights() {
				r.weights[name] = scope.Floats(w)
			}
			require.Less(t, fixture.Largest(t, logits(t, m, pack(s), false), r.logits(s.IDs)), pass(m, logitsWithin), "%+v", c)
		})
	}
}
