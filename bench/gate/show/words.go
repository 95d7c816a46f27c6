package show

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"lorabench/bench/format"
	"lorabench/bench/gate/judge"
)

// The most runes of a sentence and of a table's cell: files may hold anything, and a page of one name
// hides the rest.
const (
	longSentence = 600
	longCell     = 90
	longLine     = 4000
)

// clean is text from files made fit for one line: nothing that moves a terminal's cursor, no command
// of a CI's log (to GitHub a line that begins with two colons is one, and whatever follows ##[ anywhere),
// not longer than limit runes.
func clean(s string, limit int) string {
	s = clip(strings.ToValidUTF8(s, "\uFFFD"), limit)
	if strings.HasPrefix(s, "::") {
		s = `\` + s
	}
	s = strings.ReplaceAll(s, "##[", `##\[`)
	if !strings.ContainsFunc(s, unfit) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if !unfit(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRune(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

func unfit(r rune) bool { return !unicode.IsPrint(r) }

// clip leaves the beginning and the end of what is too long.
func clip(s string, limit int) string {
	if len(s) <= limit || utf8.RuneCountInString(s) <= limit {
		return s
	}
	r := []rune(s)
	end := limit / 3
	return string(r[:limit-end-1]) + "…" + string(r[len(r)-end:])
}

func sentence(s string) string { return clean(s, longSentence) }

// Line is text that may have come from files, fit for a line of a terminal or of a CI's log.
func Line(s string) string { return clean(s, longLine) }

func cell(s string) string { return clean(s, longCell) }

// word is a status in one word or two, as JSON has it.
func word(s judge.Status) string {
	switch s {
	case judge.Pass:
		return "pass"
	case judge.Worse:
		return "worse"
	case judge.Unusable:
		return "unusable"
	case judge.CannotTell:
		return "cannot tell"
	}
	return "status " + strconv.Itoa(int(s))
}

// verdict is the sentence that everything begins with.
func verdict(v *judge.Verdict) string {
	if v.Text != "" {
		return sentence(v.Text)
	}
	return map[judge.Status]string{
		judge.Pass:       "As good or better.",
		judge.Worse:      "Worse.",
		judge.Unusable:   "The results cannot be judged.",
		judge.CannotTell: "Cannot tell.",
	}[v.Status]
}

// where is a problem's file and line.
func where(p *judge.Problem) string {
	if p.File == "" || p.Line == 0 {
		return clean(p.File, longSentence)
	}
	return clean(p.File, longSentence) + ":" + strconv.Itoa(p.Line)
}

// kind is what is wrong in a word or two.
func kind(p *judge.Problem) string {
	if p.Kind == "" {
		return "unusable input"
	}
	return cell(string(p.Kind))
}

// problem is a problem as compilers print theirs: file:line: what.
func problem(p *judge.Problem) string {
	s := sentence(p.Text)
	if s == "" {
		s = kind(p)
	}
	if at := where(p); at != "" {
		return at + ": " + s
	}
	return s
}

// figures is what a result's values did: "319.4 → 303.1, -5.1 % (-5.9 … -4.3)".
func figures(r *judge.Result) string {
	s := step(r)
	if format.Finite(r.Change) {
		s += ", " + change(r)
	}
	return s
}

// step is what a result went from and to.
func step(r *judge.Result) string {
	a, b := centers(r)
	return a + " → " + b
}

// reason is why a result is called what it is, which begins with the change where there is one.
func reason(r *judge.Result) string {
	if r.Why == "" {
		return figures(r)
	}
	return step(r) + ": " + sentence(r.Why)
}

// subject is whose result it is.
func subject(r *judge.Result) string { return cell(r.Benchmark) + " " + cell(r.Unit) }

var classes = []judge.Class{judge.Loss, judge.Speed, judge.Memory, judge.Count, judge.Other}

// side is where a side's results are from: its files and commits.
func side(s *judge.Side) string {
	text := cell(s.Label)
	switch n := len(s.Files); {
	case n == 1:
		text += ": " + sentence(s.Files[0])
	case n > 1:
		text += fmt.Sprintf(": %s to %s (%s)", sentence(s.Files[0]), sentence(s.Files[n-1]), format.Count(n, "file"))
	}
	for _, c := range s.Config {
		if c.Key == "commit" && len(c.Values) > 0 {
			text += ", commit " + cell(strings.Join(c.Values, ", "))
		}
	}
	return text
}

// setting is what both sides ran on, as far as the files say it: device, GPU or CPU, libtorch, data type.
func setting(v *judge.Verdict) string {
	var parts []string
	for _, key := range []string{"model", "recipe", "device", "gpu", "cpu", "torch", "dtype"} {
		a, b := value(&v.Baseline, key), value(&v.New, key)
		if a == "" || a != b || key == "cpu" && value(&v.New, "gpu") != "" {
			continue
		}
		if key == "torch" {
			a = "torch " + a
		}
		parts = append(parts, cell(a))
	}
	return strings.Join(parts, ", ")
}

func value(s *judge.Side, key string) string {
	for _, c := range s.Config {
		if c.Key == key {
			return strings.Join(c.Values, ", ")
		}
	}
	return ""
}

// label is what a side's column is headed with.
func label(s *judge.Side, otherwise string) string {
	if s.Label == "" {
		return otherwise
	}
	return cell(s.Label)
}

// mark is the call in the table: what is a finding stands out.
func mark(r *judge.Result) string {
	switch r.Call {
	case judge.CallWorse:
		return "✗ worse"
	case judge.CallBetter:
		return "✓ better"
	case judge.CallCannotTell:
		return "? cannot tell"
	case judge.CallShown:
		if r.SameAs != "" {
			return "as " + cell(r.SameAs)
		}
		return "not judged"
	case judge.CallSame:
		if !r.Exact && r.Corrected < r.Rule.Alpha { // a difference that is real and too small to matter
			return "within " + format.Level(r.Rule.Floor)
		}
	}
	return string(r.Call)
}

// most takes the first n of a list, all of them where n is 0, and says how many are left out.
func most[T any](list []T, n int) (first []T, left int) {
	if n > 0 && len(list) > n {
		return list[:n], len(list) - n
	}
	return list, 0
}
