// Package show writes a verdict of package judge for those who read it: people at a terminal and on a pull request (Text,
// Markdown), CI (Annotations, for GitHub) and programs (JSON). All but the JSON are of one page, which says "–" where a figure
// does not exist.
package show

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// page is a verdict as people read it.
type page struct {
	verdict  string
	findings []section
	table    *format.Table // nil where there is nothing to show
	left     int           // results that are not in it
	remarks  []section
}

// section is a heading and what stands under it.
type section struct {
	heading string
	level   string // GitHub's: error, warning, notice; "" is not annotated
	items   []item
}

// item is one finding.
type item struct {
	subject, text string // subject may be empty
	causes        []string
	file          string
	line          int
}

// String is the item in one line, a problem as compilers print theirs: file:line: what.
func (i item) String() string {
	where := i.file
	if i.file != "" && i.line > 0 {
		where += ":" + strconv.Itoa(i.line)
	}
	for _, about := range []string{i.subject, where} {
		if about != "" {
			i.text = about + ": " + i.text
		}
	}
	return i.text
}

// calls are the sections of findings.
var calls = []struct {
	judge.Call
	heading, level string
}{{judge.CallWorse, "Worse", "error"}, {judge.CallNumerics, "Numerics changed", "error"}, {judge.CallCannotTell, "Cannot tell", "warning"},
	{judge.CallBetter, "Better", "notice"}}

// newPage is the page of a verdict; all is that nothing is left out of the table.
func newPage(v *judge.Verdict, all bool) *page {
	p := &page{verdict: sentence(cmp.Or(v.Text, v.Status.String()))}
	problems := section{heading: "Problems", level: "error"}
	for _, x := range v.Problems {
		problems.items = append(problems.items, item{text: sentence(cmp.Or(x.Text, string(x.Kind))), file: sentence(x.File), line: x.Line})
	}
	p.findings = append(p.findings, problems)
	// Where the input cannot be used calls do not count: with a GPU of another kind everything is better or worse.
	if v.Status != judge.Unusable {
		for _, c := range calls {
			p.findings = append(p.findings, section{c.heading, c.level, findings(v, c.Call)})
		}
	}
	p.cells(v, all)
	p.remarks = []section{
		{"New benchmarks, without a baseline", "notice", items(v.Added, cell)},
		{"Not judged: no direction is known", "notice", items(v.Unjudged, cell)},
		{"Notes", "", items(v.Notes, sentence)},
		{"Compared", "", items(compared(v), sentence)},
	}
	return p
}

func items(texts []string, fit func(string) string) (out []item) {
	for _, t := range texts {
		out = append(out, item{text: fit(t)})
	}
	return out
}

// findings are what there is to say of the results of a call: losses first, because a percent of speed is another thing than a
// percent of loss, and in a class the largest change. What cannot be told mostly cannot for one reason, too few runs, and is one
// finding then.
func findings(v *judge.Verdict, call judge.Call) (out []item) {
	var rs []*judge.Result
	for i := range v.Results {
		if v.Results[i].Call == call {
			rs = append(rs, &v.Results[i])
		}
	}
	size := func(r *judge.Result) float64 {
		if math.IsNaN(r.Change) {
			return 0
		}
		return math.Abs(r.Change)
	}
	slices.SortStableFunc(rs, func(a, b *judge.Result) int {
		return cmp.Or(cmp.Compare(a.Class.Order(), b.Class.Order()), cmp.Compare(size(b), size(a)))
	})
	at := map[string]int{} // of what cannot be told, by reason
	var subjects [][]string
	for _, r := range rs {
		subject := cell(r.Benchmark) + " " + cell(r.Unit)
		if i, ok := at[r.Why]; ok && call == judge.CallCannotTell {
			subjects[i] = append(subjects[i], subject)
			out[i].subject, out[i].text = format.Few(subjects[i], 4), sentence(r.Why)
			continue
		}
		at[r.Why] = len(out)
		subjects = append(subjects, []string{subject})
		a, b := centers(r)
		out = append(out, item{subject: subject, text: a + " → " + b + ": " + sentence(r.Why)})
		for _, c := range r.Causes {
			out[len(out)-1].causes = append(out[len(out)-1].causes, sentence(c))
		}
	}
	return out
}

// centers prints what is compared of both sides. Where a difference was found they have as many digits as it takes to see it:
// exact comparisons find some far behind the fourth.
func centers(r *judge.Result) (string, string) {
	if r.Exact || r.Call == judge.CallWorse || r.Call == judge.CallBetter {
		return format.Apart(r.Unit, r.Baseline.Center, r.New.Center)
	}
	return format.Value(r.Unit, r.Baseline.Center), format.Value(r.Unit, r.New.Center)
}

// manyRows is what still is a compact table. Beyond, only findings are in it: a project with thousands of benchmarks has its few
// that changed. With more than mostRows it would not fit into a comment on GitHub, which refuses 65,536 characters.
const (
	manyRows = 60
	mostRows = 200
)

// cells makes the table of what was judged, or of all results. A benchmark's name stands in its first row alone.
func (p *page) cells(v *judge.Verdict, all bool) {
	t := &format.Table{Words: []string{"metric", ""}, Head: []string{"benchmark", "metric", cell(cmp.Or(v.Baseline.Label, "baseline")),
		cell(cmp.Or(v.New.Label, "new")), "change (95 %)", "p", "n", ""}}
	rs := make([]*judge.Result, 0, len(v.Results))
	for i := range v.Results {
		if r := &v.Results[i]; all || r.Call != judge.CallShown {
			rs = append(rs, r)
		}
	}
	if n := len(rs); n > manyRows && !all {
		rs = slices.DeleteFunc(rs, func(r *judge.Result) bool { return r.Call == judge.CallSame })
		rs = rs[:min(len(rs), mostRows)]
		p.left = n - len(rs)
	}
	last := ""
	for i, r := range rs {
		name := cell(r.Benchmark)
		if i > 0 && r.Benchmark == last {
			name = ""
		}
		last = r.Benchmark
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
	if len(rs) > 0 {
		p.table = t
	}
}

// mark is the call in the table: what is a finding stands out.
func mark(r *judge.Result) string {
	switch {
	case r.Call == judge.CallWorse || r.Call == judge.CallNumerics:
		return "✗ " + string(r.Call)
	case r.Call == judge.CallBetter:
		return "✓ better"
	case r.Call == judge.CallCannotTell:
		return "? cannot tell"
	case r.SameAs != "":
		return "as " + cell(r.SameAs)
	case r.Call == judge.CallShown:
		return "not judged"
	case r.Call == judge.CallSame && !r.Exact && r.Corrected < r.Rule.Alpha: // a difference that is real and too small to matter
		return "within " + format.Level(r.Rule.Floor)
	}
	return string(r.Call)
}

// compared is where results are from: each side's files and commits.
func compared(v *judge.Verdict) (out []string) {
	for _, s := range []*judge.Side{&v.Baseline, &v.New} {
		text := s.Label
		switch n := len(s.Files); n {
		case 0:
			continue
		case 1:
			text += ": " + s.Files[0]
		default:
			text += fmt.Sprintf(": %s to %s (%s)", s.Files[0], s.Files[n-1], format.Count(n, "file"))
		}
		for _, c := range s.Config {
			if c.Key == "commit" {
				text += ", commit " + strings.Join(c.Values, ", ")
			}
		}
		out = append(out, text)
	}
	return out
}
