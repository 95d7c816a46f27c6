package report

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

// study made for tests: figures that look like real ones, by a fixed formula and a seeded source, so
// that every run of the tests and every machine has the same.
type madeUp struct {
	ranks  []string
	seeds  int
	steps  int
	cuda   bool
	noEval bool
	every  int // steps between held-out losses
	target float64
	name   string // of the model
}

const (
	madeParameters = 1316864
	madeHidden     = 256
	madeLayers     = 2
)

func ptr[T any](v T) *T { return &v }

func (m madeUp) records() []*record.Record {
	var rs []*record.Record
	for _, rank := range m.ranks {
		for k := range m.seeds {
			rs = append(rs, m.record(rank, int64(42+k)))
		}
	}
	return rs
}

func (m madeUp) record(rank string, seed int64) *record.Record {
	n := 0
	for _, c := range rank {
		n = n*31 + int(c)
	}
	own := rand.New(rand.NewPCG(uint64(seed), uint64(n)))
	shared := rand.New(rand.NewPCG(uint64(seed), 0)) // the data's part: the same for every rank
	r, err := strconv.Atoi(rank)
	full := err != nil
	trainable := int64(r * 2 * 2 * madeHidden * madeLayers)
	speed, gain := 153.0, 0.0
	switch {
	case full:
		trainable, speed, gain = madeParameters, 71, -0.03
	default:
		speed /= 1 + 0.0009*float64(r)
		gain = -0.0004 * math.Log2(float64(r))
	}
	speed *= 1 + 0.006*own.NormFloat64()
	rec := &record.Record{
		Name: "rank=" + rank, Rank: rank, Seed: seed,
		Settings: record.Settings{Model: "testdata/small", Data: "testdata/small/train.jsonl.gz", Recipe: "reported", Alpha: 16, Dropout: 0.1,
			ModelDropout: 0.1, LR: 2e-4, Targets: []string{"q_proj", "v_proj"}, Batch: 4, Accum: 4, MaxLength: 256, Order: "random", Device: "cpu",
			DType: "float32", Graphs: "off", RowTokens: 1024, Seed: seed, Eval: 256, Steps: m.steps, EvalEvery: m.every, TargetLoss: m.target},
		Model: record.ModelInfo{Name: "testdata/small", SHA256: "f4b10eede6b8071498db6f44e2b9323b7903a3e1393c903a31a02bb428f8e412", Parameters: madeParameters,
			Config: map[string]any{"model_type": "opt", "hidden_size": madeHidden, "num_hidden_layers": madeLayers, "vocab_size": 1024}},
		Data:      record.DataInfo{Name: "testdata/small/train.jsonl.gz", SHA256: "69db25d38c9bbb913de571c26f347c45a5f7695e59f6e7339850019393a47833", Train: 3964, Held: 256, EvalLossBase: ptr(1.8033123)},
		Machine:   record.Machine{Device: "cpu", CPU: "A processor", Threads: 2, OS: "linux/amd64", Go: "go1.26.8", Torch: "2.11.0", Commit: "53bd62dbc571"},
		Trainable: trainable, AdapterBytes: 4*trainable + 1600, GlobalStep: m.steps, Epoch: float64(m.steps) * 16 / 3964,
		TotalFLOPs: 6.8e12 * (1 + 0.38*float64(trainable)/madeParameters) * float64(m.steps) / 1000,
	}
	if m.name != "" {
		rec.Model.Name, rec.Settings.Model = m.name, m.name
	}
	if full {
		rec.AdapterBytes = 4 * madeParameters
	} else {
		rec.Scaling = 16 / float64(r)
	}
	m.train(rec, speed, gain, shared, own)
	m.remember(rec, own)
	return rec
}

