package main

import (
	"errors"
	"path/filepath"
	"strings"

	"lorabench/bench/record"
	"lorabench/internal/fakecuda"
)

// standInEnv returns the environment in which a process finds the stand-in card. Its counters lie in dir.
func standInEnv(dir string) ([]string, error) {
	libs, err := fakecuda.Dir()
	if err != nil {
		return nil, err
	}
	return fakecuda.Card{Counters: filepath.Join(dir, "counters")}.Env(libs), nil
}

// standInJobs returns stage 2's jobs for the stand-in, which needs no card: PyTorch's allocator does there what it does on one, so its
// peaks should be equal.
func (s *session) standInJobs() ([]job, error) {
	device := s.device
	defer func() { s.device = device }()
	s.device = "cuda:0"
	jobs, err := s.speedJobs()
	if err != nil {
		return nil, err
	}
	for i := range jobs {
		j := &jobs[i]
		card, out := s.folder(2, j.name), s.folder(4, j.name)
		env, err := standInEnv(out)
		if errors.Is(err, fakecuda.ErrOtherTorch) || errors.Is(err, fakecuda.ErrNoCUDA) {
			j.skip = err.Error()
			continue
		}
		if err != nil {
			return nil, err
		}
		report := filepath.Join(out, "standin.json")
		j.env = append(env, fakecuda.ReportVariable+"="+report)
		for k := range j.argv {
			j.argv[k] = strings.Replace(j.argv[k], card, out, 1)
		}
		j.read = func(string) ([]row, error) {
			runs, err := readRuns(out, report)
			onCard, _ := readRuns(card, filepath.Join(card, "standin.json")) // none is a column of its own less
			var rows []row
			for _, r := range runs {
				rows = append(rows, standInRow(r, peakOf(onCard, r.Record.Name)))
			}
			return rows, err
		}
	}
	return jobs, nil
}

// peakOf returns the memory of the run of that name; none if the card did not have it.
func peakOf(runs []fakecuda.Run, name string) (p record.Peak) {
	for _, r := range runs {
		if r.Record.Name == name {
			p = r.Record.PeakMemory
		}
	}
	return p
}

// standInRow returns a run's peaks beside the card's, and the work of a step.
func standInRow(r fakecuda.Run, card record.Peak) row {
	out := row{Name: r.Record.Name}
	for _, m := range []struct {
		name        string
		mine, cards *int64
	}{{"allocated", r.Record.PeakMemory.GPUAllocated, card.GPUAllocated}, {"reserved", r.Record.PeakMemory.GPUReserved, card.GPUReserved}} {
		if m.mine == nil {
			continue
		}
		out.add(m.name+" GiB", gib(*m.mine))
		if m.cards != nil {
			out.add("card's "+m.name, gib(*m.cards))
			out.add(m.name+" off by %", 100*float64(*m.mine-*m.cards)/float64(*m.cards))
		}
	}
	did, steps := r.Steps, float64(r.Record.GlobalStep)
	out.add("kernels/step", float64(did.Kernels().Direct)/steps)
	out.add("products/step", float64(did.Products().Direct)/steps)
	out.add("graphs/step", float64(did.GraphLaunches())/steps)
	out.add("waits/step", float64(did.Waits())/steps)
	return out
}
