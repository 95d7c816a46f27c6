package lora_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/fixture"
	"lorabench/internal/torch"
	"lorabench/internal/torch/torchtest"
	"lorabench/internal/train"
	"lorabench/lora"
)

// doraQV is qv with magnitudes.
var doraQV = lora.Config{R: 4, LoraAlpha: 8, TargetModules: []string{"q_proj", "v_proj"}, UseDoRA: true}

func loadDoRA(t *testing.T, m *decoder.Model) *lora.Adapter {
	a, err := lora.Load(m, post+"/dora")
	require.NoError(t, err)
	t.Cleanup(a.Close)
	return a
}

func TestDoRAAgreesWithPEFT(t *testing.T) { devices.Each(t, testDoRAAgreesWithPEFT) }

func testDoRAAgreesWithPEFT(t *testing.T, on torch.Device) {
	var fx figures
	readJSON(t, post+"/dora.json", &fx)
	f := fixture.Open(t, post+"/dora.safetensors")
	b, real := fixture.Rows(t, fixture.Open(t, post+"/fixture.safetensors"), "")
	m := loadOn(t, on, post)
	a := loadDoRA(t, m)
	require.Len(t, a.Names, 2*2*3, "layers x projections x (A, B and m)")
	require.EqualValues(t, 2*2*(2*4*32+32), a.N())

	require.Less(t, fixture.Padded(logits(t, m, &b), fixture.Floats(t, f, "logits"), real), pass(on, logitsWithin))
	require.InDelta(t, fx.Loss, mean(t, m, &b), pass(on, lossWithin))
	for i, name := range a.Names {
		require.Less(t, fixture.Largest(t, read(t, a.Gradient(i)), fixture.Floats(t, f, "grad."+name)), pass(on, gradWithin), name)
	}
	require.InEpsilon(t, fx.GradNorm, gradNorm(t, a), pass(on, 1e-5))

	require.NoError(t, a.Restore())
	steps(t, m, a.Params, readFixture(t, post).IDs, fx.Steps)
	require.Equal(t, fx.Steps.TotalFLOPs, lora.FLOPs(m, a, fx.Steps.Padded), "total_flos counts magnitudes, too")
	for i, name := range a.Names {
		require.Less(t, fixture.Largest(t, read(t, a.Tensors[i]), fixture.Floats(t, f, "final."+name)), several(on, adapterWithin), name)
	}
}

func TestNewDoRAStartsFromTheBase(t *testing.T) { devices.Each(t, testNewDoRAStartsFromTheBase) }

func testNewDoRAStartsFromTheBase(t *testing.T, on torch.Device) {
	m := loadOn(t, on, post)
	b := batch(t, 4)
	base := logits(t, m, &b)
	plain, err := lora.NewAdapter(m, qv, 1)
	require.NoError(t, err)
	loss := mean(t, m, &b)
	values := map[string][]float32{}
	for i, name := range plain.Names {
		values[name] = read(t, plain.Tensors[i])
	}
	plain.Close()

	c := doraQV
	c.LoraDropout = 0.5
	a, err := lora.NewAdapter(m, c, 1)
	require.NoError(t, err)
	defer a.Close()
	require.Equal(t, base, logits(t, m, &b), "m is the norm of each row and B is 0: W itself, bit for bit")
	require.InDelta(t, loss, mean(t, m, &b), pass(on, 1e-6), "in training, too, whatever is dropped")
	for i, name := range a.Names {
		if !strings.HasSuffix(name, ".lora_magnitude_vector") {
			require.Equal(t, values[name], read(t, a.Tensors[i]), "%s is LoRA's of the same seed", name)
			continue
		}
		require.Equal(t, []int64{32}, a.Tensors[i].Shape())
		for _, v := range read(t, a.Tensors[i]) {
			require.Greater(t, v, float32(0.5), "the norm of 32 weights of standard deviation 0.25 is about 1.4")
		}
	}
}

func TestMergedDoRAEqualsUnmerged(t *testing.T) { devices.Each(t, testMergedDoRAEqualsUnmerged) }

func testMergedDoRAEqualsUnmerged(t *testing.T, on torch.Device) {
	m := loadOn(t, on, post)
	other := m.Share()
	a := loadDoRA(t, m)
	b := batch(t, 4)
	base, unmerged := logits(t, other, &b), logits(t, m, &b)
	require.Greater(t, fixture.Largest(t, unmerged, base), 0.1, "the adapter does something")
	require.NoError(t, a.Merge())
	require.NoError(t, a.Merge(), "again is no second change")
	require.Less(t, fixture.Largest(t, logits(t, m, &b), unmerged), pass(on, 2e-5))
	require.Equal(t, base, logits(t, other, &b), "other models of the same base are untouched")
	require.NoError(t, a.Unmerge())
	require.Equal(t, unmerged, logits(t, m, &b), "bit for bit")
}

// TestDoRATrains takes steps with dropout, repeated exactly, the same with checkpointing, and leaves
// neither tensors nor a trace in the base.
func TestDoRATrains(t *testing.T) { devices.Each(t, testDoRATrains) }

