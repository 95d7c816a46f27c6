package history

import (
	"math"

	"lorabench/bench/gate/judge"
)

// loneRuns is how many runs the newest commit must have to be a level of its own.
const loneRuns = 4

// detect sets the points aside that are outliers and finds the changes between the others.
func (s *Series) detect(better string, floor float64) {
	logs := true
	for _, p := range s.Points {
		logs = logs && p.Min > 0
	}
	scale := func(v float64) float64 {
		if logs {
			return math.Log(v)
		}
		return v
	}
	var xs []float64
	for _, p := range s.Points {
		xs = append(xs, scale(p.Median))
	}
	lone := math.NaN()
	if n := len(s.Points); n > 0 {
		if last := s.Points[n-1]; len(last.Values) >= loneRuns {
			var vs []float64
			for _, v := range last.Values {
				vs = append(vs, scale(v))
			}
			lone = spread(vs) / float64(len(vs))
		}
	}
	out := outliers(xs, math.IsNaN(lone))
	for i := range s.Points {
		s.Points[i].Aside = out[i]
	}
	left, at := without(xs, out)
	t := newTrack(left, logs, floor, lone)
	for _, c := range t.changes() {
		s.Changes = append(s.Changes, Change{At: at[c.at], P: c.p, Last: at[c.at] == len(s.Points)-1})
	}
	levels := append(s.Levels(), len(s.Points))
	for i := range s.Changes {
		c := &s.Changes[i]
		c.Old, c.New = s.Level(levels[i], levels[i+1]), s.Level(levels[i+1], levels[i+2])
		c.Relative = (c.New - c.Old) / math.Abs(c.Old)
		switch {
		case better == "":
			c.Call = judge.CallShown
		case (c.New > c.Old) == (better == "higher"):
			c.Call = judge.CallBetter
		default:
			c.Call = judge.CallWorse
		}
	}
}

// spread is the variance of a sample.
func spread(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	mid, square := sum/float64(len(xs)), 0.0
	for _, x := range xs {
		square += (x - mid) * (x - mid)
	}
	return square / float64(len(xs)-1)
}
