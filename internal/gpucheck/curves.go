package main

import (
	"fmt"
	"strings"

	"gonum.org/v1/gonum/stat"

	"lorabench/bench/record"
	"lorabench/internal/fakecuda"
)

// curveJobs are the long runs of all ranks, and of the first rank the peer's beside lorabench's with every dropout off, where
// their losses should agree step by step. The curves themselves are in the records and in peer.json.
func (s *session) curveJobs() ([]job, error) {
	var jobs []job
	for _, p := range s.precisions() {
		if p.name == "float32" && s.cuda() {
			continue // TF32 and bf16 are what people train in
		}
		jobs = append(jobs, s.benchJob(5, p.name, s.longSteps, func(r fakecuda.Run) row { return curveRow(r.Record.Name, ofSteps(r), s.longSteps) }, p.flags...))
	}
	rank, _, _ := strings.Cut(s.ranks, ",")
	for _, dtype := range []string{"bf16", "float32"} {
		name := fmt.Sprintf("peer rank=%s %s", rank, dtype)
		j := s.peerJob(5, name, rank, dtype, "tuned", 1, s.peerSteps)
		j.read = s.readPeer(5, name, func(r peerRow) []row {
			ours := curveRow("lorabench, no dropout", r.Loss, s.longSteps)
			ours.add("largest difference", r.LossDifference)
			return []row{ours, curveRow("peer, no dropout", r.PeerLoss, s.longSteps)}
		})
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// ofSteps are the losses of a run; the stand-in has none.
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

// curveRow shows the loss, smoothed as the Trainer logs it, at some steps up to the last.
func curveRow(name string, losses []float64, last int) row {
	out := row{Name: name}
	for _, at := range []int{10, 100, 300, last} {
		if at > last || at == last && out.has(at) {
			continue
		}
		f := figure{Column: fmt.Sprintf("loss at %d", at), Text: "-"}
		if at <= len(losses) {
			f = figure{Column: f.Column, Value: stat.Mean(losses[max(0, at-record.Window):at], nil)}
		}
		out.Figures = append(out.Figures, f)
	}
	return out
}

func (r *row) has(at int) bool {
	for _, f := range r.Figures {
		if f.Column == fmt.Sprintf("loss at %d", at) {
			return true
		}
	}
	return false
}
