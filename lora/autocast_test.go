package lora_test

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/models"
	"lorabench/internal/torch"
	"lorabench/internal/train"
	"lorabench/lora"
)

// off is how far a computation in bfloat16 is off float32's, as testdata/parity/autocast.py has it.
type off struct {
	Logits   float64            `json:"logits"`
	Grad     map[string]float64 `json:"grad"`
	Loss     float64            `json:"loss"`
	GradNorm float64            `json:"grad_norm"`
	Values   float64            `json:"values"`
}

type autocast struct {
	Rows      int `json:"rows"`
	Variants  int `json:"variants"`
	Trainings int `json:"trainings"`
	Models    map[string]struct {
		Loss     []float64 `json:"loss"`
		StepLoss []float64 `json:"step_loss"`
		BFloat16 off       `json:"bfloat16"`
		Mixed    off       `json:"mixed"`
	} `json:"models"`
}

// TestBFloat16IsAsCloseAsAutocast compares our error against float32 with that of PyTorch's autocast over the same weights in
// bfloat16; how it compares with autocast over float32 weights is logged.
func TestBFloat16IsAsCloseAsAutocast(t *testing.T) {
	const within = 1.1
	was, err := torch.SetThreads(1) // of some 2,000 passes over models of a few thousand weights
	require.NoError(t, err)
	defer func() { _, _ = torch.SetThreads(was) }()
	var fx autocast
	readJSON(t, "../testdata/parity/autocast.json", &fx)
	for name, want := range fx.Models {
		dir := "../testdata/parity/" + name
		var f figures
		readJSON(t, filepath.Join(dir, "fixture.json"), &f)
		exact := computed(t, dir, torch.Float32, f, fx)
		require.InDeltaSlice(t, want.Loss, exact.loss[:len(want.Loss)], lossWithin, "%s: float32's own losses", name)
		require.InDeltaSlice(t, want.StepLoss, exact.stepLoss[:len(want.StepLoss)], stepLossWithin, "%s: float32's own steps", name)
		ours := computed(t, dir, torch.BFloat16, f, fx).off(exact)
		check := func(what string, ours, theirs, mixed float64) {
			t.Logf("%-8s %-75s %.2e, %.2f times autocast's, %.2f times that over float32 weights", name, what, ours, ours/theirs, ours/mixed)
			assert.LessOrEqual(t, ours, within*theirs, "%s: %s", name, what)
		}
		check("logits", ours.Logits, want.BFloat16.Logits, want.Mixed.Logits)
		for key, e := range ours.Grad {
			check(key, e, want.BFloat16.Grad[key], want.Mixed.Grad[key])
		}
		check("loss of a step", ours.Loss, want.BFloat16.Loss, want.Mixed.Loss)
		check("norm of a step", ours.GradNorm, want.BFloat16.GradNorm, want.Mixed.GradNorm)
		check("values after 20 steps", ours.Values, want.BFloat16.Values, want.Mixed.Values)
	}
}

// outcome is what autocast.py compares.
type outcome struct {
	logits         []float32
	loss           []float64
	grad           map[string][]float32
	stepLoss, norm []float64
	start, last    []float32
}

func computed(t *testing.T, dir string, d torch.DType, f figures, fx autocast) (o outcome) {
	m := rounded(t, dir, d)
	a, err := lora.Load(m, filepath.Join(dir, "adapter"))
	require.NoError(t, err)
	defer a.Close()
	a.BFloat16 = d == torch.BFloat16
	samples := asSamples(f.IDs)
	o.grad = map[string][]float32{}
	all := variants(f.IDs, fx.Variants)
	for i := 0; i < len(all); i += fx.Rows {
		b := data.Pack(all, indexes(i, fx.Rows, len(all)))
		o.logits = append(o.logits, logits(t, m, &b)...)
		require.NoError(t, a.Restore())
		o.loss = append(o.loss, mean(t, m, &b))
		for i, name := range a.Names {
			o.grad[name] = append(o.grad[name], read(t, a.Gradient(i))...)
		}
	}
	for range fx.Trainings {
		for _, v := range a.Tensors {
			o.start = append(o.start, read(t, v)...)
		}
	}
	for k := range fx.Trainings {
		require.NoError(t, a.Restore())
		log := trainFrom(t, m, a, samples, k*fx.Rows, f.Steps)
		for _, s := range log {
			o.stepLoss, o.norm = append(o.stepLoss, s.Loss), append(o.norm, s.GradNorm)
		}
		for _, v := range a.Tensors {
			o.last = append(o.last, read(t, v)...)
		}
	}
	return o
}

// variants is the sequences, and those with other tokens in the place of theirs, as autocast.py has them.
func variants(ids [][]int32, n int) (all []data.Sample) {
	for k := range int32(n) {
		for _, s := range ids {
			moved := slices.Clone(s)
			for i := 1; i < len(s); i++ {
				moved[i] = 4 + (s[i]-4+11*k)%92
			}
			all = append(all, data.Sample{IDs: moved, Labels: moved})
		}
	}
	return all
}