func testDoRATrains(t *testing.T, on torch.Device) {
	base := loadOn(t, on, post)
	base.ModelDropout = 0.1
	before, err := base.Fingerprint()
	require.NoError(t, err)
	for _, c := range []struct {
		why     string
		dropout float64
		targets []string
	}{
		{"no dropout", 0, doraQV.TargetModules},
		{"dropout", 0.2, doraQV.TargetModules},
		{"every projection, of every shape, one of them above and one below the layers", 0.2,
			[]string{"project_in", "project_out", "q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"}},
	} {
		run := func(checkpoint bool) []float64 {
			m := base.Share()
			m.Checkpoint = checkpoint
			config := doraQV
			config.LoraDropout, config.TargetModules = c.dropout, c.targets
			a, err := lora.NewAdapter(m, config, 1)
			require.NoError(t, err)
			defer a.Close()
			live := torch.Live()
			losses := lossesOf(t, m, a.Params, 1, 6)
			require.Equal(t, live, torch.Live(), c.why)
			return losses
		}
		losses := run(false)
		require.Less(t, losses[5], losses[0], c.why)
		torchtest.Same(t, on, losses, run(false), c.why)
		require.InDeltaSlice(t, losses, run(true), several(on, 1e-6), "%s, checkpointed", c.why)
	}
	after, err := base.Fingerprint()
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestDoRAInRowsAndGraphsSizes(t *testing.T) { devices.Each(t, testDoRAInRowsAndGraphsSizes) }

func testDoRAInRowsAndGraphsSizes(t *testing.T, on torch.Device) {
	base := loadOn(t, on, post)
	run := func(rowTokens int, graphs bool) (losses []float64) {
		m := base.Share()
		a := loadDoRA(t, m)
		o := train.DefaultOptions(train.Schedule{LR: 1e-2, Steps: 5})
		o.RowTokens, o.Graphs = rowTokens, graphs
		tr, err := train.NewTrainer(m, a.Params, o)
		require.NoError(t, err)
		defer tr.Close()
		live := int64(0)
		for i := range 5 {
			require.NoError(t, tr.Step(steps4(t)))
			if i > 0 { // the first step makes room for the rows of its sizes
				require.Equal(t, live, torch.Live(), "a step leaves no tensor")
			}
			live = torch.Live()
		}
		log, err := tr.Log()
		require.NoError(t, err)
		for _, s := range log {
			losses = append(losses, s.Loss)
		}
		return losses
	}
	require.InDeltaSlice(t, run(0, false), run(40, true), several(on, 2e-6))
}

func TestSaveAndLoadDoRA(t *testing.T) {
	m := loadModel(t, post)
	c := lora.Config{R: 3, LoraAlpha: 6, LoraDropout: 0.1, TargetModules: []string{"fc1", "v_proj"}, UseRSLoRA: true, UseDoRA: true}
	a, err := lora.NewAdapter(m, c, 1)
	require.NoError(t, err)
	lossesOf(t, m, a.Params, 1, 3)
	b := batch(t, 4)
	want := logits(t, m, &b)
	dir := filepath.Join(t.TempDir(), "adapter")
	size, err := a.Save(dir, "facebook/opt-350m")
	require.NoError(t, err)
	require.Greater(t, size, a.N()*4)
	a.Close()
	l, err := lora.Load(m, dir)
	require.NoError(t, err)
	defer l.Close()
	require.Equal(t, c, l.Config)
	require.Equal(t, want, logits(t, m, &b))
}

// TestRowsWithoutDirection: DoRA divides by the norm of each row, and a row of zeros has none. LoRA does not
// mind.
func TestRowsWithoutDirection(t *testing.T) {
	m := loadModel(t, post)
	require.NoError(t, torch.Run(func(s *torch.Scope) error {
		torch.ZeroIn(s.Narrow(m.Weights()["model.decoder.layers.1.self_attn.v_proj.weight"], 0, 3, 1))
		return nil
	}))
	live := torch.Live()
	_, err := lora.NewAdapter(m, doraQV, 1)
	require.ErrorContains(t, err, "row 3 of model.decoder.layers.1.self_attn.v_proj.weight + scaling B A has norm 0, by which use_dora divides")
	require.Equal(t, live, torch.Live(), "nothing is left behind")
	for _, g := range m.Groups() {
		require.Nil(t, g.Adapter)
	}
	only := doraQV
	only.TargetModules = []string{"q_proj"}
	a, err := lora.NewAdapter(m, only, 1)
	require.NoError(t, err)
	a.Close()
	a, err = lora.NewAdapter(m, qv, 1)
	require.NoError(t, err)
	a.Close()
	loadDoRA(t, m) // its B A gives the row a direction
	b := data.Pack(asSamples(readFixture(t, post).IDs[:2]), []int{0, 1})
	for _, v := range logits(t, m, &b) {
		require.False(t, v != v, "no NaN")
	}
}
