package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/record"
	"lorabench/internal/fakecuda"
)

// precision is what matrix products compute in.
type precision struct {
	name  string
	flags []string
}

// precisions returns those that the device has, by worth.
func (s *session) precisions() []precision {
	all := []precision{{"float32", []string{"-dtype=float32"}}, {"bf16", []string{"-dtype=bf16"}}}
	if s.cuda() {
		all = append(all, precision{"tf32", []string{"-dtype=float32", "-tf32"}})
	}
	return all
}

// bench returns the benchmark's command with the settings that all stages share.
func (s *session) bench(benchmark string, times int, more ...string) []string {
	own := []string{s.path("bench/bench.test"), "-test.run=^$", "-test.bench=" + benchmark, "-test.benchtime=" + strconv.Itoa(times) + "x",
		"-test.timeout=0", "-recipe=reported", "-model=" + s.model, "-tokenizer=" + s.tokenizer, "-data=" + s.data, "-eval=0"}
	return slices.Concat(own, s.length(), more, strings.Fields(s.extra))
}

// length returns the -max-length flag, for lorabench and the peer.
func (s *session) length() []string {
	if s.maxLength == 0 {
		return nil
	}
	return []string{"-max-length=" + strconv.Itoa(s.maxLength)}
}

// speedJobs returns a job for each precision with graphs and without, each with all ranks.
func (s *session) speedJobs() ([]job, error) {
	var jobs []job
	on := "auto" // on where they work, and the reason where not
	if !s.cuda() {
		on = "on" // rounds rows up as graphs would have them
	}
	for _, graphs := range []string{on, "off"} {
		for _, p := range s.precisions() {
			name := p.name + " graphs"
			if graphs == "off" {
				name = p.name + " eager"
			}
			jobs = append(jobs, s.benchJob(2, name, s.steps, speedRow, append(p.flags, "-graphs="+graphs)...))
		}
	}
	return jobs, nil
}

// benchJob returns a job that trains all ranks. Records go to its folder; what the stand-in ran goes to its report, which is no result.
func (s *session) benchJob(stage int, name string, steps int, read func(fakecuda.Run) row, flags ...string) job {
	out := s.folder(stage, name)
	report := filepath.Join(out, "standin.json")
	argv := s.bench("Rank", steps, append([]string{"-ranks=" + s.ranks, "-device=" + s.device, "-out=" + out}, flags...)...)
	return job{name: name, argv: argv, env: []string{fakecuda.ReportVariable + "=" + report}, read: func(string) ([]row, error) {
		runs, err := readRuns(out, report)
		var rows []row
		for _, r := range runs {
			rows = append(rows, read(r))
		}
		return rows, err
	}}
}

// readRuns reads the records in a folder, or the report where the stand-in ran.
func readRuns(dir, report string) ([]fakecuda.Run, error) {
	if _, err := os.Stat(report); err == nil {
		return fakecuda.ReadRuns(report)
	}
	records, err := record.ReadDir(dir)
	var runs []fakecuda.Run
	for _, r := range records {
		runs = append(runs, fakecuda.Run{Record: r})
	}
	return runs, err
}

// computed reports whether a run's time and losses are results: those of the stand-in are not.
func computed(r fakecuda.Run) bool {
	return !strings.HasSuffix(r.Record.Machine.GPU, "(stand-in)") && !strings.Contains(r.Record.Machine.GPU, "(stand-in) ")
}

// speedRow returns a run's speed and memory.
func speedRow(r fakecuda.Run) row {
	rec := r.Record
	out := row{Name: rec.Name}
	if computed(r) {
		out.add("samples/s", rec.SamplesPerSecond)
		out.add("step ms", 1e3/rec.StepsPerSecond)
	}
	out.memory(rec.PeakMemory)
	graphs := strconv.Itoa(rec.Graphs)
	if rec.GraphsFailed != "" {
		graphs += ", then eager: " + rec.GraphsFailed
	}
	out.Figures = append(out.Figures, figure{Column: "graphs", Text: graphs})
	if len(rec.Others) > 0 {
		out.Figures = append(out.Figures, figure{Column: "note", Text: fmt.Sprintf("%d other processes used the card", len(rec.Others))})
	}
	return out
}

func (r *row) add(column string, v float64) {
	r.Figures = append(r.Figures, figure{Column: column, Value: v})
}

// memory adds the allocator's peaks, or the process's where there is no card.
func (r *row) memory(p record.Peak) {
	for _, m := range []struct {
		column string
		bytes  *int64
	}{{"allocated GiB", p.GPUAllocated}, {"reserved GiB", p.GPUReserved}} {
		if m.bytes != nil {
			r.add(m.column, gib(*m.bytes))
		}
	}
	if p.GPUAllocated == nil && p.RSS != nil {
		r.add("resident GiB", gib(*p.RSS))
	}
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }
