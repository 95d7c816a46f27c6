package show

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// markdownRows is how many rows a table may have: GitHub refuses a comment of more than 65,536
// characters, and a row is about 150.
const markdownRows = 200

// WriteMarkdown writes for a pull request's comment or a job's summary: a line, and all details folded
// away, when all is well; what is wrong before them when it is not. Nothing of a file's text can become
// markup or a mention.
func WriteMarkdown(to io.Writer, v *judge.Verdict) error {
	w := bufio.NewWriter(to)
	if v.Status == judge.Pass {
		fmt.Fprintf(w, "✓ **Gate:** %s\n", format.Escape(verdict(v)))
	} else {
		fmt.Fprintf(w, "### ✗ Gate: %s\n\n%s\n", word(v.Status), format.Escape(verdict(v)))
	}
	m := &folder{w: w}
	m.problems(v)
	used := map[int]bool{}
	m.findings(v, "Worse", judge.CallWorse, used)
	m.findings(v, "Cannot tell", judge.CallCannotTell, used)
	if err := m.details(v, used); err != nil {
		return err
	}
	return w.Flush()
}

// folder is Markdown with a part that is folded away.
type folder struct{ w *bufio.Writer }

// list is a heading and an item each, the lines escaped before.
func (m *folder) list(heading string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(m.w, "\n**%s**\n\n", heading)
	first, left := most(items, fewLines)
	for _, i := range first {
		if strings.IndexAny(i, "+-0123456789") == 0 {
			i = "\u200b" + i // it would begin a list in the list
		}
		fmt.Fprintf(m.w, "- %s\n", i)
	}
	if left > 0 {
		fmt.Fprintf(m.w, "- … and %s more\n", format.Whole(left))
	}
}

func (m *folder) problems(v *judge.Verdict) {
	var items []string
	for i := range v.Problems {
		items = append(items, format.Escape(problem(&v.Problems[i])))
	}
	m.list("Problems", items)
}

func (m *folder) findings(v *judge.Verdict, heading string, call judge.Call, used map[int]bool) {
	var items []string
	for _, t := range findings(v, call, used) {
		item := "**" + format.Escape(t.subject) + "**: " + format.Escape(t.text)
		for _, c := range t.causes {
			item += "\n  - " + format.Escape(c)
		}
		items = append(items, item)
	}
	m.list(heading, items)
}

// details is the part that is folded: what got better, the table, what else there is to say.
func (m *folder) details(v *judge.Verdict, used map[int]bool) error {
	rs, left := listed(v, false)
	if len(rs) == 0 {
		rs, left = listed(v, true)
	}
	if len(rs) > markdownRows {
		left += len(rs) - markdownRows
		rs = rs[:markdownRows]
	}
	summary := format.Count(len(v.Results), "result")
	if n := len(v.Added); n > 0 {
		summary += ", " + format.Count(n, "new benchmark")
	}
	fmt.Fprintf(m.w, "\n<details><summary>%s</summary>\n", summary)
	m.findings(v, "Better", judge.CallBetter, used)
	var rest []string
	for i := range v.Causes {
		if decided(v) && !used[i] {
			rest = append(rest, format.Escape(cause(&v.Causes[i])))
		}
	}
	m.list("Causes", rest)
	if len(rs) > 0 {
		fmt.Fprintln(m.w)
		if !decided(v) {
			fmt.Fprintf(m.w, "%s\n\n", partial)
		}
		if err := cells(v, rs).Markdown(m.w); err != nil {
			return err
		}
	}
	if left > 0 {
		fmt.Fprintf(m.w, "\n%s not shown.\n", are(left))
	}
	m.remarks(v)
	fmt.Fprintf(m.w, "\n</details>\n")
	return nil
}

func (m *folder) remarks(v *judge.Verdict) {
	var added, notes, sides []string
	for _, a := range v.Added {
		added = append(added, format.Escape(cell(a)))
	}
	for _, n := range v.Notes {
		notes = append(notes, format.Escape(sentence(n)))
	}
	for _, s := range []*judge.Side{&v.Baseline, &v.New} {
		if len(s.Files) > 0 {
			sides = append(sides, format.Escape(side(s)))
		}
	}
	if s := setting(v); s != "" {
		sides = append(sides, "both: "+format.Escape(s))
	}
	m.list("New benchmarks, without a baseline", added)
	m.list("Notes", notes)
	m.list("Compared", sides)
}
