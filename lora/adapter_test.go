package lora_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

const post = "../testdata/parity/post"

var qv = lora.Config{R: 4, LoraAlpha: 8, TargetModules: []string{"q_proj", "v_proj"}}

// batch is one micro-batch of the fixture's sequences.
func batch(t *testing.T, n int) data.MicroBatch {
	samples := asSamples(readFixture(t, post).IDs[:n])
	index := make([]int, n)
	for i := range index {
		index[i] = i
	}
	return data.Pack(samples, index)
}

// lossesOf takes steps with dropout on and returns their losses.
func lossesOf(t *testing.T, m *decoder.Model, p *train.Params, seed int64, steps int) []float64 {
	tr, err := train.NewTrainer(m, p, train.DefaultOptions(train.Schedule{LR: 1e-2, Steps: steps}))
	require.NoError(t, err)
	defer tr.Close()
	b := batch(t, 8)
	torch.Seed(seed)
	for range steps {
		require.NoError(t, tr.Step([]data.MicroBatch{b}))
	}
	log, err := tr.Log()
	require.NoError(t, err)
	var losses []float64
	for _, s := range log {
		losses = append(losses, s.Loss)
	}
	return losses
}

func TestNewAdapterStartsFromTheBase(t *testing.T) { devices.Each(t, testNewAdapterStartsFromTheBase) }

func testNewAdapterStartsFromTheBase(t *testing.T, on torch.Device) {
	m := loadOn(t, on, post)
	b := batch(t, 4)
	base := logits(t, m, &b)
	a, err := lora.NewAdapter(m, qv, 1)
	require.NoError(t, err)
	require.Equal(t, base, logits(t, m, &b), "B is 0, so the adapter adds exactly nothing")
	require.EqualValues(t, 2*2*2*4*32, a.N(), "layers x projections x (A and B) x r x hidden")
	for i, name := range a.Names {
		v := read(t, a.Tensors[i])
		for _, x := range v {
			if strings.Contains(name, "lora_B") {
				require.Zero(t, x)
			} else {
				require.LessOrEqual(t, max(x, -x), float32(0.17678), "within 1/sqrt(in) of 0, in = 32")
			}
		}
		if strings.Contains(name, "lora_A") {
			require.Greater(t, fixture.Largest(t, v, make([]float32, len(v))), 0.15, "and spread over it")
		}
	}
	a.Close()
	require.Equal(t, base, logits(t, m, &b))
}

func TestTrainingIsRepeatableAndLeavesTheBaseAlone(t *testing.T) {
	devices.Each(t, testTrainingIsRepeatableAndLeavesTheBaseAlone)
}

func testTrainingIsRepeatableAndLeavesTheBaseAlone(t *testing.T, on torch.Device) {
	base := loadOn(t, on, post)
	base.ModelDropout = 0.1
	before, err := base.Fingerprint()
	require.NoError(t, err)
	c := qv
	c.LoraDropout = 0.1
	run := func(seed int64) []float64 {
		m := base.Share()
		a, err := lora.NewAdapter(m, c, seed)
		require.NoError(t, err)
		defer a.Close()
		return lossesOf(t, m, a.Params, seed, 6)
	}
	first := run(1)
	require.NotEqual(t, first, run(2), "another seed draws other masks and another A")
	fm, p, err := train.Full(base)
	require.NoError(t, err)
	full := lossesOf(t, fm, p, 1, 6)
	p.Close()
	require.Less(t, full[5], full[0])
	torchtest.Same(t, on, first, run(1), "losses with the same seed, whatever ran in between")
	after, err := base.Fingerprint()
	require.NoError(t, err)
	require.Equal(t, before, after, "frozen weights are bit-identical, also after full training of a copy")
}

func TestRestoreGoesBackToTheFirstStep(t *testing.T) {
	devices.Each(t, testRestoreGoesBackToTheFirstStep)
}

func testRestoreGoesBackToTheFirstStep(t *testing.T, on torch.Device) {
	m := loadOn(t, on, post)
	a, err := lora.NewAdapter(m, qv, 1)
	require.NoError(t, err)
	defer a.Close()
	first := lossesOf(t, m, a.Params, 1, 5)
	require.NoError(t, a.Restore())
	torchtest.Same(t, on, first, lossesOf(t, m, a.Params, 1, 5), "losses with values, moments and step count restored")
}

func TestStepsLeaveNoTensors(t *testing.T) { devices.Each(t, testStepsLeaveNoTensors) }

func testStepsLeaveNoTensors(t *testing.T, on torch.Device) {
	m := loadOn(t, on, post)
	m.ModelDropout = 0.1
	a, err := lora.NewAdapter(m, qv, 1)
	require.NoError(t, err)
	defer a.Close()
	tr, err := train.NewTrainer(m, a.Params, train.DefaultOptions(train.Schedule{LR: 1e-3, Steps: 10}))
	require.NoError(t, err)
	defer tr.Close()
	b := batch(t, 4)
	live := torch.Live()
	for range 12 {
		require.NoError(t, tr.Step([]data.MicroBatch{b, b}))
		require.Equal(t, live, torch.Live())
	}
	log, err := tr.Log()
	require.NoError(t, err)
	require.Len(t, log, 10, "steps past the schedule train at rate 0 and are not logged")
	bad := b
	bad.IDs = append([]int64{9999}, b.IDs[1:]...)
	require.ErrorContains(t, tr.Step([]data.MicroBatch{bad}), "token id 9999 at 0 is outside the model's vocabulary of 96")
	require.Equal(t, live, torch.Live(), "also where a step fails")
}

func TestMergedEqualsUnmerged(t *testing.T) { devices.Each(t, testMergedEqualsUnmerged) }

func testMergedEqualsUnmerged(t *testing.T, on torch.Device) {
	m := loadOn(t, on, post)
	other := m.Share()
	a, err := lora.Load(m, post+"/adapter")
	require.NoError(t, err)
	defer a.Close()
	b := batch(t, 4)
	base, unmerged := logits(t, other, &b), logits(t, m, &b)
	require.Greater(t, fixture.Largest(t, unmerged, base), 0.1, "the adapter does something")
	require.NoError(t, a.Merge())
	require.NoError(t, a.Merge(), "again is no second addition")
	require.Less(t, fixture.Largest(t, logits(t, m, &b), unmerged), pass(on, 2e-5))
	require.Equal(t, base, logits(t, other, &b), "other models of the same base are untouched")
	require.NoError(t, a.Unmerge())
	require.Equal(t, unmerged, logits(t, m, &b), "bit for bit")
}

func TestSaveAndLoad(t *testing.T) { devices.Each(t, testSaveAndLoad) }

func testSaveAndLoad(t *testing.T, on torch.Device) {
	m := loadOn(t, on, post)
	c := lora.Config{R: 3, LoraAlpha: 6, LoraDropout: 0.1, TargetModules: []string{"v_proj", "fc1"}, UseRSLoRA: true}
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
	require.Equal(t, lora.Config{R: 3, LoraAlpha: 6, LoraDropout: 0.1, TargetModules: []string{"fc1", "v_proj"}, UseRSLoRA: true}, l.Config)
	require.Equal(t, want, logits(t, m, &b))
}

