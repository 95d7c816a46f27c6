package show

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// fewAnnotations of a level are written: GitHub keeps ten of each level and step and drops the others
// without a word.
const fewAnnotations = 10

// WriteAnnotations writes workflow commands for GitHub, a line each: an error for what is worse or
// unusable (at its file and line), a warning for what cannot be told, a notice for what is better and for
// new benchmarks. Where there is nothing to say, nothing is written.
//
// The format is that of "Workflow commands for GitHub Actions" in GitHub's documentation; the escapes are
// those of actions/toolkit, packages/core/src/command.ts.
func WriteAnnotations(to io.Writer, v *judge.Verdict) error {
	w := bufio.NewWriter(to)
	var errs, warnings, notices []annotation
	for i := range v.Problems {
		p := &v.Problems[i]
		errs = append(errs, annotation{title: "Gate: " + kind(p), file: p.File, line: p.Line, text: problem(p)})
	}
	used := map[int]bool{}
	for _, t := range findings(v, judge.CallWorse, used) {
		errs = append(errs, annotation{title: "Gate: worse: " + t.subject, text: strings.Join(append([]string{t.String()}, t.causes...), "\n")})
	}
	for _, t := range findings(v, judge.CallCannotTell, used) {
		warnings = append(warnings, annotation{title: "Gate: cannot tell: " + t.subject, text: t.String()})
	}
	for _, t := range findings(v, judge.CallBetter, used) {
		notices = append(notices, annotation{title: "Gate: better: " + t.subject, text: t.String()})
	}
	if len(v.Added) > 0 {
		notices = append(notices, annotation{title: "Gate: new benchmarks", text: "without a baseline, not judged: " + sentence(strings.Join(v.Added, ", "))})
	}
	if len(v.Unjudged) > 0 {
		notices = append(notices, annotation{title: "Gate: not judged", text: "no direction is known: " + sentence(strings.Join(v.Unjudged, ", "))})
	}
	switch { // a status that fails is never silent
	case (v.Status == judge.Worse || v.Status == judge.Unusable) && len(errs) == 0:
		errs = append(errs, annotation{title: "Gate: " + word(v.Status), text: verdict(v)})
	case v.Status == judge.CannotTell && len(errs)+len(warnings) == 0:
		warnings = append(warnings, annotation{title: "Gate: cannot tell", text: verdict(v)})
	}
	for _, l := range []struct {
		level string
		list  []annotation
	}{{"error", errs}, {"warning", warnings}, {"notice", notices}} {
		if n := len(l.list); n > fewAnnotations {
			l.list = append(l.list[:fewAnnotations-1], annotation{title: "Gate: and more",
				text: format.Whole(n-fewAnnotations+1) + " more are in the log: " + verdict(v)})
		}
		for _, a := range l.list {
			a.write(w, l.level)
		}
	}
	return w.Flush()
}

type annotation struct {
	title, file string
	line        int
	text        string
}

func (a annotation) write(w io.Writer, level string) {
	var at string
	if a.file != "" {
		at = "file=" + property.Replace(clean(a.file, longSentence)) + ","
		if a.line > 0 {
			at += "line=" + strconv.Itoa(a.line) + ","
		}
	}
	fmt.Fprintf(w, "::%s %stitle=%s::%s\n", level, at, property.Replace(a.title), data.Replace(a.text))
}

var (
	data     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
