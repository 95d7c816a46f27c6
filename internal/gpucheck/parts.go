package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// partJobs time the parts of a step, and in the same process the card's own rates. A part that needs a product or memory for as
// long as it takes cannot be faster on this card.
func (s *session) partJobs() ([]job, error) {
	rank := s.ranks[strings.LastIndex(s.ranks, ",")+1:]
	times := 20
	if s.steps < times {
		times = s.steps
	}
	var jobs []job
	for _, p := range s.precisions() {
		flags := append([]string{"-ranks=" + rank, "-device=" + s.device}, p.flags...)
		jobs = append(jobs, job{name: p.name, argv: s.bench("^Benchmark(Rate|Part)$", times, flags...), read: readParts})
	}
	return jobs, nil
}

// readParts reads the benchmark's lines: rates first.
func readParts(log string) (rows []row, err error) {
	f, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rates := map[string]float64{}
	lines := benchfmt.NewReader(f, log)
	for lines.Scan() {
		res, ok := lines.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		seconds, _ := res.Value("sec/op")
		base, keys := res.Name.Parts()
		name := strings.TrimPrefix(string(keys[0]), "/")
		rate := map[string]float64{}
		for _, unit := range []string{"GFLOP/s", "GB/s"} {
			if v, ok := value(res, unit); ok {
				rate[unit] = v
				if string(base) == "Rate" {
					rates[unit] = v
				}
			}
		}
		rows = append(rows, partRow(strings.TrimPrefix(name, "part="), seconds, rate, rates))
	}
	if err := lines.Err(); err != nil {
		return rows, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s has no result line", log)
	}
	addUp(rows)
	return rows, nil
}

// addUp gives the whole gradient the time that its parts need.
func addUp(rows []row) {
	needed := 0.0
	for i := range rows {
		switch r := &rows[i]; r.Name {
		case "matmul", "attention", "norm":
			needed += r.value("needed ms")
		case "gradient":
			r.add("needed ms", needed)
			r.add("share", needed/r.value("ms"))
		}
	}
}

func (r *row) value(column string) float64 {
	for _, f := range r.Figures {
		if f.Column == column {
			return f.Value
		}
	}
	return 0
}

// value finds a unit as the benchmark wrote it.
func value(res *benchfmt.Result, unit string) (float64, bool) {
	for _, v := range res.Values {
		if v.OrigUnit == unit {
			return v.OrigValue, true
		}
		if v.Unit == unit {
			return v.Value, true
		}
	}
	return 0, false
}

// partRow has a part's time and the time that its operations or bytes need at the card's rates, whichever is longer.
func partRow(name string, seconds float64, rate, rates map[string]float64) row {
	out := row{Name: name}
	out.add("ms", 1e3*seconds)
	needed := 0.0
	for unit, v := range rate {
		if rates[unit] > 0 {
			needed = max(needed, seconds*v/rates[unit])
		}
	}
	if needed > 0 {
		out.add("needed ms", 1e3*needed)
		out.add("share", needed/seconds)
	}
	for _, unit := range []string{"GFLOP/s", "GB/s"} {
		if v, ok := rate[unit]; ok {
			out.add(unit, v)
		}
	}
	return out
}
