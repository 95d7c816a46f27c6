package decoder_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/data"
	"lorabench/internal/checkpoint"
	"lorabench/internal/decoder"
	"lorabench/internal/fixture"
	"lorabench/internal/models"
	"lorabench/internal/torch"
	"lorabench/internal/torch/torchtest"
	"lorabench/opt"
)

type (
	Model  = decoder.Model
	Config = opt.Config
	Group  = decoder.Group
	Saved  = decoder.Saved
	Size   = decoder.Size
)

var (
	New          = decoder.New
	NewTrainable = decoder.NewTrainable
	ParseConfig  = opt.ParseConfig
	ReadConfig   = models.ReadConfig
	Hash         = decoder.Hash
	Init         = opt.Init
	Load         = models.Load
	HashValues   = decoder.HashValues
)

const (
	post     = "../../testdata/parity/post"      // opt-350m's kind: norm after, project_in/out; safetensors
	pre      = "../../testdata/parity/pre"       // opt-125m's kind: norm before, final norm; float16 pytorch_model.bin, keys without model.
	families = "../../testdata/parity/families/" // made by families.py
	sharded  = "../../testdata/parity/sharded"   // as pre, in two safetensors with an index, and a redundant lm_head
)

var devices = torchtest.Find(torch.OpenDevice, torch.Cards)

// pass is the tolerance on a model's device of what one pass computes, given the CPU's.
func pass(m *Model, cpu float64) float64 { return torchtest.Within(m.Device(), torchtest.Pass, cpu) }

// keep runs make and holds what it made until the test ends, which must leave no tensor.
func keep(t testing.TB, make func(s *torch.Scope) (*Model, error)) *Model {
	before := torch.Live()
	scope := torch.NewScope()
	t.Cleanup(func() {
		require.NoError(t, torch.Run(func(*torch.Scope) error { scope.Free(); return nil }))
		require.Equal(t, before, torch.Live(), "tensors left over")
	})
	var m *Model
	require.NoError(t, torch.Run(func(*torch.Scope) (err error) {
		m, err = make(scope)
		return err
	}))
	return m
}

func loadModel(t testing.TB, dir string, d torch.DType) *Model { return loadOn(t, torch.CPU, dir, d) }

func loadOn(t testing.TB, on torch.Device, dir string, d torch.DType) *Model {
	return keep(t, func(s *torch.Scope) (*Model, error) {
		m, _, err := Load(s, dir, d, on)
		return m, err
	})
}

// run is torch.Run for what must succeed and leave nothing.
func run(t testing.TB, f func(s *torch.Scope)) {
	before := torch.Live()
	require.NoError(t, torch.Run(func(s *torch.Scope) error { f(s); return nil }))
	require.Equal(t, before, torch.Live(), "tensors left over")
}

func values(t *testing.T, x *torch.Tensor) (v []float32) {
	run(t, func(s *torch.Scope) { v = s.Floats(x) })
	return v
}

// logits is [T, V].
func logits(t *testing.T, m *Model, b data.MicroBatch, train bool) (v []float32) {
	run(t, func(s *torch.Scope) {
		v = s.Floats(m.Logits(s, m.Hidden(s, &b, train), train))
	})
	return v
}

// loss is the mean over a micro-batch's labels in eval mode, and its element type.
func loss(t *testing.T, m *Model, b data.MicroBatch) (v float64, d torch.DType) {
	run(t, func(s *torch.Scope) {
		x := m.LossSum(s, &b)
		v, d = s.Item(x)/float64(b.Labels), x.DType()
	})
	return v, d
}

// sequence is n made-up tokens of the parity models' vocabulary of 96, all labels.
func sequence(seed, n int) data.Sample {
	s := data.Sample{IDs: []int32{2}}
	for i := 1; i < n; i++ {
		s.IDs = append(s.IDs, int32(4+(seed*31+i*i*17+i*5)%92))
	}
	s.Labels = s.IDs
	return s
}

func pack(samples ...data.Sample) data.MicroBatch {
	index := make([]int, len(samples))
	for i := range index {
		index[i] = i
	}
	return data.Pack(samples, index)
}

// tensors reads a checkpoint's tensors; they are views and live as long as the test.
func tensors(t *testing.T, path string) []checkpoint.Tensor {
	f := fixture.Open(t, path)
	var ts []checkpoint.Tensor
	for _, name := range f.Names() {
		x, _, err := f.Tensor(name)
		require.NoError(t, err)
		ts = append(ts, x)
	}
	return ts
}

// copyFiles copies files of a folder into a new one.
func copyFiles(t *testing.T, dir string, names ...string) string {
	to := t.TempDir()
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, name), b, 0o644))
	}
	return to
}
