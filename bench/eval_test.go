package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/bench/results"
	"lorabench/data"
	"lorabench/internal/train"
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

// TestHeldOutHalvesAndOtherText: a choice on one half is judged on the other, so none of its records are in it.
func TestHeldOutHalvesAndOtherText(t *testing.T) {
	w := small(t, 20, "-lr=1e-2", "-forget="+smallOther)
	rec := runOnce(t, w, "8", 1, 20)
	require.Len(t, w.Held, 20)
	var total, labels float64
	for from := range 2 {
		var half []data.Sample
		n := 0.0
		for i := from; i < 20; i += 2 {
			half = append(half, w.Held[i])
			n += float64(len(w.Held[i].Labels) - 1) // each token but the first
		}
		loss, err := train.Evaluate(w.Base, half, 3)
		require.NoError(t, err)
		require.InDelta(t, loss, rec.Data.EvalHalvesBase[from], 1e-5)
		total, labels = total+loss*n, labels+n
		require.Less(t, rec.EvalHalves[from], rec.Data.EvalHalvesBase[from])
	}
	all, err := train.Evaluate(w.Base, w.Held, 20)
	require.NoError(t, err)
	require.InDelta(t, all, *rec.Data.EvalLossBase, 1e-5)
	require.InDelta(t, total/labels, *rec.Data.EvalLossBase, 1e-5)

	require.Equal(t, smallOther, rec.Data.Forget)
	require.Len(t, w.Other, rec.Data.ForgetRecords)
	require.Equal(t, 256, rec.Data.ForgetRecords)
	require.Less(t, *rec.Data.ForgetLossBase, 1.0, "the model was trained on it")
	require.Greater(t, *rec.ForgetLoss, *rec.Data.ForgetLossBase)
	require.Contains(t, rec.Metrics(), record.Metric{Unit: "forget-loss", Value: *rec.ForgetLoss})

	one := small(t, 1, "-eval=1", "-forget="+smallData, "-limit=30")
	require.Len(t, one.Held, 1)
	require.NotNil(t, one.DataInfo.EvalLossBase)
	require.Empty(t, one.DataInfo.EvalHalvesBase, "one record has no halves")
	two := small(t, 1, "-eval=2", "-limit=30")
	for i := range two.Held[1].Labels {
		two.Held[1].Labels[i] = data.Ignore
	}
	whole, halves, err := two.heldOut(two.Base)
	require.NoError(t, err)
	require.InDelta(t, two.DataInfo.EvalHalvesBase[0], *whole, 1e-9)
	require.Empty(t, halves, "all answers of a half were cut")
	two.Held = two.Held[1:]
	_, _, err = two.heldOut(two.Base)
	require.ErrorContains(t, err, "none of the 1 held-out records has a label: give a larger -eval or -max-length")
}

func TestATargetNeedsHeldOutRecords(t *testing.T) {
	s, _, err := parse(t, 1, "-device=cpu", "-model="+smallModel, "-data="+smallData, "-limit=9", "-target-loss=2")
	require.NoError(t, err)
	_, err = LoadWorkload(t.Context(), s, nil)
	require.ErrorContains(t, err, "-target-loss is 2, and of 9 records none is held out")
}

func TestOtherTextThatIsNotThere(t *testing.T) {
	s, _, err := parse(t, 1, "-device=cpu", "-model="+smallModel, "-data="+smallData, "-limit=200", "-forget=nosuch.jsonl")
	require.NoError(t, err)
	_, err = LoadWorkload(t.Context(), s, nil)
	require.ErrorContains(t, err, "nosuch.jsonl")
}

// TestDivergedArmsHaveNoLines, of no seed: the others would be a selection.
func TestDivergedArmsHaveNoLines(t *testing.T) {
	dir := t.TempDir()
	rs := []*record.Record{{Name: "rank=1", Seed: 42, GlobalStep: 2}, {Name: "rank=8", Seed: 42, GlobalStep: 2},
		{Name: "rank=1", Seed: 43, GlobalStep: 2}, {Name: "rank=8", Seed: 43, GlobalStep: 1, Diverged: 1}}
	require.NoError(t, WriteResults(dir, nil, rs, 1))
	b, err := os.ReadFile(filepath.Join(dir, "bench.txt"))
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(b), "BenchmarkRank/rank=1"))
	require.NotContains(t, string(b), "BenchmarkRank/rank=8")
	require.NoError(t, WriteResults(dir, nil, rs[3:], 1), "no result is no error: a study goes on")
}

// TestASeedThatIsMissingMovesNoOther: the k-th line of an arm has the k-th seed, or says its own.
func TestASeedThatIsMissingMovesNoOther(t *testing.T) {
	dir := t.TempDir()
	var rs []*record.Record
	for _, seed := range []int64{42, 43, 45, 46} {
		rs = append(rs, &record.Record{Name: "rank=8", Seed: seed, GlobalStep: 2, Runtime: 1})
	}
	require.NoError(t, WriteResults(dir, [][2]string{{"device", "cpu"}, {"seed", "42"}}, append(rs, &record.Record{Name: "rank=1", Seed: 42, GlobalStep: 2, Runtime: 1}), 1))
	set := results.Read(filepath.Join(dir, "bench.txt"))
	require.Empty(t, set.Problems)
	require.Equal(t, []int64{42, 43, 45, 46}, each(set.Benchmarks[1].Runs, func(r results.Run) int64 { return r.Seed }))
	require.EqualValues(t, 42, set.Benchmarks[0].Runs[0].Seed)
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
