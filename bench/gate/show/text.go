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
		fmt.Fprintf(w, "\n%s not shown, the same on both sides: -v shows them\n", format.Count(p.left, "result"))
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

// markdownRows is how many rows a table may have: GitHub refuses a comment of more than 65,536 characters, and a row is about
// 150.
const markdownRows = 200

// Markdown writes for a pull request's comment or a job's summary: a line, and all details folded away, when all is well; what
// is wrong before them when it is not. Nothing of a file's text can become markup or a mention.
func Markdown(to io.Writer, v *judge.Verdict) error {
	p := newPage(v, false)
	w := bufio.NewWriter(to)
	if v.Status == judge.Pass {
		fmt.Fprintf(w, "✓ **Gate:** %s\n", format.Escape(p.verdict))
	} else {
		fmt.Fprintf(w, "### ✗ Gate: %s\n\n%s\n", v.Status, format.Escape(p.verdict))
	}
	folded := p.remarks
	for _, s := range p.findings {
		if s.level == "notice" {
			folded = append([]section{s}, folded...)
			continue
		}
		s.markdown(w)
	}
	fmt.Fprintf(w, "\n<details><summary>%s</summary>\n", format.Count(len(v.Results), "result"))
	if p.table != nil {
		if n := len(p.table.Rows); n > markdownRows {
			p.table.Rows, p.left = p.table.Rows[:markdownRows], p.left+n-markdownRows
		}
		fmt.Fprintln(w)
		if v.Status == judge.Unusable {
			fmt.Fprintf(w, "%s\n\n", partial)
		}
		if err := p.table.Markdown(w); err != nil {
			return err
		}
	}
	if p.left > 0 {
		fmt.Fprintf(w, "\n%s not shown.\n", format.Count(p.left, "more result"))
	}
	for _, s := range folded {
		s.markdown(w)
	}
	fmt.Fprintf(w, "\n</details>\n")
	return w.Flush()
}

// markdown is a heading and a list.
func (s section) markdown(w io.Writer) {
	if len(s.items) == 0 {
		return
	}
	fmt.Fprintf(w, "\n**%s**\n\n", s.heading)
	for i, it := range s.items {
		if i == fewItems {
			fmt.Fprintf(w, "- … and %s more\n", format.Whole(len(s.items)-i))
			return
		}
		text := format.Escape(it.String())
		if it.subject != "" {
			text = "**" + format.Escape(it.subject) + "**: " + format.Escape(it.text)
		}
		if strings.IndexAny(text, "+-0123456789") == 0 {
			text = "\u200b" + text // it would begin a list in the list
		}
		fmt.Fprintf(w, "- %s\n", text)
		for _, c := range it.causes {
			fmt.Fprintf(w, "  - %s\n", format.Escape(c))
		}
	}
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
		levels[level] = append(levels[level], fmt.Sprintf("::%s %stitle=%s::%s\n", level, at, property.Replace("Gate: "+strings.ToLower(title)), data.Replace(text)))
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