// trainFrom takes the table's steps, sequences in their order from the given one on.
func trainFrom(t *testing.T, m *decoder.Model, a *lora.Adapter, samples []data.Sample, from int, rule table) []train.Step {
	o := train.DefaultOptions(train.Schedule{LR: rule.LR, Steps: rule.Steps})
	o.ClipNorm = rule.Clip
	tr, err := train.NewTrainer(m, a.Params, o)
	require.NoError(t, err)
	defer tr.Close()
	for range rule.Steps {
		var micros []data.MicroBatch
		for range rule.Accum {
			micros = append(micros, data.Pack(samples, indexes(from, rule.Batch, len(samples))))
			from += rule.Batch
		}
		require.NoError(t, tr.Step(micros))
	}
	log, err := tr.Log()
	require.NoError(t, err)
	return log
}

// indexes counts n from a number on, modulo the number of samples.
func indexes(from, n, of int) (v []int) {
	for i := range n {
		v = append(v, (from+i)%of)
	}
	return v
}

// rounded loads a model whose weights are rounded to bfloat16, in a type that holds them.
func rounded(t *testing.T, dir string, d torch.DType) *decoder.Model {
	scope := torch.NewScope()
	t.Cleanup(func() { _ = torch.Run(func(*torch.Scope) error { scope.Free(); return nil }) })
	var m *decoder.Model
	require.NoError(t, torch.Run(func(s *torch.Scope) (err error) {
		if m, _, err = models.Load(scope, dir, d, torch.CPU); err != nil {
			return err
		}
		for _, w := range m.Weights() {
			torch.Copy(w, s.Cast(s.Cast(w, torch.BFloat16), d))
		}
		return nil
	}))
	m.ModelDropout = 0
	return m
}

// off is o's distance from float32's outcome.
func (o outcome) off(exact outcome) off {
	d := off{Logits: rms(o.logits, exact.logits) / rms(exact.logits, nil), Grad: map[string]float64{}, Loss: rms(o.stepLoss, exact.stepLoss)}
	for name, g := range exact.grad {
		d.Grad[name] = rms(o.grad[name], g) / rms(g, nil)
	}
	relative := slices.Clone(o.norm)
	for i, n := range exact.norm {
		relative[i] = o.norm[i]/n - 1
	}
	d.GradNorm = rms(relative, nil)
	d.Values = rms(o.last, exact.last) / rms(exact.last, exact.start)
	return d
}

// rms is the root of the mean square of a, or of its difference to b.
func rms[T float32 | float64](a, b []T) float64 {
	sum := 0.0
	for i, x := range a {
		d := float64(x)
		if b != nil {
			d -= float64(b[i])
		}
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(a)))
}

// TestBFloat16Adapter: with products in bfloat16 an adapter still starts from the base, is trained in float32 and
// repeatably, and a step leaves nothing behind.
func TestBFloat16Adapter(t *testing.T) {
	base := rounded(t, post, torch.BFloat16)
	c := lora.Config{R: 4, LoraAlpha: 8, LoraDropout: 0.1, TargetModules: []string{"q_proj", "v_proj", "fc1"}, BFloat16: true}
	b := batch(t, 4)
	run := func(seed int64) []float64 {
		m := base.Share()
		a, err := lora.NewAdapter(m, c, seed)
		require.NoError(t, err)
		defer a.Close()
		require.Equal(t, logits(t, base, &b), logits(t, m, &b), "B is 0, so the adapter adds exactly nothing")
		live := torch.Live()
		losses := lossesOf(t, m, a.Params, seed, 6)
		require.Equal(t, live, torch.Live())
		require.NotEqual(t, logits(t, base, &b), logits(t, m, &b))
		coarse := true
		require.NoError(t, torch.Run(func(s *torch.Scope) error {
			for i, v := range a.Tensors {
				require.Equal(t, torch.Float32, v.DType(), a.Names[i])
				require.Equal(t, torch.Float32, a.Gradient(i).DType(), a.Names[i])
				coarse = coarse && torch.Equal(v, s.Cast(s.Cast(v, torch.BFloat16), torch.Float32))
			}
			return nil
		}))
		require.False(t, coarse, "what is trained has all bits of float32")
		return losses
	}
	first := run(1)
	require.Less(t, first[5], first[0])
	require.NotEqual(t, first, run(2))
	require.Equal(t, first, run(1), "same seed, same losses")
	_, err := lora.NewAdapter(loadModel(t, post), c, 1)
	require.ErrorContains(t, err, "the base is float32: load the base in bfloat16")
	c.UseDoRA = true
	_, err = lora.NewAdapter(base, c, 1)
	require.ErrorContains(t, err, "products in bfloat16 are for LoRA")
}
