package events

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

var start = time.Date(2026, 3, 1, 12, 0, 0, 250e6, time.UTC)

// example is a run of four steps, evaluated before, in the middle and at the end.
func example() *record.Record {
	base, final := 2.25, 1.75
	return &record.Record{
		Name: "rank=8/targets=q,v", Rank: "8", Seed: 42, Started: start, Scaling: 2,
		Settings: record.Settings{Model: "facebook/opt-350m", Data: "instructions <&>", Recipe: "reported", Alpha: 16, LR: 2e-4,
			Targets: []string{"q_proj", "v_proj"}, Batch: 4, Accum: 4, MaxLength: 1024, Order: "random", Device: "cpu", DType: "float32",
			Graphs: "auto", RowTokens: 4096, Seed: 40, Eval: 16, EvalEvery: 2, Steps: 4},
		Model:   record.ModelInfo{Name: "facebook/opt-350m", SHA256: "aa", Config: map[string]any{"hidden_size": 1024, "model_type": "opt"}},
		Data:    record.DataInfo{Name: "instructions", SHA256: "bb", Train: 64, Held: 16, EvalLossBase: &base},
		Machine: record.Machine{Device: "cpu", CPU: "a processor", Threads: 2, OS: "linux/amd64", Go: "go1.26", Torch: "2.11.0", Commit: "abc"},
		Loss:    1.875, TrainLoss: 1.9375, EvalLoss: &final, GradNorm: 0.75, LearningRate: 0, GlobalStep: 4, Epoch: 1,
		Runtime: 8, SamplesPerSecond: 8, StepsPerSecond: 0.5, TotalFLOPs: 6.358e15,
		Steps: []record.Step{
			{Step: 1, Loss: 2.125, GradNorm: 1.5, LearningRate: 2e-4, Tokens: 100}, {Step: 2, Loss: 2, GradNorm: 1.25, LearningRate: 1.5e-4, Tokens: 110},
			{Step: 3, Loss: 1.875, GradNorm: 1, LearningRate: 1e-4, Tokens: 90}, {Step: 4, Loss: 1.75, GradNorm: 0.75, LearningRate: 5e-5, Tokens: 95},
		},
		Evals: []record.Eval{{Step: 2, Loss: 1.9, Seconds: 5}},
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test -update writes %s anew", path)
}

func TestEventFile(t *testing.T) {
	encoded := func() []byte {
		b, err := eventFile(example(), history(example()))
		require.NoError(t, err)
		return b
	}
	b := encoded()
	text, err := dump(b)
	require.NoError(t, err)
	golden(t, "events.golden", text)

	require.Equal(t, b, encoded(), "the same record gives the same bytes")

	for _, at := range []int{0, 9, 20, len(b) / 2, len(b) - 1} {
		broken := append([]byte(nil), b...)
		broken[at] ^= 1
		_, err := records(broken)
		require.Error(t, err, "a flipped bit at %d is seen: the reader does check", at)
	}
}

func TestSave(t *testing.T) {
	dir, r := t.TempDir(), example()
	require.NoError(t, Save(dir, r))
	history, err := os.ReadFile(filepath.Join(dir, "rank=8,targets=q,v,seed=42.jsonl"))
	require.NoError(t, err)
	golden(t, "history.golden", string(history))

	folder := filepath.Join(dir, "tensorboard", "rank=8,targets=q,v,seed=42")
	others := filepath.Join(folder, "events.out.tfevents.5.elsewhere")
	require.NoError(t, os.WriteFile(others, nil, 0o644))
	r.Started = start.Add(time.Hour)
	require.NoError(t, Save(dir, r))
	paths, err := filepath.Glob(filepath.Join(folder, "*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(folder, "events.out.tfevents.0.lorabench"), others}, paths,
		"a run that is repeated replaces its event file and touches no other program's")
}

func TestSaveIsWholeOrNothing(t *testing.T) {
	for _, c := range []struct {
		change func(*record.Record)
		err    string
		why    string
	}{
		{func(r *record.Record) { r.Model.Config["scale"] = math.NaN() }, "rank=8/targets=q,v, seed 42: json", "what JSON cannot say, and only the event file has"},
		{func(r *record.Record) { r.Steps[2].Loss = math.NaN() }, "rank=8/targets=q,v, seed 42: step 3: json: unsupported value: NaN", "a loss that is no number"},
		{func(r *record.Record) { r.Evals[0].Loss = math.Inf(1) }, "step 2: json: unsupported value: +Inf", "likewise when held out"},
		{func(r *record.Record) { r.TotalFLOPs = math.NaN() }, "step 4: json: unsupported value: NaN", "a total that does not exist"},
	} {
		dir, r := t.TempDir(), example()
		c.change(r)
		assert.ErrorContains(t, Save(dir, r), c.err, c.why)
		found, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, found, "nothing is written of a record that is refused: %s", c.why)
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tensorboard"), nil, 0o644))
	require.ErrorContains(t, Save(dir, example()), filepath.Join(dir, "tensorboard"), "a file stands where the folder should")
}
