package show

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// fewItems of a section are printed where not everything is asked for.
const fewItems = 20

// partial stands before the table where the input cannot be used.
const partial = "What could be compared, which decides nothing:"

// Text writes for a terminal: the verdict, then what matters (problems, what is worse and why, what cannot be told, what is
// better), then a table of everything that was judged. Long lists are cut and say so. all is that nothing is cut, and that what
// was not judged is in the table too.
func Text(to io.Writer, v *judge.Verdict, all bool) error {
	p := newPage(v, all)
	w := bufio.NewWriter(to)
	fmt.Fprintln(w, p.verdict)
	for _, s := range p.findings {
		s.text(w, all)
	}
	if p.table != nil {
		fmt.Fprintln(w)
		if v.Status == judge.Unusable {
			fmt.Fprintf(w, "%s\n\n", partial)
		}
		if err := p.table.Text(w); err != nil {
			return err
		}
	}
	if p.left > 0 {
		fmt.Fprintf(w, "\n%s not shown: -v shows them\n", format.Count(p.left, "result"))
	}
	for _, s := range p.remarks {
		s.text(w, all)
	}
	return w.Flush()
}

// text is a heading and a line each.
func (s section) text(w io.Writer, all bool) {
	if len(s.items) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", s.heading)
	for i, it := range s.items {
		if i == fewItems && !all {
			fmt.Fprintf(w, "  … and %s more: -v shows them\n", format.Whole(len(s.items)-i))
			return
		}
		fmt.Fprintf(w, "  %s\n", strings.Join(append([]string{it.String()}, it.causes...), "\n    "))
	}
}

// Markdown writes for a job's summary or a pull request's comment: the verdict, and the text in a block, which is folded away
// when all is well. In a block nothing of a file's text can become markup or a mention.
func Markdown(to io.Writer, v *judge.Verdict) error {
	w := bufio.NewWriter(to)
	verdict := format.Escape(newPage(v, false).verdict)
	if v.Status == judge.Pass {
		fmt.Fprintf(w, "✓ **Gate:** %s\n\n<details><summary>%s</summary>\n", verdict, format.Count(len(v.Results), "result"))
	} else {
		fmt.Fprintf(w, "### ✗ Gate: %s\n\n%s\n", v.Status, verdict)
	}
	var text strings.Builder
	err := Text(&text, v, false)
	_, rest, _ := strings.Cut(text.String(), "\n")
	fmt.Fprintf(w, "\n```text\n%s\n```\n", strings.ReplaceAll(strings.TrimSpace(rest), "```", "` ` `"))
	if v.Status == judge.Pass {
		fmt.Fprint(w, "\n</details>\n")
	}
	return cmp.Or(err, w.Flush())
}

// fewAnnotations of a level are written: GitHub keeps ten of each level and step and drops the others without a word.
const fewAnnotations = 10

// Annotations writes workflow commands for GitHub, a line each: an error for what is worse or unusable (at its file and line), a
// warning for what cannot be told, a notice for what is better, new or not judged. Where there is nothing to say, nothing is
// written.
//
// The format is that of "Workflow commands for GitHub Actions" in GitHub's documentation; the escapes are those of
// actions/toolkit, packages/core/src/command.ts.
func Annotations(to io.Writer, v *judge.Verdict) error {
	p := newPage(v, false)
	w := bufio.NewWriter(to)
	levels := map[string][]string{}
	say := func(level, title string, it item) {
		at := ""
		if it.file != "" {
			at = "file=" + property.Replace(it.file) + ","
			if it.line > 0 {
				at += fmt.Sprintf("line=%d,", it.line)
			}
		}
		text := cmp.Or(strings.Join(append([]string{it.String()}, it.causes...), "\n"), title)
		levels[level] = append(levels[level], fmt.Sprintf("::%s %stitle=%s::%s\n", level, at,
			property.Replace("Gate: "+strings.ToLower(title)), data.Replace(text)))
	}
	for _, s := range append(p.findings, p.remarks...) {
		for _, it := range s.items {
			if s.level != "" {
				say(s.level, s.heading, it)
			}
		}
	}
	level := map[judge.Status]string{judge.Worse: "error", judge.Unusable: "error", judge.CannotTell: "warning"}[v.Status]
	if level != "" && len(levels[level]) == 0 { // a status that fails is never silent
		say(level, v.Status.String(), item{text: p.verdict})
	}
	for _, level := range []string{"error", "warning", "notice"} {
		lines := levels[level]
		if n := len(lines) - fewAnnotations + 1; n > 1 {
			levels[level] = lines[:fewAnnotations-1]
			say(level, "and more", item{text: format.Whole(n) + " more are in the log: " + p.verdict})
		}
		fmt.Fprint(w, strings.Join(levels[level], ""))
	}
	return w.Flush()
}

var (
	data     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
