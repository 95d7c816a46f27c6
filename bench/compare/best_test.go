package compare

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/bench/results"
)

// rated is a run of a rank at a rate, with its losses on the halves of the held-out records and a base of 2.
func rated(rank string, lr float64, seed int64, first, second float64, change ...func(*record.Record)) *record.Record {
	base, loss := 2.0, (first+second)/2
	return recorded(rank, seed, append(change, func(r *record.Record) {
		r.Name, r.Settings.LR = fmt.Sprintf("rank=%s/lr=%g", rank, lr), lr
		if first > 0 {
			r.EvalLoss, r.EvalHalves = &loss, []float64{first, second}
		}
		r.Data.EvalLossBase, r.Data.EvalHalvesBase = &base, []float64{2.1, 1.9}
	})...)
}

// Each rank is at the rate that is best on the first half, and judged on the second, where another may be lower by luck.
func TestBestOfEachRank(t *testing.T) {
	var rs []*record.Record
	for seed := range int64(4) {
		d := 0.0001 * float64(seed)
		rs = append(rs, rated("8", 1e-3, seed, 1.60+d, 1.50-d), rated("8", 1e-2, seed, 1.50, 1.51+d), rated("8", 2e-2, seed, 1.55, 1.40),
			rated("64", 1e-3, seed, 1.60, 1.5), rated("64", 1e-2, seed, 1.40+d, 1.41+2*d), rated("64", 2e-2, seed, 1.45, 1.3))
	}
	a := analyzed(t, results.FromRecords(rs), Options{})
	v := a.Verdict
	assert.Equal(t, []string{"rank=64/lr=0.01", "rank=64/lr=0.01"}, []string{v.Best, v.Smallest})
	require.Len(t, v.Standing, 1)
	assert.Equal(t, "rank=8/lr=0.01", v.Standing[0].Arm)
	assert.InDelta(t, 1.51/1.41-1, v.Standing[0].Diff, 0.001, "the second half's")
	assert.InDelta(t, 0.05*(1.9-1.41)/1.41, v.Limit, 0.001, "of the second half's gain")
	text := fmt.Sprint(v.Text)
	assert.Contains(t, text, "chosen on one half of the held-out records and judged on the other")
	assert.Contains(t, text, "100 steps, learning rate 0.01 and alpha 16: with one alpha ranks differ in scale too")
	assert.NotContains(t, text, "may limit the loss")
	for _, c := range v.Costs {
		assert.NotEqual(t, "rank=64/lr=0.001", c.Arm, "only the chosen arms are compared")
	}
}

// A choice on the losses that also judge flatters, and is said.
func TestBestWithoutHalves(t *testing.T) {
	s := newSet("rank=8/lr=1e-4", "rank=8/lr=2e-4", "rank=8/alpha=2r/lr=2e-4", "rank=64/lr=2e-4")
	add(s, evalLoss, []float64{1.6, 1.6, 1.61}, []float64{1.5, 1.5, 1.51}, []float64{1.4, 1.4, 1.41}, []float64{1.5, 1.5, 1.51})
	v := analyzed(t, s, Options{}).Verdict
	assert.Equal(t, "rank=8/alpha=2r/lr=2e-4", v.Best)
	assert.Contains(t, fmt.Sprint(v.Text), "chosen by the losses that it is judged by")
}

// Where every rank is best at the largest rate, or the loss still falls, it is not the rank that limits.
func TestLimits(t *testing.T) {
	at := func(largest float64, change ...func(*record.Record)) string {
		var rs []*record.Record
		for seed := range int64(3) {
			for i, rank := range []string{"8", "64"} {
				loss := 1.5 - 0.1*float64(i) + 0.001*float64(seed)
				rs = append(rs, rated(rank, 1e-3, seed, loss, loss, change...), rated(rank, 1e-2, seed, largest*loss, largest*loss, change...))
			}
		}
		return fmt.Sprint(analyzed(t, results.FromRecords(rs), Options{}).Verdict.Text)
	}
	const rate, steps = "every rank is best at the largest rate tried", "still falls at the end as fast as in the middle"
	assert.Contains(t, at(0.9), rate)
	assert.NotContains(t, at(1.1), rate)
	curve := func(f func(x float64) float64) func(*record.Record) {
		return func(r *record.Record) {
			for i := range 100 {
				r.Steps = append(r.Steps, record.Step{Step: i + 1, Loss: f(float64(i)/100) + 0.03*math.Sin(float64(i*i))})
			}
		}
	}
	assert.Contains(t, at(1.1, curve(func(x float64) float64 { return 2 - 0.5*x })), "that of rank=8/lr=0.001 and rank=64/lr=0.001 "+steps)
	assert.NotContains(t, at(1.1, curve(func(x float64) float64 { return 1.5 + 0.5*math.Exp(-5*x) })), steps)
	assert.NotContains(t, at(1.1, curve(func(x float64) float64 { return 1.5 })), steps, "noise falls no further")

	// A larger rate that diverged was tried.
	var rs []*record.Record
	for seed := range int64(3) {
		rs = append(rs, rated("8", 1e-3, seed, 1.5, 1.5), rated("8", 1e-2, seed, 1.4, 1.4), rated("64", 1e-3, seed, 1.5, 1.5), rated("64", 1e-2, seed, 1.4, 1.4),
			rated("64", 1e-1, seed, 0, 0, func(r *record.Record) { r.Diverged, r.EvalLoss = 7, nil }))
	}
	a := analyzed(t, results.FromRecords(rs), Options{})
	assert.NotContains(t, fmt.Sprint(a.Verdict.Text), rate)
	assert.Contains(t, fmt.Sprint(a.Notes), "Left out, because training diverged: rank=64/lr=0.1 (seed 0 at step 7, ")
}

func TestMargin(t *testing.T) {
	for _, c := range []struct {
		in, want string
	}{{"5%gain", "5%gain"}, {"1 % loss", "1%loss"}, {"2.5%gain", "2.5%gain"}} {
		var m Margin
		require.NoError(t, m.Set(c.in))
		assert.Equal(t, c.want, m.String())
	}
	for _, in := range []string{"", "5", "5%", "gain", "0%gain", "-1%loss", "100%gain", "NaN%gain", "5%of gain"} {
		assert.ErrorContains(t, new(Margin).Set(in), "5%gain", in)
	}
	s := lossSet(6, []string{"rank=8", "rank=64"}, []float64{3.02, 3}, []float64{1, 1})
	assert.InDelta(t, 0.01, analyzed(t, s, Options{}).Verdict.Limit, 1e-9)
	before(s, 3.2)
	v := analyzed(t, s, Options{}).Verdict
	assert.InDelta(t, 0.05*(3.2/3.05-1), v.Limit, 0.001, "the mean of the best is about 3.05")
	assert.Equal(t, "rank=64", v.Smallest, "0.7 % is a seventh of the gain")
	v = analyzed(t, s, Options{Margin: Margin{0.01, true}}).Verdict
	assert.Equal(t, "rank=8", v.Smallest)
	s = lossSet(6, []string{"rank=8", "rank=64"}, []float64{3.02, 3}, []float64{1, 1})
	before(s, 2.9)
	v = analyzed(t, s, Options{}).Verdict
	assert.Contains(t, v.Text[0], "No verdict: training gained nothing. The held-out loss was 2.9 before training")
	assert.Empty(t, v.Smallest)
}
