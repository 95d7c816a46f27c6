// Package show writes a verdict of package judge for those who read it: people at a terminal and on a
// pull request, programs (JSON), and CI systems (GitHub's annotations). Every writer begins with
// what was decided and says "–" where a figure does not exist; none prints NaN.
package show

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// fewLines is how many findings of a kind, or problems, are printed where not everything is asked for.
const fewLines = 20

// WriteText writes for a terminal: the verdict in a sentence, then what matters (problems, what is worse
// and why, what cannot be told, what is better), then a table of everything that was judged. Long lists
// are cut and say so.
func WriteText(w io.Writer, v *judge.Verdict) error { return writeText(w, v, false) }

// WriteVerbose is WriteText with nothing cut and with what was not judged in the table.
func WriteVerbose(w io.Writer, v *judge.Verdict) error { return writeText(w, v, true) }

func writeText(to io.Writer, v *judge.Verdict, all bool) error {
	w := bufio.NewWriter(to)
	p := &page{w: w, limit: fewLines}
	if all {
		p.limit = 0
	}
	fmt.Fprintln(w, verdict(v))
	p.problems(v)
	p.findings(v)
	if err := p.table(v, all); err != nil {
		return err
	}
	p.remarks(v)
	return w.Flush()
}

// page is text with sections.
type page struct {
	w     *bufio.Writer
	limit int // of each list; 0 is none
}

// list is a section: a heading and a line each.
func (p *page) list(heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(p.w, "\n%s\n", heading)
	first, left := most(lines, p.limit)
	for _, l := range first {
		fmt.Fprintf(p.w, "  %s\n", l)
	}
	if left > 0 {
		fmt.Fprintf(p.w, "  … and %s more: -v shows them\n", format.Whole(left))
	}
}

func (p *page) problems(v *judge.Verdict) {
	var lines []string
	for i := range v.Problems {
		lines = append(lines, problem(&v.Problems[i]))
	}
	p.list("Problems", lines)
}

func (p *page) findings(v *judge.Verdict) {
	used := map[int]bool{}
	for _, s := range []struct {
		heading string
		call    judge.Call
	}{{"Worse", judge.CallWorse}, {"Cannot tell", judge.CallCannotTell}, {"Better", judge.CallBetter}} {
		var lines []string
		for _, t := range findings(v, s.call, used) {
			lines = append(lines, strings.Join(append([]string{t.String()}, t.causes...), "\n    "))
		}
		p.list(s.heading, lines)
	}
	var rest []string
	for i := range v.Causes {
		if decided(v) && !used[i] {
			rest = append(rest, cause(&v.Causes[i]))
		}
	}
	p.list("Causes", rest)
}

func (p *page) table(v *judge.Verdict, all bool) error {
	rs, left := listed(v, all)
	if len(rs) > 0 {
		fmt.Fprintln(p.w)
		if !decided(v) {
			fmt.Fprintf(p.w, "%s\n\n", partial)
		}
		if err := cells(v, rs).Text(p.w); err != nil {
			return err
		}
	}
	if left > 0 {
		fmt.Fprintf(p.w, "\n%s the same and not shown: -v shows them\n", are(left))
	}
	return nil
}

func (p *page) remarks(v *judge.Verdict) {
	var added []string
	for _, a := range v.Added {
		added = append(added, cell(a))
	}
	p.list("New benchmarks, without a baseline", added)
	var notes []string
	for _, n := range v.Notes {
		notes = append(notes, sentence(n))
	}
	p.list("Notes", notes)
	var sides []string
	for _, s := range []*judge.Side{&v.Baseline, &v.New} {
		if len(s.Files) > 0 {
			sides = append(sides, side(s))
		}
	}
	if s := setting(v); s != "" {
		sides = append(sides, "both: "+s)
	}
	p.list("Compared", sides)
}

// partial stands before the table where the input cannot be used.
const partial = "What could be compared, which decides nothing:"

func are(n int) string {
	if n == 1 {
		return "1 result is"
	}
	return format.Count(n, "result") + " are"
}
