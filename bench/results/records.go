package results

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"lorabench/bench/format"
	"lorabench/bench/record"
)

// Rank is the base name of lorabench's benchmark of arms.
const Rank = "Rank"

// FromRecords returns records as a Set: a benchmark Rank/NAME for each arm, with AdapterBytes and Parameters besides result lines'
// metrics.
func FromRecords(rs []*record.Record, differ ...string) *Set {
	r := newReader()
	first := map[string]*Settings{} // of an arm
	for _, rec := range rs {
		r.set.Records = append(r.set.Records, rec.Comparable())
		r.begin(rec.FileName())
		if rec.Name == "" || rec.GlobalStep < 1 || !(rec.Runtime > 0) {
			r.problem(Unreadable, 0, "the record has %d steps in %v s: it is of no finished run", rec.GlobalStep, rec.Runtime)
			continue
		}
		arm := ofArm(rec)
		first[rec.Name] = cmp.Or(first[rec.Name], arm)
		if _, err := agree([]*Settings{first[rec.Name], arm}, slices.Concat(differ, []string{"seed"}), "runs of one name must differ in their seed only"); err != nil {
			r.problem(Unreadable, 0, "%v", err)
		}
		run := Run{Seed: rec.Seed, Block: Unplaced, Iters: rec.GlobalStep, Config: ofRecord(rec), File: r.file}
		if rec.InBlock() {
			run.Block = rec.Block
		}
		r.set.Settings = append(r.set.Settings, run.Config)
		b := r.benchmark("", Rank+"/"+rec.Name, 1)
		b.Runs = append(b.Runs, run)
		for _, m := range append(rec.Metrics(), counts(rec)...) {
			r.value(b, m.Unit, m.Value)
		}
	}
	r.set.Notes = append(r.set.Notes, disturbances(rs)...)
	return r.finish()
}

// disturbances says during which runs other processes held memory of the GPU, and which went on without CUDA graphs.
func disturbances(rs []*record.Record) (said []string) {
	during := map[string][]string{}
	for _, r := range rs {
		what := map[string]bool{} // processes without a PID are alike
		for _, h := range r.Others {
			what[fmt.Sprintf("process %d (%s) held memory of the same GPU", h.PID, h.Name)] = true
		}
		if r.GraphsFailed != "" {
			what["training went on without CUDA graphs ("+r.GraphsFailed+")"] = true
		}
		for w := range what {
			during[w] = append(during[w], r.Name)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(during)) {
		arms := slices.Compact(slices.SortedFunc(slices.Values(during[what]), record.Compare))
		said = append(said, fmt.Sprintf("During %s (%s) %s. Their speed and memory are not comparable with those of other runs.",
			format.Count(len(during[what]), "run"), format.Few(arms, 4), what))
	}
	return said
}

// counts returns a record's metrics that result lines lack.
func counts(r *record.Record) []record.Metric {
	ms := []record.Metric{{Unit: AdapterBytes, Value: float64(r.AdapterBytes)}, {Unit: Parameters, Value: float64(r.Trainable)}}
	return slices.DeleteFunc(ms, func(m record.Metric) bool { return m.Value <= 0 })
}

// ReadRecords reads the run records beside the result files. They only explain and add counts: one that cannot be read is a note.
func (s *Set) ReadRecords() {
	var dirs []string
	for _, f := range s.Files {
		dirs = append(dirs, filepath.Dir(f))
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		rs, unread := record.Readable(dir)
		for _, r := range rs {
			s.Records = append(s.Records, r.Comparable())
		}
		if len(unread) > 0 {
			s.Notes = append(s.Notes, fmt.Sprintf("%s in %s cannot be read, so that less can be explained: %v.",
				format.Count(len(unread), "run record"), dir, unread[0]))
		}
	}
}

// RecordsOf returns the records of a benchmark: those named rank=8 for Rank/rank=8.
func (s *Set) RecordsOf(b *Benchmark) []*record.Record {
	return slices.DeleteFunc(slices.Clone(s.Records), func(r *record.Record) bool { return b.Bare != Rank+"/"+r.Name })
}

// Counted returns a benchmark's metrics that only records have: its size on disk, and its trainable parameters.
func (s *Set) Counted(b *Benchmark) []Metric {
	r, only := newReader(), &Benchmark{}
	for _, rec := range s.RecordsOf(b) {
		only.Runs = append(only.Runs, Run{Seed: rec.Seed})
		for _, m := range counts(rec) {
			if b.Metric(m.Unit) == nil {
				r.value(only, m.Unit, m.Value)
			}
		}
	}
	return only.Metrics
}
