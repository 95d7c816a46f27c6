// Package show formats a verdict of package judge for its readers: people at a terminal and on a pull request (Text, Markdown), CI
// (Annotations, for GitHub) and programs (JSON). All but the JSON print – for a figure that does not exist.
package show

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// section is a heading and its items.
type section struct {
	heading string
	level   string // GitHub's: error, warning, notice; "" is not annotated
	items   []item
}

// item is one finding.
type item struct {
	lines []string // what was found, with its place if it has one, then what explains it
	file  string   // "" if it belongs to none
	line  int
}

// verdict returns the first line.
func verdict(v *judge.Verdict) string { return Line(cmp.Or(v.Text, v.Status.String())) }

// findings returns what matters: problems, what is worse and why, what cannot be told, what is better.
func findings(v *judge.Verdict) []section {
	problems := section{heading: "Problems", level: "error"}
	for _, p := range v.Problems {
		p.Benchmark, p.Text = "", cmp.Or(p.Text, string(p.Kind)) // the text names the benchmark
		problems.items = append(problems.items, item{[]string{Line(p.Error())}, Line(p.File), p.Line})
	}
	if v.Status == judge.Unusable { // calls do not count: with a GPU of another kind everything is better or worse
		return []section{problems}
	}
	return []section{problems, {"Worse", "error", called(v, judge.CallWorse)}, {"Numerics changed", "error", called(v, judge.CallNumerics)},
		{"Cannot tell", "warning", called(v, judge.CallCannotTell)}, {"Better", "notice", called(v, judge.CallBetter)}}
}

// remarks returns the sections below the table.
func remarks(v *judge.Verdict) []section {
	return []section{{"New benchmarks, without a baseline", "notice", items(v.Added, cell)},
		{"Not judged: no direction is known", "notice", items(v.Unjudged, cell)}, {"Notes", "", items(v.Notes, Line)},
		{"Compared", "", items(compared(v), Line)}}
}

func items(texts []string, fit func(string) string) (out []item) {
	for _, t := range texts {
		out = append(out, item{lines: []string{fit(t)}})
	}
	return out
}

// called returns the findings of a call: losses first, because a percent of speed is not comparable with a percent of loss, and in a class
// the largest change first. Metrics that cannot be told for one reason, mostly too few runs, are one finding.
func called(v *judge.Verdict, call judge.Call) (out []item) {
	rs := slices.DeleteFunc(slices.Clone(v.Results), func(r *judge.Result) bool { return r.Call != call })
	slices.SortStableFunc(rs, func(a, b *judge.Result) int {
		return cmp.Or(cmp.Compare(a.Class.Order(), b.Class.Order()), cmp.Compare(math.Abs(b.Change), math.Abs(a.Change)))
	})
	subjects, at := map[string][]string{}, map[string]int{} // of what cannot be told, by reason
	for _, r := range rs {
		subject, why := cell(r.Benchmark)+" "+cell(r.Unit), Line(r.Why)
		if call == judge.CallCannotTell {
			subjects[r.Why] = append(subjects[r.Why], subject)
			if same := subjects[r.Why]; len(same) > 1 {
				out[at[r.Why]].lines[0] = format.Few(same, 4) + ": " + why
				continue
			}
			at[r.Why] = len(out)
		}
		a, b := centers(r)
		it := item{lines: []string{subject + ": " + a + " → " + b + ": " + why}}
		for _, c := range r.Causes {
			it.lines = append(it.lines, Line(c))
		}
		out = append(out, it)
	}
	return out
}

// centers formats both sides' centers, a difference with enough digits to show it: exact comparisons find some far behind the fourth.
func centers(r *judge.Result) (string, string) {
	if r.Exact || r.Call == judge.CallWorse || r.Call == judge.CallBetter {
		return format.Apart(r.Unit, r.Baseline.Center, r.New.Center)
	}
	return format.Value(r.Unit, r.Baseline.Center), format.Value(r.Unit, r.New.Center)
}

// mostRows bounds a table: with more it would not fit into a comment on GitHub, which refuses 65,536 characters. Beyond it only findings
// are listed: a project with thousands of benchmarks has few that changed.
const mostRows = 200

// table returns what was judged, or all results, and how many were left out. A benchmark's name stands in its first row only.
func table(v *judge.Verdict, all bool) (t format.Table, left int) {
	t.Words = []string{"metric", ""}
	t.Head = []string{"benchmark", "metric", cell(v.Baseline.Label), cell(v.New.Label), "change (95 %)", "p", "n", ""}
	rs := slices.DeleteFunc(slices.Clone(v.Results), func(r *judge.Result) bool { return !all && r.Call == judge.CallShown })
	if n := len(rs); n > mostRows && !all {
		rs = slices.DeleteFunc(rs, func(r *judge.Result) bool { return r.Call == judge.CallSame })
		rs = rs[:min(len(rs), mostRows)]
		left = n - len(rs)
	}
	for i, r := range rs {
		name := cell(r.Benchmark)
		if i > 0 && r.Benchmark == rs[i-1].Benchmark {
			name = ""
		}
		a, b := centers(r)
		change, pvalue, n := format.Change(r.Change), format.P(r.Corrected), strconv.Itoa(r.Baseline.N())
		if interval := format.Interval(r.Low, r.High); interval != "" && r.Low != r.High {
			change += " (" + interval + ")"
		}
		if r.Exact {
			pvalue = "exact"
		}
		if r.New.N() != r.Baseline.N() {
			n += ", " + strconv.Itoa(r.New.N())
		}
		t.Rows = append(t.Rows, []string{name, cell(r.Unit), a, b, change, pvalue, n, mark(r)})
	}
	return t, left
}

// mark returns the call as the table prints it: findings stand out.
func mark(r *judge.Result) string {
	sign := map[judge.Call]string{judge.CallWorse: "✗ ", judge.CallNumerics: "✗ ", judge.CallBetter: "✓ ", judge.CallCannotTell: "? "}
	switch {
	case r.SameAs != "":
		return "as " + cell(r.SameAs)
	case r.Call == judge.CallShown:
		return "not judged"
	case r.Call == judge.CallSame && !r.Exact && r.Corrected < r.Rule.Alpha: // a difference that is real and too small to matter
		return "within " + format.Level(r.Rule.Floor)
	}
	return sign[r.Call] + string(r.Call)
}

// compared says where results are from: each side's files and commits.
func compared(v *judge.Verdict) (out []string) {
	for _, s := range []*judge.Side{&v.Baseline, &v.New} {
		if s.Files == nil {
			continue
		}
		text := s.Label + ": " + format.Few(s.Files, 4)
		for _, c := range s.Config {
			if c.Key == "commit" {
				text += ", commit " + strings.Join(c.Values, ", ")
			}
		}
		out = append(out, text)
	}
	return out
}

// clean makes text from files fit for one line: nothing that moves a terminal's cursor, no command of a CI's log (GitHub's begin with two
// colons on a line, or with ##[ anywhere), and at most limit runes, the first and last: a page of one name hides the rest.
func clean(s string, limit int) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune { // GitHub skips spaces before its colons
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return unicode.ReplacementChar
	}, s))
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit-limit/3-1]) + "…" + string(r[len(r)-limit/3:])
	}
	if strings.HasPrefix(s, "::") {
		s = `\` + s
	}
	return strings.ReplaceAll(s, "##[", `##\[`)
}

// Line makes text that may have come from files fit for a line of a terminal or of a CI's log.
func Line(s string) string { return clean(s, 600) }

func cell(s string) string { return clean(s, 90) }
