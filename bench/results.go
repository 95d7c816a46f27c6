package bench

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"

	"lorabench/bench/record"
	"lorabench/internal/file"
	"lorabench/internal/kernels"
	"lorabench/internal/root"
	"lorabench/internal/torch"
)

func ThisMachine(d torch.Device) record.Machine {
	m := record.Machine{Device: d.String(), CPU: kernels.CPU(), Threads: torch.Threads(), OS: runtime.GOOS + "/" + runtime.GOARCH,
		Go: runtime.Version(), Torch: torch.Version(), Commit: root.Commit()}
	if d.CUDA() {
		name, err := d.Name()
		if err != nil {
			name = fmt.Sprintf("unknown (%v)", err)
		}
		m.GPU, m.Driver = name, torch.DriverVersion()
	}
	return m
}

// ConfigLines returns the configuration of the result lines as keys and values: everything that results may depend on, so that a
// comparison of runs that differ in it can be refused.
func (w *Workload) ConfigLines() [][2]string {
	m, dtype := ThisMachine(w.device), w.DType
	if w.TF32 {
		dtype += ", tf32"
	}
	digest := func(sha256 string) string { return sha256[:min(12, len(sha256))] } // enough to tell files apart
	lines := [][2]string{
		{"model", w.ModelInfo.Name}, {"model-sha256", digest(w.ModelInfo.SHA256)},
		{"data", w.DataInfo.Name}, {"data-sha256", digest(w.DataInfo.SHA256)},
		{"recipe", w.Recipe}, {"settings", w.line()}, {"device", m.Device}, {"forget-sha256", digest(w.DataInfo.ForgetSHA256)},
		{"gpu", m.GPU}, {"driver", m.Driver}, {"cpu", m.CPU}, {"threads", strconv.Itoa(m.Threads)}, {"torch", m.Torch}, {"dtype", dtype},
		{"kernels", w.Kernels},
		{"seed", strconv.FormatInt(w.Seed, 10)}, {"commit", m.Commit}}
	return slices.DeleteFunc(lines, func(l [2]string) bool { return l[1] == "" })
}

// Preamble writes the lines before the results: their configuration, and which direction of each unit is better.
func Preamble(w io.Writer, lines [][2]string) error {
	var b strings.Builder
	for _, l := range lines {
		if l[0] != "cpu" { // the testing package prints its own
			fmt.Fprintf(&b, "%s: %s\n", l[0], l[1])
		}
	}
	for _, u := range record.Units {
		if u.Better != "" {
			fmt.Fprintf(&b, "Unit %s better=%s\n", u.Name, u.Better)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteResults replaces dir/bench.txt with the exact results of runs; go test's own lines keep four digits. An arm with a run that
// diverged is left out: its other seeds would be a selection of the lucky ones.
func WriteResults(dir string, lines [][2]string, rs []*record.Record, procs int) error {
	return file.Replace(filepath.Join(dir, "bench.txt"), func(w io.Writer) error {
		err := Preamble(w, nil)
		bw := benchfmt.NewWriter(w)
		finite, _, none := record.Finite(rs)
		if none != nil {
			return err // every arm diverged: there is no result
		}
		runs := map[string]int64{} // of an arm, under the first run's seed
		for _, r := range finite {
			res := result(lines, r, procs)
			if i, ok := res.ConfigIndex("seed"); ok {
				first, _ := strconv.ParseInt(string(res.Config[i].Value), 10, 64)
				if r.Seed == first+runs[r.Name] {
					runs[r.Name]++
				} else { // one is missing before it
					res.Config[i].Value = strconv.AppendInt(nil, r.Seed, 10)
				}
			}
			err = errors.Join(err, bw.Write(res))
		}
		return err
	})
}

// result returns a run's result, named as go test prints it, with GOMAXPROCS' suffix. Its note says why there were no CUDA graphs.
func result(lines [][2]string, r *record.Record, procs int) *benchfmt.Result {
	name := "Rank/" + r.Name
	if procs > 1 {
		name += "-" + strconv.Itoa(procs)
	}
	res := &benchfmt.Result{Name: benchfmt.Name(name), Iters: r.GlobalStep}
	var notes []string
	if r.GraphsFailed != "" {
		notes = append(notes, r.Name+" ran without CUDA graphs: "+r.GraphsFailed)
	}
	for _, l := range lines {
		if l[0] == "note" {
			notes = slices.Insert(notes, 0, l[1])
		} else {
			res.Config = append(res.Config, benchfmt.Config{Key: l[0], Value: []byte(l[1]), File: true})
		}
	}
	if len(notes) > 0 {
		res.Config = append(res.Config, benchfmt.Config{Key: "note", Value: []byte(strings.Join(notes, "; ")), File: true})
	}
	for _, m := range r.Metrics() {
		res.Values = append(res.Values, benchfmt.Value{OrigValue: m.Value, OrigUnit: m.Unit})
	}
	return res
}
