package show

import (
	"strings"
	"unicode"
)

// The most runes of a line and of a table's cell: files may hold anything, and a page of one name hides the rest.
const (
	longLine = 600
	longCell = 90
)

// clean is text from files made fit for one line: nothing that moves a terminal's cursor, no command of a CI's log (to GitHub a
// line that begins with two colons is one, and whatever follows ##[ anywhere), and of more than limit runes the first and last.
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

// Line is text that may have come from files, fit for a line of a terminal or of a CI's log.
func Line(s string) string { return clean(s, longLine) }

func cell(s string) string { return clean(s, longCell) }
