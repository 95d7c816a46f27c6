package show

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
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
