package lora_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/fixture"
	"lorabench/internal/models"
	"lorabench/internal/torch"
	"lorabench/internal/torch/torchtest"
	"lorabench/internal/train"
	"lorabench/lora"
)

// Tolerances on a CPU in float32 (parity_check.md; fixture.json's float32_error says what
// transformers itself is off its float64 self).
const (
	logitsWithin   = 2e-5
	lossWithin     = 5e-6
	gradWithin     = 5e-6 // absolute; 5e-7 for the peer's own model, whose gradients are smaller
	stepLossWithin = 1e-5
	stepNormWithin = 1e-5 // relative
	adapterWithin  = 1e-5
)

type table struct {
	Steps       int     `json:"steps"`
	Batch       int     `json:"batch"`
	Accum       int     `json:"accum"`
	LR          float64 `json:"lr"`
	Warmup      int     `json:"warmup"`
	WeightDecay float64 `json:"weight_decay"`
	Clip        float64 `json:"clip"`
	TotalFLOPs  float64 `json:"total_flos"`
	Padded      int64   `json:"padded_tokens"`
	Table       []struct {
		Loss     float64 `json:"loss"`
		GradNorm float64 `json:"grad_norm"`
		LR       float64 `json:"lr"`
	} `json:"table"`
}

type figures struct {
	Loss     float64   `json:"loss"`
	LossBase float64   `json:"loss_base"`
	GradNorm float64   `json:"grad_norm"`
	FullLoss float64   `json:"full_loss"`
	FullNorm float64   `json:"full_grad_norm"`
	BinLoss  float64   `json:"loss_with_pytorch_model_bin"`
	Steps    table     `json:"steps"`
	Full     table     `json:"full_steps"`
	Warmup   table     `json:"warmup_steps"`
	IDs      [][]int32 `json:"ids"`
}

func readFixture(t *testing.T, dir string) figures {
	var f figures
	readJSON(t, filepath.Join(dir, "fixture.json"), &f)
	if f.IDs == nil {
		readJSON(t, filepath.Join(dir, "ids.json"), &f.IDs)
	}
	return f
}

func readJSON(t *testing.T, path string, v any) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, v))
}

func fixtureDirs(t *testing.T) []string {
	dirs := append([]string{"../testdata/parity/post", "../testdata/parity/pre", "../testdata/parity/sharded"}, families(t)...)
	if dir, ok := fixture.Find("peer/fixtures/tiny"); ok {
		return append(dirs, dir)
	}
	t.Log("the peer's fixtures are not here: LORABENCH_SHARED names their folder")
	return dirs
}

// families are the fixtures of models other than OPT: testdata/parity/families.py.
func families(t *testing.T) (dirs []string) {
	all, err := filepath.Glob("../testdata/parity/families/*/adapter")
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, adapter := range all {
		dirs = append(dirs, filepath.Dir(adapter))
	}
	return dirs
}

var devices = torchtest.Find(torch.OpenDevice, torch.Cards)

// pass and several are the tolerances on a device of what one pass and several steps compute, given the CPU's.
func pass(on torch.Device, cpu float64) float64    { return torchtest.Within(on, torchtest.Pass, cpu) }
func several(on torch.Device, cpu float64) float64 { return torchtest.Within(on, torchtest.Steps, cpu) }

// loadModel loads a model with its own dropout off, as every fixture has it.
func loadModel(t *testing.T, dir string) *decoder.Model { return loadOn(t, torch.CPU, dir) }

func loadOn(t *testing.T, on torch.Device, dir string) *decoder.Model {
	scope := torch.NewScope()
	var m *decoder.Model
	require.NoError(t, torch.Run(func(*torch.Scope) (err error) {
		m, _, err = models.Load(scope, dir, torch.Float32, on)
		return err
	}))
	t.Cleanup(func() { _ = torch.Run(func(*torch.Scope) error { scope.Free(); return nil }) })
	m.ModelDropout = 0
	return m
}

func read(t *testing.T, x *torch.Tensor) (v []float32) {
	require.NoError(t, torch.Run(func(s *torch.Scope) error { v = s.Floats(x); return nil }))
	return v
}

