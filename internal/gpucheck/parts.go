package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// partJobs returns jobs that time the parts of a step, and in the same process the card's own rates. A part that needs a product or memory
// for as long as it takes cannot be faster on this card.
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
		if s.standIn {
			jobs[len(jobs)-1].skip = "the stand-in computes nothing that could be timed"
		}
	}
	return jobs, nil
}

// timed is a benchmark's result: its time and the rates that it reached, by unit.
type timed struct {
	name    string
	rate    bool // of the card itself
	seconds float64
	reached map[string]float64
}

// units are what a part, or the card, can be limited by.
var units = []string{"GFLOP/s", "GB/s"}

// readParts reads the benchmark's lines.
func readParts(log string) ([]row, error) {
	lines, err := readLines(log)
	if len(lines) == 0 && err == nil {
		err = fmt.Errorf("%s has no result line", log)
	}
	card := map[string]float64{}
	for _, l := range lines {
		for unit, v := range l.reached {
			if l.rate {
				card[unit] = v
			}
		}
	}
	var rows []row
	for _, l := range lines {
		rows = append(rows, partRow(l, card))
	}
	addUp(rows)
	return rows, err
}

func readLines(log string) (lines []timed, err error) {
	f, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := benchfmt.NewReader(f, log)
	for r.Scan() {
		res, ok := r.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		base, keys := res.Name.Parts()
		if len(keys) == 0 {
			continue
		}
		l := timed{name: strings.TrimPrefix(string(keys[0]), "/part="), rate: string(base) == "Rate", reached: map[string]float64{}}
		l.name = strings.TrimPrefix(l.name, "/")
		l.seconds, _ = res.Value("sec/op")
		for _, unit := range units {
			if v, ok := value(res, unit); ok {
				l.reached[unit] = v
			}
		}
		lines = append(lines, l)
	}
	return lines, r.Err()
}

// addUp gives the whole gradient the time that its parts need.
func addUp(rows []row) {
	needed := 0.0
	for i := range rows {
		switch r := &rows[i]; r.Name {
		case "matmul", "attention", "norm":
			needed += r.value("needed ms")
		case "gradient":
			if needed > 0 {
				r.add("needed ms", needed)
				r.add("share", needed/r.value("ms"))
			}
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

// value returns a unit's value as the benchmark wrote it.
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

// partRow returns a part's time and the time that its operations or bytes need at the card's rates, whichever is longer.
func partRow(l timed, card map[string]float64) row {
	out := row{Name: l.name}
	out.add("ms", 1e3*l.seconds)
	needed := 0.0
	for unit, v := range l.reached {
		if card[unit] > 0 {
			needed = max(needed, l.seconds*v/card[unit])
		}
	}
	if needed > 0 {
		out.add("needed ms", 1e3*needed)
		out.add("share", needed/l.seconds)
	}
	for _, unit := range units {
		if v, ok := l.reached[unit]; ok {
			out.add(unit, v)
		}
	}
	return out
}
