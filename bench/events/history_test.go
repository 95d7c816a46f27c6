package events

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

func TestHistoryLeavesOutWhatIsNotKnown(t *testing.T) {
	r := example()
	r.Steps = []record.Step{r.Steps[0], r.Steps[1], r.Steps[3]}
	r.Evals, r.EvalLoss, r.Data.EvalLossBase = nil, nil, nil
	got := history(r)
	require.Len(t, got, 4)
	require.Equal(t, 1.5e-4, got[0]["learning_rate"], "the rate of the step to come, as the Trainer reads it")
	require.NotContains(t, got[1], "learning_rate", "step 3's is not in the record")
	require.Zero(t, got[2]["learning_rate"])
	require.Contains(t, got[2], "learning_rate", "the last one is the record's own")
	for _, m := range got {
		require.NotContains(t, m, "eval_loss")
	}
}

func TestHistoryHasEachEvaluationOnce(t *testing.T) {
	loss := func(r *record.Record) (steps, losses []float64) {
		for _, m := range history(r) {
			if l, ok := m["eval_loss"]; ok {
				steps, losses = append(steps, m["step"]), append(losses, l)
			}
		}
		return steps, losses
	}
	r := example()
	steps, losses := loss(r)
	require.Equal(t, []float64{0, 2, 4}, steps, "the base model, the middle and the end")
	require.Equal(t, []float64{2.25, 1.9, 1.75}, losses)
	r.Evals = []record.Eval{{Step: 0, Loss: 2.2}, {Step: 2, Loss: 1.9, Seconds: 5}, {Step: 4, Loss: 1.7, Seconds: 8}}
	steps, losses = loss(r)
	require.Equal(t, []float64{0, 2, 4}, steps, "the history has the first and the last one itself")
	require.Equal(t, []float64{2.2, 1.9, 1.7}, losses)
}

func TestHistoryIsOrdered(t *testing.T) {
	entries := history(example())
	for i := 1; i < len(entries); i++ {
		require.GreaterOrEqual(t, entries[i]["step"], entries[i-1]["step"])
	}
	require.Equal(t, 8.0, entries[len(entries)-1]["train_runtime"], "the totals come last")
}

// TestAResumedRunHasNoTimes: they would be of several processes. Its events begin before the process that ended it.
func TestAResumedRunHasNoTimes(t *testing.T) {
	r := example()
	r.Resumed = 2
	entries := history(r)
	totals := entries[len(entries)-1]
	require.Contains(t, totals, "train_loss")
	for key := range totals {
		require.NotContains(t, []string{"train_runtime", "train_samples_per_second", "train_steps_per_second"}, key)
	}
	_, err := eventFile(r, entries)
	require.NoError(t, err)
}
