package show

import (
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

// Text writes for a terminal: the verdict, then what matters, then a table of everything that was judged. Long lists are cut and
// say so. all is that nothing is cut, and that what was not judged is in the table too.
func Text(v *judge.Verdict, all bool) string {
	w := new(strings.Builder)
	fmt.Fprintln(w, verdict(v))
	list(w, findings(v), all)
	t, left := table(v, all)
	if len(t.Rows) > 0 {
		fmt.Fprintln(w)
		if v.Status == judge.Unusable {
			fmt.Fprintf(w, "%s\n\n", partial)
		}
		_ = t.Text(w) // strings in memory can be drawn
	}
	if left > 0 {
		fmt.Fprintf(w, "\n%s not shown: -v shows them\n", format.Count(left, "result"))
	}
	list(w, remarks(v), all)
	return w.String()
}

// list prints the heading and items of each section that has any.
func list(w io.Writer, sections []section, all bool) {
	for _, s := range sections {
		if s.items != nil {
			fmt.Fprintf(w, "\n%s\n", s.heading)
		}
		for i, it := range s.items {
			if i == fewItems && !all {
				fmt.Fprintf(w, "  … and %s more: -v shows them\n", format.Whole(len(s.items)-i))
				break
			}
			fmt.Fprintf(w, "  %s\n", strings.Join(it.lines, "\n    "))
		}
	}
}

// Markdown writes for a job's summary or a pull request's comment: the verdict, and the text in a block, which is folded away
// when all is well. In a block nothing of a file's text can become markup or a mention.
func Markdown(v *judge.Verdict) string {
	w := new(strings.Builder)
	first := format.Escape(verdict(v))
	if v.Status == judge.Pass {
		fmt.Fprintf(w, "✓ **Gate:** %s\n\n<details><summary>%s</summary>\n", first, format.Count(len(v.Results), "result"))
	} else {
		fmt.Fprintf(w, "### ✗ Gate: %s\n\n%s\n", v.Status, first)
	}
	_, rest, _ := strings.Cut(Text(v, false), "\n")
	fmt.Fprintf(w, "\n```text\n%s\n```\n", strings.ReplaceAll(strings.TrimSpace(rest), "```", "` ` `"))
	if v.Status == judge.Pass {
		fmt.Fprint(w, "\n</details>\n")
	}
	return w.String()
}

// fewAnnotations of a section are written: GitHub keeps ten of each level and step, and the text has all.
const fewAnnotations = 10

// Annotations writes workflow commands for GitHub, a line each: an error for what is worse or unusable (at its file and line), a
// warning for what cannot be told, a notice for what is better, new or not judged. Where there is nothing to say, nothing is
// written.
//
// The format is that of "Workflow commands for GitHub Actions" in GitHub's documentation; the escapes are those of
// actions/toolkit, packages/core/src/command.ts.
func Annotations(v *judge.Verdict) string {
	w := new(strings.Builder)
	said := map[string]bool{}
	say := func(level, title string, it item) {
		said[level] = true
		at := ""
		if it.file != "" {
			at = "file=" + property.Replace(it.file) + ","
			if it.line > 0 {
				at += fmt.Sprintf("line=%d,", it.line)
			}
		}
		fmt.Fprintf(w, "::%s %stitle=%s::%s\n", level, at, property.Replace("Gate: "+strings.ToLower(title)),
			data.Replace(cmp.Or(strings.Join(it.lines, "\n"), title)))
	}
	for _, s := range append(findings(v), remarks(v)...) {
		for _, it := range s.items[:min(len(s.items), fewAnnotations)] {
			if s.level != "" {
				say(s.level, s.heading, it)
			}
		}
	}
	level := map[judge.Status]string{judge.Worse: "error", judge.Unusable: "error", judge.CannotTell: "warning"}[v.Status]
	if level != "" && !said[level] { // a status that fails is never silent
		say(level, v.Status.String(), item{lines: []string{verdict(v)}})
	}
	return w.String()
}

var (
	data     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