// mean is the loss over a micro-batch's labels, with its gradient left in the parameters.
func mean(t *testing.T, m *decoder.Model, b *data.MicroBatch) (loss float64) {
	require.NoError(t, torch.Run(func(s *torch.Scope) error {
		l := s.Zeros(torch.Float32, m.Device())
		m.Gradient(s, b, slices.Repeat([]float32{1 / float32(b.Labels)}, b.Labels), l)
		loss = s.Item(l)
		return nil
	}))
	return loss
}

func logits(t *testing.T, m *decoder.Model, b *data.MicroBatch) (v []float32) {
	require.NoError(t, torch.Run(func(s *torch.Scope) error {
		v = s.Floats(m.Logits(s, m.Hidden(s, b, false), false))
		return nil
	}))
	return v
}

func TestAdapterAgreesWithPEFT(t *testing.T) { devices.Each(t, testAdapterAgreesWithPEFT) }

func testAdapterAgreesWithPEFT(t *testing.T, on torch.Device) {
	for _, dir := range fixtureDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			fx, f := readFixture(t, dir), fixture.Open(t, filepath.Join(dir, "fixture.safetensors"))
			m := loadOn(t, on, dir)
			a, err := lora.Load(m, filepath.Join(dir, "adapter"))
			require.NoError(t, err)
			defer a.Close()
			b, real := fixture.Rows(t, f, "")

			require.Less(t, fixture.Padded(logits(t, m, &b), fixture.Floats(t, f, "logits"), real), pass(on, logitsWithin))
			require.InDelta(t, fx.Loss, mean(t, m, &b), pass(on, lossWithin))
			within := gradWithin
			if filepath.Base(dir) == "tiny" {
				within = 5e-7
			}
			total := 0.0
			for i, name := range a.Names {
				g := read(t, a.Gradient(i))
				require.Less(t, fixture.Largest(t, g, fixture.Floats(t, f, "grad."+name)), pass(on, within), name)
				for _, x := range g {
					total += float64(x) * float64(x)
				}
			}
			require.InEpsilon(t, fx.GradNorm, math.Sqrt(total), pass(on, 1e-5))
		})
	}
}

// steps trains as a fixture's table says and compares every step; labels are all real tokens.
func steps(t *testing.T, m *decoder.Model, p *train.Params, ids [][]int32, want table) {
	stepsWithin(t, m, p, ids, want, several(m.Device(), stepLossWithin), several(m.Device(), stepNormWithin))
}

func asSamples(ids [][]int32) []data.Sample {
	samples := make([]data.Sample, len(ids))
	for i, x := range ids {
		samples[i] = data.Sample{IDs: x, Labels: x}
	}
	return samples
}

func stepsWithin(t *testing.T, m *decoder.Model, p *train.Params, ids [][]int32, want table, loss, norm float64) {
	o := train.DefaultOptions(train.Schedule{LR: want.LR, Steps: want.Steps, Warmup: want.Warmup})
	o.WeightDecay, o.ClipNorm = want.WeightDecay, want.Clip
	tr, err := train.NewTrainer(m, p, o)
	require.NoError(t, err)
	defer tr.Close()
	samples := asSamples(ids)
	loader, err := data.NewLoader(samples, data.NewOrder(len(samples), 0, true), want.Batch)
	require.NoError(t, err)
	for range want.Steps {
		var micros []data.MicroBatch
		for range want.Accum {
			micros = append(micros, loader.Next())
		}
		require.NoError(t, tr.Step(micros))
	}
	log, err := tr.Log()
	require.NoError(t, err)
	require.Len(t, log, len(want.Table))
	for i, w := range want.Table {
		t.Logf("step %d: loss differs by %.1e, norm by %.1e of itself", i+1, log[i].Loss-w.Loss, log[i].GradNorm/w.GradNorm-1)
		require.InDelta(t, w.Loss, log[i].Loss, loss, "loss of step %d", i+1)
		require.InEpsilon(t, w.GradNorm, log[i].GradNorm, norm, "norm of step %d", i+1)
		require.InDelta(t, w.LR, log[i].LearningRate, 1e-12, "rate of step %d", i+1)
	}
}

