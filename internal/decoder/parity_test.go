package decoder_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/fixture"
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
