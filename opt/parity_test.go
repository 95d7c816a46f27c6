package opt

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/data"
	"lorabench/internal/checkpoint"
	"lorabench/internal/torch"
)

// Tolerances of the forward pass in float32 on a CPU: about five times what the peer is off its
// own float64 self (fixture.json, float32_error).
const logitsWithin = 2e-5

// rows reads padded [B, T] rows of a fixture and returns the micro-batch of their real tokens,
// and the flat index of each real token in the padded rows.
func rows(t *testing.T, f *checkpoint.File, prefix string) (data.Micro, []int) {
	ids, mask := ints(t, f, prefix+"input_ids"), ints(t, f, prefix+"attention_mask")
	tensor, _, err := f.Tensor(prefix + "input_ids")
	require.NoError(t, err)
	n := int(tensor.Shape[1])
	var samples []data.Sample
	var real []int
	for i := range int(tensor.Shape[0]) {
		var s data.Sample
		for j := i * n; j < (i+1)*n; j++ {
			if mask[j] == 1 {
				s.IDs, s.Labels = append(s.IDs, int32(ids[j])), append(s.Labels, int32(ids[j]))
				real = append(real, j)
			}
		}
		samples = append(samples, s)
	}
	index := make([]int, len(samples))
	for i := range index {
		index[i] = i
	}
	return data.Pack(samples, index), real
}

func ints(t *testing.T, f *checkpoint.File, name string) []int64 {
	x, ok, err := f.Tensor(name)
	require.NoError(t, err)
	require.True(t, ok, name)
	var v []int64
	require.NoError(t, torch.Run(func(s *torch.Scope) error {
		v = s.Ints(s.FromBytes(x.Data, torch.Int64, x.Shape...))
		return nil
	}))
	return v
}

func floats(t *testing.T, f *checkpoint.File, name string) []float32 {
	x, ok, err := f.Tensor(name)
	require.NoError(t, err)
	require.True(t, ok, name)
	v, err := checkpoint.Float32(x)
	require.NoError(t, err)
	return v
}

// worst is the largest difference between packed rows and the real rows of a padded expectation.
func worst(got, padded []float32, real []int) float64 {
	width := len(got) / len(real)
	w := 0.0
	for i, row := range real {
		for j := range width {
			d := math.Abs(float64(got[i*width+j]) - float64(padded[row*width+j]))
			if !(d <= w) { // NaN too
				w = d
			}
		}
	}
	return w
}

func sharedFixtures(t *testing.T, path string) string {
	root := os.Getenv("LORABENCH_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "shared")
	}
	dir := filepath.Join(root, "peer", "fixtures", path)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the peer's fixtures are not here (%s); LORABENCH_SHARED names their folder", dir)
	}
	return dir
}

func TestForwardAgreesWithTransformers(t *testing.T) {
	for _, c := range []struct{ why, dir string }{
		{"opt-350m's kind", post},
		{"opt-125m's kind", pre},
		{"in shards", sharded},
		{"the peer's own tiny model", ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := c.dir
			if dir == "" {
				dir = sharedFixtures(t, "tiny")
			}
			f, err := checkpoint.Open(filepath.Join(dir, "fixture.safetensors"))
			require.NoError(t, err)
			defer f.Close()
			right, at := rows(t, f, "")
			left, leftAt := rows(t, f, "left.")
			m := loadModel(t, dir, torch.Float32)
			got := logits(t, m, right, false)
			require.Less(t, worst(got, floats(t, f, "logits_base"), at), logitsWithin)
			require.Len(t, leftAt, len(at))
			require.Equal(t, got, logits(t, m, left, false), "padding on the left or on the right is the same row without it")
		})
	}
}
