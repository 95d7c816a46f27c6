package compare

import (
	"lorabench/bench/record"
	"lorabench/bench/stats"
)

// falling reports whether an arm's loss still falls at the end as fast as in the middle: from the third quarter of training to the last
// by as much as from the second to the third, and by more than the steps' noise. It is the held-out loss where that was taken at least
// eight times, else the training loss, in the mean over seeds.
func (s *study) falling(i int) bool {
	var curve []float64
	n := 0
	for _, run := range s.arms[i].Runs {
		r := s.record(i, run.Seed)
		if r == nil {
			return false
		}
		losses := lossesOf(r)
		if curve == nil {
			curve = make([]float64, len(losses))
		}
		if len(losses) != len(curve) {
			return false
		}
		for k, l := range losses {
			curve[k] += l
		}
		n++
	}
	q := len(curve) / 4
	if q < 2 {
		return false
	}
	for k := range curve {
		curve[k] /= float64(n)
	}
	quarter := func(k int) []float64 { return curve[len(curve)-(4-k)*q:][:q] }
	middle, end := stats.Welch(quarter(1), quarter(2)), stats.Welch(quarter(2), quarter(3))
	return end.Below(0) < 0.01 && end.Mean <= middle.Mean
}

func lossesOf(r *record.Record) (losses []float64) {
	if len(r.Evals) >= 8 {
		for _, e := range r.Evals {
			losses = append(losses, e.Loss)
		}
		return losses
	}
	for _, s := range r.Steps {
		losses = append(losses, s.Loss)
	}
	return losses
}