func TestStepsAgreeWithTrainer(t *testing.T) { devices.Each(t, testStepsAgreeWithTrainer) }

func testStepsAgreeWithTrainer(t *testing.T, on torch.Device) {
	for _, dir := range fixtureDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			fx := readFixture(t, dir)
			m := loadOn(t, on, dir)
			a, err := lora.Load(m, filepath.Join(dir, "adapter"))
			require.NoError(t, err)
			defer a.Close()
			steps(t, m, a.Params, fx.IDs, fx.Steps)
			if fx.Steps.Padded > 0 {
				require.Equal(t, fx.Steps.TotalFLOPs, lora.FLOPs(m, a, fx.Steps.Padded), "total_flos")
			}
			final := fixture.Open(t, filepath.Join(dir, "final_adapter.safetensors"))
			for i, name := range a.Names {
				require.Less(t, fixture.Largest(t, read(t, a.Tensors[i]), fixture.Floats(t, final, name)), several(on, adapterWithin), name)
			}
		})
	}
}

func TestWarmupAndWeightDecayAgreeWithTrainer(t *testing.T) {
	devices.Each(t, testWarmupAndWeightDecayAgreeWithTrainer)
}

func testWarmupAndWeightDecayAgreeWithTrainer(t *testing.T, on torch.Device) {
	const dir = "../testdata/parity/post"
	fx, f := readFixture(t, dir), fixture.Open(t, dir+"/fixture.safetensors")
	m := loadOn(t, on, dir)
	a, err := lora.Load(m, dir+"/adapter")
	require.NoError(t, err)
	defer a.Close()
	steps(t, m, a.Params, fx.IDs, fx.Warmup)
	for i, name := range a.Names {
		require.Less(t, fixture.Largest(t, read(t, a.Tensors[i]), fixture.Floats(t, f, "warmup.final."+name)), several(on, adapterWithin), name)
	}
}

func TestFullTrainingAgreesWithTrainer(t *testing.T) {
	devices.Each(t, testFullTrainingAgreesWithTrainer)
}

func testFullTrainingAgreesWithTrainer(t *testing.T, on torch.Device) {
	for _, dir := range append(families(t), "../testdata/parity/post") {
		if readFixture(t, dir).Full.Steps > 0 {
			t.Run(filepath.Base(dir), func(t *testing.T) { testFullTraining(t, on, dir) })
		}
	}
}

func testFullTraining(t *testing.T, on torch.Device, dir string) {
	fx, f := readFixture(t, dir), fixture.Open(t, dir+"/fixture.safetensors")
	m, p, err := train.Full(loadOn(t, on, dir))
	require.NoError(t, err)
	defer p.Close()
	b, _ := fixture.Rows(t, f, "")
	require.InDelta(t, fx.FullLoss, mean(t, m, &b), pass(on, lossWithin))
	for i, name := range p.Names {
		require.Less(t, fixture.Largest(t, read(t, p.Gradient(i)), fixture.Floats(t, f, "full.grad."+name)), pass(on, gradWithin), name)
	}
	require.NoError(t, p.Restore())
	steps(t, m, p, fx.IDs, fx.Full)
	require.Equal(t, fx.Full.TotalFLOPs, lora.FLOPs(m, nil, fx.Full.Padded), "total_flos")
}

func TestHalfPrecisionCheckpoint(t *testing.T) { devices.Each(t, testHalfPrecisionCheckpoint) }

func testHalfPrecisionCheckpoint(t *testing.T, on torch.Device) {
	dir := fixture.Shared(t, "peer/fixtures/tiny")
	fx, f := readFixture(t, dir), fixture.Open(t, dir+"/fixture.safetensors")
	only := t.TempDir() // the folder holds both formats; here only pytorch_model.bin
	for _, name := range []string{"config.json", "pytorch_model.bin"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(only, name), b, 0o644))
	}
	m := loadOn(t, on, only)
	a, err := lora.Load(m, dir+"/adapter")
	require.NoError(t, err)
	defer a.Close()
	b, _ := fixture.Rows(t, f, "")
	require.InDelta(t, fx.BinLoss, mean(t, m, &b), pass(on, lossWithin))
}
