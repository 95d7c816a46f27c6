package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"lorabench/bench/record"
)

// filtered is a file for x/perf's reader: the same lines, those that it would misread or pass over in silence emptied.
type filtered struct {
	lines [][]byte
	at    []int // the file's own line of each where they differ: go test -json's
	procs string
}

// quoted is the line by its number, quoted; its beginning where it is long.
func (f *filtered) quoted(line int) string { return quoted(f.lines[line-1]) }

func quoted(text []byte) string {
	text = bytes.TrimSpace(text)
	if len(text) > 100 {
		return strconv.Quote(string(text[:100])) + "..."
	}
	return strconv.Quote(string(text))
}

// line returns the file's own number of a line.
func (f *filtered) line(n int) int {
	if f.at == nil || n == 0 {
		return n
	}
	return f.at[n-1]
}

// longest is the longest line that x/perf's reader takes.
const longest = 60_000

// inside finds a result behind something else on its line. It wants iterations, a value and a unit after the name: sentences
// name benchmarks too.
var inside = regexp.MustCompile(`Benchmark[^\sa-z]\S*\s+[0-9]+\s+[-+.0-9eE]+\s+\S`)

// filter prepares a file and tells what is wrong with it.
func (r *reader) filter(data []byte) *filtered {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // editors on Windows begin a file with it; it would hide the first line
	f := &r.now
	*f = filtered{}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		r.problem(0, Unreadable, "the file is UTF-16, as PowerShell's > writes it: write it as UTF-8, with | Out-File -Encoding utf8")
		return f
	}
	f.lines = bytes.Split(data, []byte("\n"))
	if isJSON(data) {
		f.lines, f.at = outputs(f.lines)
	}
	failed, first := false, true
	for i, text := range f.lines {
		text = bytes.TrimSuffix(text, []byte("\r"))
		if bytes.HasPrefix(text, benchmarkPrefix) {
			f.result(r, i, text, &first)
			continue
		}
		switch {
		case breaks(text):
			if f.lines[i] = nil; !failed {
				failed = true
				r.problem(i+1, Unreadable,
					"the run failed: %s; the results of a run that failed are not all there: run it again", quoted(text))
			}
		case bytes.Contains(text, benchmarkPrefix) && inside.Match(text):
			r.problem(i+1, Unreadable, "a result stands inside another line: %s; give the output of go test as it is, without colours, time stamps or "+
				"what the program printed", quoted(text))
		case len(text) > longest:
			f.lines[i] = nil
		case len(text) > 0 && unicode.IsLower(rune(text[0])) && record.IsStandIn(string(text)):
			r.problem(i+1, Unreadable, "%s: a stand-in device, whose kernels compute nothing: its figures are no results", quoted(text))
		}
	}
	return f
}

var benchmarkPrefix = []byte("Benchmark")

// result looks at a line that begins with Benchmark: whether it means to be a result, and which GOMAXPROCS its name has.
func (f *filtered) result(r *reader, i int, text []byte, first *bool) {
	letter, _ := utf8.DecodeRune(text[len(benchmarkPrefix):])
	name, rest, more := bytes.Cut(text[len(benchmarkPrefix):], []byte("\t"))
	if j := bytes.IndexByte(name, ' '); j >= 0 {
		name, rest, more = name[:j], text[len(benchmarkPrefix)+j:], true
	}
	switch {
	case unicode.IsLower(letter): // no benchmark is called so: programs print "Benchmarking ..."
		f.lines[i] = nil
	case len(text) > longest:
		r.problem(i+1, Unreadable, "the line has %d bytes: %s; no result is so long", len(text), quoted(text))
		f.lines[i] = nil
	case !more: // go test -v says what it starts
	case inside.Match(rest):
		r.problem(i+1, Unreadable, "two results stand on one line: %s; run the benchmark again", quoted(text))
		f.lines[i] = nil
	default:
		if suffix := procsOf(name); *first {
			f.procs, *first = suffix, false
		} else if suffix != f.procs {
			f.procs = ""
		}
	}
}

// procsOf returns the end of a name that GOMAXPROCS may have written: -2 and more, without a zero before it. The format does
// not tell it apart from the exponent of a number at the end, as in lr=1e-4; this does.
func procsOf(name []byte) string {
	i := bytes.LastIndexByte(name, '-')
	if i < 1 || i+1 == len(name) || name[i+1] == '0' {
		return ""
	}
	if n, err := strconv.ParseUint(string(name[i+1:]), 10, 31); err != nil || n < 2 {
		return ""
	}
	_, value, _ := bytes.Cut(name[bytes.LastIndexByte(name, '/')+1:], []byte("="))
	if _, err := strconv.ParseFloat(string(value), 64); err == nil && strings.ContainsRune("eE", rune(name[i-1])) {
		return ""
	}
	return string(name[i:])
}

// breaks reports whether a line says that the run broke off: go test then prints what it had, and FAIL.
func breaks(text []byte) bool {
	if rest, ok := bytes.CutPrefix(text, []byte("FAIL")); ok {
		return len(bytes.TrimSpace(rest)) == 0 || rest[0] == '\t' || rest[0] == ' '
	}
	return bytes.HasPrefix(text, []byte("panic: ")) || bytes.HasPrefix(text, []byte("fatal error: ")) ||
		bytes.HasPrefix(bytes.TrimLeft(text, " \t"), []byte("--- FAIL"))
}

// event is a line of go test -json.
type event struct{ Action, Package, Output string }

// isJSON reports whether a file begins as go test -json writes.
func isJSON(data []byte) bool {
	line, _, _ := bytes.Cut(bytes.TrimSpace(data), []byte("\n"))
	var e event
	return bytes.HasPrefix(line, []byte("{")) && json.Unmarshal(line, &e) == nil && e.Action != ""
}

// outputs is what go test would have printed, package by package, and the line that each of its lines ends on. Lines that
// are no event are what something else printed.
func outputs(lines [][]byte) (text [][]byte, at []int) {
	type printed struct {
		lines [][]byte
		at    []int
		open  bool // its last line has no end yet
	}
	var order []*printed
	by := map[string]*printed{}
	for i, line := range lines {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			e = event{Action: "output", Output: fmt.Sprintf("%s\n", line)}
		}
		p := by[e.Package]
		if p == nil {
			p = &printed{}
			by[e.Package], order = p, append(order, p)
		}
		for part := range strings.Lines(e.Output) {
			whole, ended := strings.CutSuffix(part, "\n")
			if n := len(p.lines) - 1; p.open {
				p.lines[n], p.at[n] = append(p.lines[n], whole...), i+1
			} else {
				p.lines, p.at = append(p.lines, []byte(whole)), append(p.at, i+1)
			}
			p.open = !ended
		}
	}
	for _, p := range order {
		text, at = append(text, p.lines...), append(at, p.at...)
	}
	return text, at
}
