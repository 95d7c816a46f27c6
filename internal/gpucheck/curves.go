package main

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"lorabench/bench/record"
	"lorabench/internal/fakecuda"
)

// curveJobs returns the long runs of all ranks, and of the first rank the peer's beside lorabench's with every dropout off, where their
// losses should agree step by step. The curves themselves are in the records and in peer.json.
func (s *session) curveJobs() ([]job, error) {
	var jobs []job
	for _, p := range s.precisions() {
		if p.name == "float32" && s.cuda() {
			continue // TF32 and bf16 are what people train in
		}
		jobs = append(jobs, s.benchJob(5, p.name, s.longSteps, func(r fakecuda.Run) row {
			return s.curveRow(r.Record.Name, ofSteps(r))
		}, p.flags...))
	}
	rank, _, _ := strings.Cut(s.ranks, ",")
	for _, dtype := range []string{"bf16", "float32"} { // a job each: the peer leaves nothing where it is cut off
		name := "peer rank=" + rank + " " + dtype
		j := s.peerJob(5, name, rank, dtype, "tuned", "run", 0, s.peerSteps)
		j.read = s.readPeer(5, name, func(r peerRow) []row {
			ours := s.curveRow(r.computes()+", no dropout", r.Loss)
			ours.add("largest difference", r.LossDifference)
			return []row{ours, s.curveRow(r.computes()+" peer, no dropout", r.PeerLoss)}
		})
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// ofSteps returns the losses of a run; the stand-in has none.
func ofSteps(r fakecuda.Run) []float64 {
	var losses []float64
	if !computed(r) {
		return nil
	}
	for _, step := range r.Record.Steps {
		losses = append(losses, step.Loss)
	}
	return losses
}

// curveRow shows the loss, smoothed as the Trainer logs it, at some steps.
func (s *session) curveRow(name string, losses []float64) row {
	out := row{Name: name}
	at := []int{10, 100, s.peerSteps, s.longSteps}
	slices.Sort(at)
	for _, n := range slices.Compact(at) {
		f := figure{Column: fmt.Sprintf("loss at %d", n), Text: "-"}
		if n <= len(losses) {
			f = figure{Column: f.Column, Value: stat.Mean(losses[max(0, n-record.Window):n], nil)}
		}
		out.Figures = append(out.Figures, f)
	}
	return out
}