// train fills in what training gives.
func (m madeUp) train(rec *record.Record, speed, gain float64, shared, own *rand.Rand) {
	samples := 16.0
	rec.Runtime = float64(m.steps) * samples / speed
	rec.SamplesPerSecond, rec.StepsPerSecond = speed, speed/samples
	rec.TokensPerSecond, rec.ProcessedPerSecond = 42.8*speed, 42.8*speed
	rec.RealTokens, rec.ProcessedTokens, rec.PaddedTokens = int64(m.steps)*685, int64(m.steps)*685, int64(m.steps)*1050
	last := 0.0
	for i := range m.steps {
		t := float64(i+1) / float64(m.steps)
		loss := 1.52 + 0.28*math.Exp(-5*t) + 0.16*shared.NormFloat64() + gain*t + 0.002*own.NormFloat64()
		norm := (0.18 + 0.5*t + 0.04*own.NormFloat64()) * math.Sqrt(max(rec.Scaling, 0.3))
		rec.Steps = append(rec.Steps, record.Step{Step: i + 1, Loss: loss, GradNorm: norm, LearningRate: 2e-4 * (1 - float64(i)/float64(m.steps)), Tokens: 600 + shared.IntN(180)})
		rec.TrainLoss += loss / float64(m.steps)
		if i >= m.steps-record.Window {
			last += loss / record.Window
		}
		rec.GradNorm = norm
		if m.every > 0 && (i+1)%m.every == 0 {
			e := record.Eval{Step: i + 1, Loss: 1.53 + 0.27*math.Exp(-6*t) + gain*t + 0.0008*own.NormFloat64(), Seconds: t * rec.Runtime}
			rec.Evals = append(rec.Evals, e)
			if m.target > 0 && e.Loss <= m.target && rec.SecondsToTarget == nil {
				rec.SecondsToTarget = ptr(e.Seconds)
			}
		}
	}
	rec.Loss = last
	if m.noEval {
		rec.Data.Held, rec.Data.EvalLossBase, rec.Settings.Eval = 0, nil, 0
		return
	}
	rec.EvalLoss = ptr(1.53 + gain + 0.0015*shared.NormFloat64() + 0.0006*own.NormFloat64())
}

// remember fills in the memory.
func (m madeUp) remember(rec *record.Record, own *rand.Rand) {
	t := 4 * rec.Trainable
	weights, adapter := int64(4*madeParameters), t
	if rec.Rank == record.Full {
		adapter = 0
	}
	noise := func(v int64) *int64 { return ptr(v + int64(float64(v)*0.01*own.NormFloat64())) }
	cs := []record.Category{
		{Name: record.Process, Measured: noise(143 << 20)},
		{Name: record.Weights, Predicted: ptr(weights), Measured: ptr(weights + 4096)},
		{Name: record.Adapter, Predicted: ptr(adapter), Measured: ptr(adapter)},
		{Name: record.Gradients, Predicted: ptr(t), Measured: ptr(t)},
		{Name: record.Optimizer, Predicted: ptr(2 * t), Measured: ptr(2 * t)},
		{Name: record.Activations, Predicted: ptr(int64(17 << 20)), Measured: noise(18 << 20)},
		{Name: record.Head, Predicted: ptr(int64(3 << 20)), Measured: noise(3 << 20)},
		{Name: record.Workspace, Predicted: ptr(int64(1 << 20)), Measured: ptr(int64(2 << 20))},
		{Name: record.Slack, Measured: noise(6 << 20)},
	}
	total := int64(0)
	for _, c := range cs {
		total += *c.Measured
	}
	if !m.cuda {
		rec.InitialMemory = record.Peak{RSS: ptr(int64(160 << 20))}
		rec.PeakMemory = record.Peak{RSS: ptr(total)}
		rec.Memory = cs
		return
	}
	rec.Settings.Device, rec.Machine.Device, rec.Machine.GPU, rec.Machine.Driver = "cuda:0", "cuda:0", "NVIDIA H100 80GB HBM3", "580.65.06"
	rec.Memory = cs[1:]
	rec.InitialMemory = record.Peak{GPUAllocated: ptr(weights), GPUReserved: ptr(weights + 1<<20), RSS: ptr(int64(1600 << 20))}
	rec.PeakMemory = record.Peak{GPUAllocated: ptr(total - *cs[0].Measured - *cs[8].Measured), GPUReserved: ptr(total - *cs[0].Measured), RSS: ptr(int64(1900 << 20))}
	rec.Others = []record.Holder{{PID: 4711, Name: "Xorg", Bytes: 12 << 20}}
}

// usual is the study that most tests are about.
var usual = madeUp{ranks: []string{"8", "128", "256"}, seeds: 6, steps: 60}

// arms that differ in more than their rank.
func madeArms(t *testing.T) []*record.Record {
	var rs []*record.Record
	for _, rank := range []string{"8", "128"} {
		for i, lr := range []float64{1e-4, 2e-4} {
			for k := range 2 {
				r := madeUp{steps: 40}.record(rank, int64(42+k))
				r.Name += "/lr=" + strconv.FormatFloat(lr, 'g', -1, 64) + "/targets=q,v"
				r.Settings.LR = lr
				r.EvalLoss = ptr(*r.EvalLoss - 0.01*float64(i))
				rs = append(rs, r)
			}
		}
	}
	require.True(t, slices.ContainsFunc(rs, func(r *record.Record) bool { return r.Name != "rank=8" }))
	return rs
}
