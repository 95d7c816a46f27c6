package decoder_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/fixture"
	"lorabench/internal/models"
	"lorabench/internal/torch"
)

// Tolerances of the forward pass in float32 on a CPU: about five times what the peer is off its
// own float64 self (fixture.json, float32_error).
const logitsWithin = 2e-5

func TestForwardAgreesWithTransformers(t *testing.T) {
	devices.Each(t, testForwardAgreesWithTransformers)
}

func testForwardAgreesWithTransformers(t *testing.T, on torch.Device) {
	for _, c := range []struct{ why, dir string }{
		{"opt-350m's kind", post},
		{"opt-125m's kind", pre},
		{"in shards", sharded},
		{"the peer's own tiny model", ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := c.dir
			if dir == "" {
				dir = fixture.Shared(t, "peer/fixtures/tiny")
			}
			f := fixture.Open(t, filepath.Join(dir, "fixture.safetensors"))
			right, at := fixture.Rows(t, f, "")
			left, leftAt := fixture.Rows(t, f, "left.")
			m := loadOn(t, on, dir, torch.Float32)
			got := logits(t, m, right, false)
			require.Less(t, fixture.Padded(got, fixture.Floats(t, f, "logits_base"), at), pass(m, logitsWithin))
			require.Len(t, leftAt, len(at))
			require.Equal(t, got, logits(t, m, left, false), "padding on the left or on the right is the same row without it")
		})
	}
}

// TestFamiliesAgreeWithTransformers: logits and each layer's result, with config.json as transformers 5 writes it and as 4 did.
func TestFamiliesAgreeWithTransformers(t *testing.T) {
	devices.Each(t, testFamiliesAgreeWithTransformers)
}

func testFamiliesAgreeWithTransformers(t *testing.T, on torch.Device) {
	dirs, err := filepath.Glob(families + "*")
	require.NoError(t, err)
	require.Greater(t, len(dirs), 10)
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m := loadOn(t, on, dir, torch.Float32)
			figures, _ := strings.CutSuffix(dir, "-sharded")
			f := fixture.Open(t, filepath.Join(figures, "fixture.safetensors"))
			b, at := fixture.Rows(t, f, "")
			run(t, func(s *torch.Scope) {
				u := m.Upload(s, &b, nil)
				h := m.HiddenOf(s, u, nil, false, func(i int, x *torch.Tensor) {
					want := fixture.Floats(t, f, "layer_base."+string(rune('0'+i)))
					require.Less(t, fixture.Padded(s.Floats(x), want, at), pass(m, logitsWithin), "layer %d", i)
				})
				require.Less(t, fixture.Padded(s.Floats(m.Logits(s, h, false)), fixture.Floats(t, f, "logits_base"), at), pass(m, logitsWithin))
			})
			for _, other := range []string{"config-4x.json", "config-window.json"} {
				path := filepath.Join(dir, other)
				if _, err := os.Stat(path); err != nil {
					continue
				}
				c, err := models.ReadConfig(path)
				require.NoError(t, err)
				again, err := New(c, m.Weights())
				require.NoError(t, err)
				require.Equal(t, logits(t, m, b, false), logits(t, again, b, false), other)
			}
		})
	}
}