// TestPEFTLoadsOurs gives PEFT an adapter trained and saved here and compares its logits with ours.
func TestPEFTLoadsOurs(t *testing.T) {
	if err := exec.Command("python3", "-c", "import peft, transformers, torch").Run(); err != nil {
		t.Skipf("python3 has no peft: pip install -r testdata/parity/requirements.txt (%v)", err)
	}
	rs := qv
	rs.UseRSLoRA = true
	both := doraQV
	both.UseRSLoRA, both.TargetModules = true, []string{"fc1", "out_proj", "q_proj"}
	own := qv
	own.Overrides = map[string]lora.Override{"model.decoder.layers.1.self_attn.v_proj": {R: 2, LoraAlpha: 3}, "model.decoder.layers.0.self_attn.q_proj": {R: 4, LoraAlpha: 1}}
	for _, c := range []struct {
		model  string
		config lora.Config
	}{{"post", qv}, {"sharded", rs}, {"post", doraQV}, {"sharded", both}, {"post", own}} {
		m := loadModel(t, "../testdata/parity/"+c.model)
		a, err := lora.NewAdapter(m, c.config, 1)
		require.NoError(t, err)
		lossesOf(t, m, a.Params, 1, 5)
		peftAgrees(t, c.model, m, a, logitsWithin)
		a.Close()
	}
	// And those that PEFT made, once they are trained further here. PEFT's singular vectors are float32's.
	cases, _ := readPEFTCases(t)
	svd := 0.0
	for _, c := range cases.Cases {
		svd = max(svd, c.Error)
	}
	for _, name := range []string{"layers-pattern", "both-dora", "rank", "pissa-ranks", "olora"} {
		m := loadModel(t, "../testdata/parity/"+cases.Cases[name].Model)
		a, err := lora.Load(m, adapters+name)
		require.NoError(t, err)
		lossesOf(t, m, a.Params, 1, 2)
		within := logitsWithin
		if a.InitLoRAWeights == "pissa" {
			within += svd
		}
		peftAgrees(t, cases.Cases[name].Model, m, a, within)
		a.Close()
	}
}

// peftAgrees saves the adapter and compares PEFT's logits with ours.
func peftAgrees(t *testing.T, model string, m *decoder.Model, a *lora.Adapter, within float64) {
	t.Helper()
	dir, tmp := "../testdata/parity/"+model, t.TempDir()
	_, err := a.Save(tmp, dir)
	require.NoError(t, err)
	ids := readFixture(t, post).IDs[:5]
	b, err := json.Marshal(ids)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(tmp, "ids.json"), b, 0o644))
	out := filepath.Join(tmp, "out.json")
	cmd := exec.Command("python3", "../testdata/parity/peft_check.py", tmp, dir, filepath.Join(tmp, "ids.json"), out)
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 {
		t.Skipf("python3 cannot import what it needs: %s", text)
	}
	require.NoError(t, err, "%s", text)
	var peft struct {
		Logits [][][]float32 `json:"logits"`
	}
	readJSON(t, out, &peft)
	for i, x := range asSamples(ids) {
		micro := data.Pack([]data.Sample{x}, []int{0})
		var want []float32
		for _, row := range peft.Logits[i] {
			want = append(want, row...)
		}
		require.Less(t, fixture.Largest(t, logits(t, m, &micro), want), within, "%s, row %d", model, i)
	}
}

// TestAllLinear: it adapts what PEFT's all-linear does, and is saved as a list of names, in which PEFT would not know it.
func TestAllLinear(t *testing.T) {
	cases, _ := readPEFTCases(t)
	want := cases.Cases["all-linear"]
	m := loadModel(t, "../testdata/parity/"+want.Model)
	c := qv
	c.TargetModules = []string{"All-Linear"}
	a, err := lora.NewAdapter(m, c, 1)
	require.NoError(t, err)
	modules := a.Modules()
	require.ElementsMatch(t, slices.Collect(maps.Keys(want.Modules)), slices.Collect(maps.Keys(modules)))
	dir := t.TempDir()
	_, err = a.Save(dir, "")
	require.NoError(t, err)
	a.Close()
	p, err := lora.ReadConfig(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"fc1", "fc2", "k_proj", "out_proj", "project_in", "project_out", "q_proj", "v_proj"}, p.Targets)
	again, err := lora.Load(m, dir)
	require.NoError(t, err)
	defer again.Close()
	require.Equal(t, modules, again.Modules())
}
