package results

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"lorabench/bench/record"
)

// longest is the longest line that x/perf's reader accepts.
const longest = 60_000

var (
	benchmarkPrefix = []byte("Benchmark")
	// inside matches a result behind other text on its line. It needs iterations, value and unit after the name: sentences name benchmarks
	// too.
	inside = regexp.MustCompile(`Benchmark[^\sa-z]\S*\s+[0-9]+\s+[-+.0-9eE]+\s+\S`)

	procs    = regexp.MustCompile(`^-([2-9]|[1-9][0-9]{1,8})$`)
	exponent = regexp.MustCompile(`=[-+]?[0-9.]+[eE]-[0-9]+$`)
	// broken matches lines that say that the run failed: go test then prints what it had, and FAIL.
	broken = regexp.MustCompile(`^(FAIL(\s*$|[\t ])|panic: |fatal error: |[ \t]*--- FAIL)`)
	// diverged matches what lorabench prints of a run without a result.
	diverged = regexp.MustCompile(`^Diverged: (rank=\S+), seed (-?[0-9]+), at step ([0-9]+)`)
)

// filter empties the lines that x/perf's reader would misread or silently skip, and reports what is wrong with them.
func (r *reader) filter(data []byte) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // editors on Windows begin a file with it; it would hide the first line
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		r.problem(Unreadable, 0, "the file is UTF-16, as PowerShell's > writes it: write it as UTF-8, with | Out-File -Encoding utf8")
		return
	}
	r.lines = bytes.Split(data, []byte("\n"))
	for i := range r.lines {
		r.at = append(r.at, i+1)
	}
	var e event
	if first, _, _ := bytes.Cut(bytes.TrimSpace(data), []byte("\n")); json.Unmarshal(first, &e) == nil && e.Action != "" {
		r.lines, r.at = outputs(r.lines)
	}
	failed, unlucky := false, r.diverged()
	for i, text := range r.lines {
		text = bytes.TrimSuffix(text, []byte("\r"))
		switch {
		case bytes.HasPrefix(text, benchmarkPrefix):
			if unlucky(text) || !r.isResult(i+1, text) {
				r.lines[i] = nil
			}
		case broken.Match(text):
			if r.lines[i] = nil; !failed {
				failed = true
				r.problem(Unreadable, i+1, "the run failed: %s; the results of a run that failed are not all there: run it again", quoted(text))
			}
		case bytes.Contains(text, benchmarkPrefix) && inside.Match(text):
			r.problem(Unreadable, i+1, "a result stands inside another line: %s; give the output of go test as it is, without colours, time "+
				"stamps or what the program printed", quoted(text))
		case len(text) > longest:
			r.lines[i] = nil
		case len(text) > 0 && unicode.IsLower(rune(text[0])) && record.IsStandIn(string(text)):
			r.problem(Unreadable, i+1, "%s: a stand-in device, whose kernels compute nothing: its figures are no results", quoted(text))
		}
	}
}

// diverged notes the arms of which a run diverged, and returns what reports whether a result is of one: the arm's other runs would be a
// selection of the lucky ones, and be read as those of other seeds.
func (r *reader) diverged() (unlucky func(text []byte) bool) {
	runs := map[string][]string{}
	for _, text := range r.lines {
		if found := diverged.FindSubmatch(text); found != nil {
			arm := string(found[1])
			runs[arm] = append(runs[arm], fmt.Sprintf("seed %s at step %s", found[2], found[3]))
		}
	}
	for _, arm := range slices.Sorted(maps.Keys(runs)) {
		r.set.Diverged = append(r.set.Diverged, arm)
		r.set.Notes = append(r.set.Notes, fmt.Sprintf("Left out, because training diverged: %s (%s).", arm, strings.Join(runs[arm], ", ")))
	}
	return func(text []byte) bool {
		arm, ok := strings.CutPrefix(string(text), "Benchmark"+Rank+"/")
		arm = arm[:max(0, strings.IndexAny(arm, "\t "))]
		i := max(0, strings.LastIndexByte(arm, '-'))
		return ok && (runs[arm] != nil || procs.MatchString(arm[i:]) && runs[arm[:i]] != nil)
	}
}

// isResult reports whether x/perf's reader may read a line that begins with Benchmark, and notes the GOMAXPROCS suffix of its name.
func (r *reader) isResult(line int, text []byte) bool {
	name := text[len(benchmarkPrefix):]
	letter, _ := utf8.DecodeRune(name)
	end := bytes.IndexAny(name, "\t ")
	switch {
	case unicode.IsLower(letter): // no benchmark is called so: programs print "Benchmarking ..."
	case len(text) > longest:
		r.problem(Unreadable, line, "the line has %d bytes: %s; no result is so long", len(text), quoted(text))
	case end < 0: // go test -v says what it starts
		return true
	case inside.Match(name[end:]):
		r.problem(Unreadable, line, "two results stand on one line: %s; run the benchmark again", quoted(text))
	default:
		if suffix := procsOf(name[:end]); r.procs == unknown {
			r.procs = suffix
		} else if r.procs != suffix {
			r.procs = ""
		}
		return true
	}
	return false
}

// quoted returns how a line begins.
func quoted(text []byte) string { return fmt.Sprintf("%.100q", bytes.TrimSpace(text)) }

// procsOf returns the end of a name that GOMAXPROCS may have written: -2 and more, without a leading zero. The format does not distinguish
// it from the exponent of a number at the end, as in lr=1e-4; this does.
func procsOf(name []byte) string {
	if i := bytes.LastIndexByte(name, '-'); i > 0 && procs.Match(name[i:]) && !exponent.Match(name) {
		return string(name[i:])
	}
	return ""
}

// event is a line of go test -json.
type event struct {
	Action, Package, Output string

	line int
}

// outputs returns what go test would have printed, package by package, and for each of its lines the line of the JSON that it ends on,
// from 1. Lines that are no event were printed by something else.
func outputs(lines [][]byte) (text [][]byte, at []int) {
	events := make([]event, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal(line, &events[i]); err != nil {
			events[i] = event{Output: string(line) + "\n"}
		}
		events[i].line = i + 1
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.Package, b.Package) })
	var out []byte
	at = []int{0}
	for i, e := range events {
		if i > 0 && e.Package != events[i-1].Package {
			e.Output = "\n" + e.Output // a line of one package does not go on in the next
		}
		out = append(out, e.Output...)
		at = append(at, slices.Repeat([]int{e.line}, strings.Count(e.Output, "\n"))...)
	}
	return bytes.Split(out, []byte("\n")), append(at, events[len(events)-1].line)
}
