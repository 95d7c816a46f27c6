package judge

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lorabench/bench/format"

	"lorabench/bench/record"
)

// readRecords reads the run records beside the result files. They explain, and add counts: one that cannot
// be read is no failure.
func (in *Input) readRecords() {
	var dirs []string
	for _, f := range in.Files {
		if dir := filepath.Dir(f); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			in.Notes = append(in.Notes, fmt.Sprintf("Run records in %s were not looked for: %v.", dir, withoutPath(err)))
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
			if err != nil {
				if unread++; first == nil {
					first = err
				}
				continue
			}
			in.Records, in.recordFiles = append(in.Records, r), append(in.recordFiles, path)
		}
		if unread > 0 {
			in.Notes = append(in.Notes, fmt.Sprintf("%s in %s cannot be read, so that less can be explained: %v.", format.Count(unread, "run record"), dir, first))
		}
	}
}

// recordsOf are the records of a benchmark: rank=8 is of Rank/rank=8.
func (in *Input) recordsOf(b *Benchmark) []*record.Record {
	arm, ok := strings.CutPrefix(b.bare, "Rank/")
	if !ok {
		return nil
	}
	var out []*record.Record
	for _, r := range in.Records {
		if r.Name == arm {
			out = append(out, r)
		}
	}
	return out
}

// counted are a benchmark's metrics that only records have: what is on disk, and what is trained.
func (in *Input) counted(b *Benchmark) []Metric {
	var out []Metric
	for _, unit := range []string{adapterBytes, parameters} {
		if b.metric(unit) != nil {
			continue
		}
		m := Metric{Unit: unit, tidied: unit, factor: 1, Class: Count, Better: builtIn(unit)}
		for i, r := range in.recordsOf(b) {
			v := r.AdapterBytes
			if unit == parameters {
				v = r.Trainable
			}
			if v > 0 {
				m.Values, m.Seeds, m.Runs = append(m.Values, float64(v)), append(m.Seeds, r.Seed), append(m.Runs, i)
			}
		}
		if len(m.Values) > 0 {
			out = append(out, m)
		}
	}
	return out
}
