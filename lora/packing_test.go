package lora_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/fixture"
	"lorabench/internal/torch"
	"lorabench/internal/train"
	"lorabench/lora"
)

// steps4 are micro-batches of several sizes; of the last the labels are few.
func steps4(t *testing.T) []data.MicroBatch {
	samples := asSamples(readFixture(t, post).IDs)
	last := append([]int32(nil), samples[6].Labels...)
	for i := range len(last) / 2 {
		last[i] = data.Ignore
	}
	samples[6].Labels = last
	var micros []data.MicroBatch
	for _, index := range [][]int{{0, 1, 2}, {3}, {4, 5}, {6}} {
		micros = append(micros, data.Pack(samples, index))
	}
	return micros
}

// trained takes 5 steps without dropout and returns the losses and the adapter.
func trained(t *testing.T, m *decoder.Model, o train.Options) (losses []float64, values []float32, tr *train.Trainer) {
	a, err := lora.Load(m, post+"/adapter")
	require.NoError(t, err)
	t.Cleanup(a.Close)
	tr, err = train.NewTrainer(m, a.Params, o)
	require.NoError(t, err)
	t.Cleanup(tr.Close)
	for range 5 {
		require.NoError(t, tr.Step(steps4(t)))
	}
	log, err := tr.Log()
	require.NoError(t, err)
	for _, s := range log {
		losses = append(losses, s.Loss)
	}
	for _, x := range a.Tensors {
		values = append(values, read(t, x)...)
	}
	return losses, values, tr
}

// TestRowsAndGraphsChangeNothing trains with micro-batches joined and not, in rows rounded up to the
// sizes of graphs and not, with and without checkpointing: the same training to rounding.
func TestRowsAndGraphsChangeNothing(t *testing.T) { devices.Each(t, testRowsAndGraphsChangeNothing) }

func testRowsAndGraphsChangeNothing(t *testing.T, on torch.Device) {
	base := loadOn(t, on, post)
	plain := train.DefaultOptions(train.Schedule{LR: 1e-2, Steps: 5})
	want, values, _ := trained(t, base.Share(), plain)
	require.Less(t, want[4], want[0])
	for _, c := range []struct {
		why        string
		rowTokens  int
		graphs     bool
		checkpoint bool
	}{
		{"two rows", 40, false, false},
		{"one row of all", 10000, false, false},
		{"graphs' sizes", 0, true, false},
		{"graphs' sizes, joined", 40, true, false},
		{"everything at once", 40, true, true},
	} {
		m := base.Share()
		m.Checkpoint = c.checkpoint
		o := plain
		o.RowTokens, o.Graphs = c.rowTokens, c.graphs
		losses, got, tr := trained(t, m, o)
		require.InDeltaSlice(t, want, losses, several(on, 2e-6), c.why)
		require.Less(t, fixture.Largest(t, values, got), several(on, 1e-4), c.why)
		require.NoError(t, tr.Graphs().Failed)
		require.Equal(t, c.graphs, tr.Graphs().N > 0, c.why)
	}
}

// TestPrepareRecordsWhatStepsReplay: no step that was prepared records a graph of its own, and preparing
// leaves no trace in the training.
func TestPrepareRecordsWhatStepsReplay(t *testing.T) {
	devices.Each(t, testPrepareRecordsWhatStepsReplay)
}

func testPrepareRecordsWhatStepsReplay(t *testing.T, on torch.Device) {
	base := loadOn(t, on, post)
	o := train.DefaultOptions(train.Schedule{LR: 1e-2, Steps: 5})
	want, _, _ := trained(t, base.Share(), o)
	m := base.Share()
	a, err := lora.Load(m, post+"/adapter")
	require.NoError(t, err)
	defer a.Close()
	o.Graphs = true
	tr, err := train.NewTrainer(m, a.Params, o)
	require.NoError(t, err)
	defer tr.Close()
	require.NoError(t, tr.Prepare(steps4(t)))
	require.Zero(t, tr.Graphs().N, "every size runs before one is recorded")
	require.NoError(t, tr.Record())
	require.NoError(t, a.Restore())
	n := tr.Graphs().N
	require.NoError(t, tr.Graphs().Failed)
	require.Positive(t, n)
	for i := range 5 {
		require.NoError(t, tr.Step(steps4(t)))
		log, err := tr.Log()
		require.NoError(t, err)
		require.InDelta(t, want[i], log[i].Loss, several(on, 2e-6))
	}
	require.Equal(t, n, tr.Graphs().N)
}

// TestLongerSequenceThanRecorded: a recorded graph keeps the longest sequence it was recorded for, and a row of its
// size with a longer one runs without it, to the same loss.
func TestLongerSequenceThanRecorded(t *testing.T) { devices.Each(t, testLongerSequenceThanRecorded) }

func testLongerSequenceThanRecorded(t *testing.T, on torch.Device) {
	m := loadOn(t, on, post)
	losses := func(graphs bool) (log []train.Step, n int) {
		a, err := lora.Load(m, post+"/adapter")
		require.NoError(t, err)
		defer a.Close()
		o := train.DefaultOptions(train.Schedule{LR: 1e-2, Steps: 2})
		o.Graphs = graphs
		tr, err := train.NewTrainer(m, a.Params, o)
		require.NoError(t, err)
		defer tr.Close()
		samples := asSamples(readFixture(t, post).IDs)
		short, long := samples[0], samples[0]
		short.IDs, short.Labels = short.IDs[:4], short.Labels[:4]
		long.IDs, long.Labels = samples[0].IDs[:12], samples[0].Labels[:12]
		micro := func(s ...data.Sample) []data.MicroBatch {
			index := make([]int, len(s))
			for i := range s {
				index[i] = i
			}
			return []data.MicroBatch{data.Pack(s, index)}
		}
		require.NoError(t, tr.Prepare(micro(short, short, short, short)))
		require.NoError(t, tr.Record())
		require.NoError(t, a.Restore())
		for range 2 {
			require.NoError(t, tr.Step(micro(long, short)))
		}
		log, err = tr.Log()
		require.NoError(t, err)
		return log, tr.Graphs().N
	}
	want, _ := losses(false)
	got, n := losses(true)
	require.Equal(t, 1, n, "the same size of row")
	for i := range want {
		require.InDelta(t, want[i].Loss, got[i].Loss, several(on, 2e-6))
	}
}

// TestGraphsDrawNewMasks: a replay has other dropout masks than the one before.
func TestGraphsDrawNewMasks(t *testing.T) { devices.Each(t, testGraphsDrawNewMasks) }

func testGraphsDrawNewMasks(t *testing.T, on torch.Device) {
	m := loadOn(t, on, post)
	c := qv
	c.LoraDropout = 0.5
	a, err := lora.NewAdapter(m, c, 1)
	require.NoError(t, err)
	defer a.Close()
	m.ModelDropout = 0.5
	o := train.DefaultOptions(train.Schedule{LR: 1e-30, Steps: 8})
	o.Graphs = true
	tr, err := train.NewTrainer(m, a.Params, o)
	require.NoError(t, err)
	defer tr.Close()
	live := torch.Live()
	for i := range 8 {
		require.NoError(t, tr.Step([]data.MicroBatch{batch(t, 4)}))
		if i == 0 {
			live = torch.Live() // with the room that the first step made
		}
		require.Equal(t, live, torch.Live())
	}
	log, err := tr.Log()
	require.NoError(t, err)
	seen := map[float64]bool{}
	for _, s := range log {
		seen[s.Loss] = true
	}
	require.Len(t, seen, 8, "the same weights and batch, another loss each time")
}

// TestFailedStepWithGraphs: bad input is refused before anything is replayed, and the next step is as
// if it had not been.
func TestFailedStepWithGraphs(t *testing.T) { devices.Each(t, testFailedStepWithGraphs) }

func testFailedStepWithGraphs(t *testing.T, on torch.Device) {
	m := loadOn(t, on, post)
	a, err := lora.NewAdapter(m, qv, 1)
	require.NoError(t, err)
	defer a.Close()
	o := train.DefaultOptions(train.Schedule{LR: 1e-3, Steps: 9})
	o.Graphs = true
	tr, err := train.NewTrainer(m, a.Params, o)
	require.NoError(t, err)
	defer tr.Close()
	good := batch(t, 4)
	for range 3 {
		require.NoError(t, tr.Step([]data.MicroBatch{good}))
	}
	bad := good
	bad.IDs = append([]int64{9999}, good.IDs[1:]...)
	require.ErrorContains(t, tr.Step([]data.MicroBatch{bad}), "token id 9999 at 0 is outside the model's vocabulary of 96")
	require.NoError(t, tr.Step([]data.MicroBatch{good}))
	require.Equal(t, 4, tr.Taken())
}
