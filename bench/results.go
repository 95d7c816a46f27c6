package bench

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchunit"

	"lorabench/bench/record"
	"lorabench/internal/file"
)

// Preamble is what stands before the result lines: the configuration they were made in and which
// direction of each unit is better. benchstat reads both.
func Preamble(w io.Writer, lines [][2]string) error {
	for _, l := range lines {
		if l[0] == "cpu" { // the testing package prints its own
			continue
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n", l[0], l[1]); err != nil {
			return err
		}
	}
	for _, u := range record.Units {
		if u.Better == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "Unit %s better=%s\n", u.Name, u.Better); err != nil {
			return err
		}
	}
	return nil
}

// Results are exact results for a file beside the records: go test's own lines keep four digits.
type Results struct {
	path    string
	config  []benchfmt.Config
	results []*benchfmt.Result
}

// NewResults is for dir/bench.txt.
func NewResults(dir string, lines [][2]string) *Results {
	r := &Results{path: filepath.Join(dir, "bench.txt")}
	for _, l := range lines {
		r.config = append(r.config, benchfmt.Config{Key: l[0], Value: []byte(l[1]), File: true})
	}
	return r
}

// Add appends a run's result and writes the file anew, whole.
func (r *Results) Add(name string, rec *record.Record) error {
	res := &benchfmt.Result{Config: r.configOf(rec), Name: benchfmt.Name(name), Iters: rec.GlobalStep}
	for _, m := range rec.Metrics() {
		// benchfmt keeps values in base units and remembers what was written.
		v, unit := benchunit.Tidy(m.Value, m.Unit)
		res.Values = append(res.Values, benchfmt.Value{Value: v, Unit: unit, OrigValue: m.Value, OrigUnit: m.Unit})
	}
	r.results = append(r.results, res)
	return file.Replace(r.path, func(w io.Writer) error {
		if err := Preamble(w, nil); err != nil {
			return err
		}
		bw := benchfmt.NewWriter(w)
		for _, res := range r.results {
			if err := bw.Write(res); err != nil {
				return err
			}
		}
		return nil
	})
}

// configOf returns the configuration of a run's result: why it had no CUDA graphs is in its note.
func (r *Results) configOf(rec *record.Record) []benchfmt.Config {
	if rec.GraphsFailed == "" {
		return r.config
	}
	note := benchfmt.Config{Key: "note", Value: []byte(rec.Name + " ran without CUDA graphs: " + rec.GraphsFailed), File: true}
	config := slices.Clone(r.config)
	i := slices.IndexFunc(config, func(c benchfmt.Config) bool { return c.Key == note.Key })
	if i < 0 {
		return append(config, note)
	}
	note.Value = fmt.Appendf(nil, "%s; %s", config[i].Value, note.Value)
	config[i] = note
	return config
}

// Name is a run's benchmark name as go test prints it, with GOMAXPROCS' suffix.
func Name(arm string, procs int) string {
	name := "Rank/" + arm
	if procs > 1 {
		name += "-" + strconv.Itoa(procs)
	}
	return name
}
