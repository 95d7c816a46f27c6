package results

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/record"
)

// Rank is the base name of lorabench's benchmark of arms.
const Rank = "Rank"

// FromRecords returns records as a Set: a benchmark Rank/NAME for each arm. Besides the metrics of result lines it has
// AdapterBytes and Parameters.
func FromRecords(rs []*record.Record) *Set {
	r := newReader()
	r.set.Records = rs
	arms := map[string][]*Settings{}
	for _, rec := range rs {
		r.begin(rec.FileName())
		if rec.Name == "" || rec.GlobalStep < 1 || !(rec.Runtime > 0) {
			r.problem(0, Unreadable, "the record has %d steps in %v s: it is of no finished run", rec.GlobalStep, rec.Runtime)
			continue
		}
		arm := ofArm(rec)
		arms[rec.Name] = append(arms[rec.Name], arm)
		seed := func(key string) bool { return key == "seed" }
		if _, err := agree(arms[rec.Name], seed, "runs of one name must differ in their seed only"); err != nil {
			r.problem(0, Unreadable, "%v", err)
		}
		id := identity{bare: Rank + "/" + rec.Name, procs: 1}
		b := r.by[id]
		if b == nil {
			b = &Benchmark{Name: id.bare, Bare: id.bare, Procs: 1}
			r.by[id] = b
			r.set.Benchmarks = append(r.set.Benchmarks, b)
		}
		config := ofRecord(rec)
		r.set.Settings = append(r.set.Settings, config)
		for _, m := range append(rec.Metrics(), counts(rec)...) {
			if kind, err := b.add(m.Unit, m.Value, len(b.Runs), rec.Seed); err != nil {
				r.tell(Problem{Kind: kind, Benchmark: b.Bare, Unit: m.Unit, Text: err.Error()})
			}
		}
		run := Run{Seed: rec.Seed, Block: Unplaced, Iters: rec.GlobalStep, Config: config, File: rec.FileName()}
		if rec.InBlock() {
			run.Block = rec.Block
		}
		b.Runs = append(b.Runs, run)
	}
	r.finish()
	return r.set
}

// counts are a record's metrics that result lines lack.
func counts(r *record.Record) (ms []record.Metric) {
	if r.AdapterBytes > 0 {
		ms = append(ms, record.Metric{Unit: AdapterBytes, Value: float64(r.AdapterBytes)})
	}
	if r.Trainable > 0 {
		ms = append(ms, record.Metric{Unit: Parameters, Value: float64(r.Trainable)})
	}
	return ms
}

// ReadRecords reads the run records beside the result files. They explain, and add counts: one that cannot be read is a note.
func (s *Set) ReadRecords() {
	var dirs []string
	for _, f := range s.Files {
		if dir := filepath.Dir(f); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			s.Notes = append(s.Notes, fmt.Sprintf("Run records in %s were not looked for: %v.", dir, withoutPath(err)))
			continue
		}
		unread := 0
		var first error
		for _, e := range entries {
			if name := e.Name(); e.IsDir() || !strings.HasSuffix(name, ".json") || !strings.Contains(name, "seed=") {
				continue
			}
			path := filepath.Join(dir, e.Name())
			r, err := record.Read(path)
			if err == nil {
				s.Records, s.RecordFiles = append(s.Records, r), append(s.RecordFiles, path)
			} else if unread++; first == nil {
				first = err
			}
		}
		if unread > 0 {
			s.Notes = append(s.Notes, fmt.Sprintf("%s in %s cannot be read, so that less can be explained: %v.",
				format.Count(unread, "run record"), dir, first))
		}
	}
}

// RecordsOf are the records of a benchmark: rank=8 is of Rank/rank=8.
func (s *Set) RecordsOf(b *Benchmark) (out []*record.Record) {
	arm, ok := strings.CutPrefix(b.Bare, Rank+"/")
	for _, r := range s.Records {
		if ok && r.Name == arm {
			out = append(out, r)
		}
	}
	return out
}

// Counted are a benchmark's metrics that only records have: what is on disk, and what is trained.
func (s *Set) Counted(b *Benchmark) []Metric {
	only := &Benchmark{}
	for i, r := range s.RecordsOf(b) {
		for _, m := range counts(r) {
			if b.Metric(m.Unit) == nil {
				_, _ = only.add(m.Unit, m.Value, i, r.Seed) // a whole number, once for each record
			}
		}
	}
	return only.Metrics
}
