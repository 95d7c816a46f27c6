package bench

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

func TestSecondsTo(t *testing.T) {
	evals := []record.Eval{{Step: 1, Loss: 3, Seconds: 10}, {Step: 2, Loss: 3.5, Seconds: 20}, {Step: 3, Loss: 2, Seconds: 30}}
	seconds := func(v float64) *float64 { return &v }
	for _, c := range []struct {
		why    string
		target float64
		want   *float64
	}{
		{"the base model is there already", 4, seconds(0)},
		{"between the start and the first evaluation", 3.5, seconds(5)},
		{"at an evaluation", 3, seconds(10)},
		{"after a rise", 2.75, seconds(25)},
		{"never", 1.9, nil},
	} {
		require.Equal(t, c.want, secondsTo(c.target, 4, evals), c.why)
	}
}

func TestEvaluatingInBetweenChangesNothing(t *testing.T) {
	plain := runOnce(t, small(t, 6), "8", 1, 6)
	w := small(t, 6, "-eval-every=2", "-target-loss=100")
	r, err := w.Start(armOf(t, w, "8"), 1)
	require.NoError(t, err)
	defer r.Close()
	r.Begin()
	for range 6 {
		require.NoError(t, r.Step())
		if r.EvalDue() {
			require.NoError(t, r.Evaluate())
		}
	}
	require.NoError(t, r.End())
	rec, err := r.Record()
	require.NoError(t, err)
	require.Equal(t, losses(plain), losses(rec), "bit for bit")
	require.Equal(t, *plain.EvalLoss, *rec.EvalLoss)
	require.Equal(t, []int{2, 4, 6}, each(rec.Evals, func(e record.Eval) int { return e.Step }))
	require.Equal(t, *rec.EvalLoss, rec.Evals[2].Loss)
	require.Equal(t, rec.Runtime, rec.Evals[2].Seconds)
	require.Less(t, rec.Evals[0].Seconds, rec.Evals[1].Seconds)
	require.Zero(t, *rec.SecondsToTarget, "the base model is better than 100")
}
