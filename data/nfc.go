package data

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// lateComposite is composed since Unicode 13. The NFC of Hugging Face's tokenizers has the tables of Unicode 9, which do not
// compose it and do not order the marks that came later (lateMarks).
const lateComposite = 0x11938

// mark is a character and its canonical combining class. A byte that is not UTF-8 is a negative character.
type mark struct {
	r     rune
	class uint8
}

// nfc returns the canonical composition of s as tokenizers' NFC makes it. Most text is composed already. The rest is not left
// to norm.NFC.String, because its tables are newer and it puts U+034F after 30 marks.
func nfc(s string) string {
	if norm.NFC.IsNormalString(s) {
		return s
	}
	marks := compose(decompose(s))
	var b strings.Builder
	for _, m := range marks {
		if m.r < 0 {
			b.WriteByte(byte(-m.r))
		} else {
			b.WriteRune(m.r)
		}
	}
	return b.String()
}

// decompose returns the canonical decomposition of s, marks in the order of their classes.
func decompose(s string) (marks []mark) {
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			marks = append(marks, mark{r: -rune(s[0])})
		case r < utf8.RuneSelf || r == lateComposite:
			marks = append(marks, mark{r: r})
		default:
			for _, d := range norm.NFD.String(s[:n]) {
				marks = insertMark(marks, d)
			}
		}
		s = s[n:]
	}
	return marks
}

// insertMark puts r after the last character whose class is not higher.
func insertMark(marks []mark, r rune) []mark {
	m := mark{r: r}
	if !unicode.Is(lateMarks, r) {
		m.class = norm.NFD.PropertiesString(string(r)).CCC()
	}
	i := len(marks)
	marks = append(marks, m)
	for ; m.class > 0 && i > 0 && marks[i-1].class > m.class; i-- {
		marks[i], marks[i-1] = marks[i-1], m
	}
	return marks
}

// compose joins, in place, each character with the starter before it, unless one between them has the same class or a
// higher one.
func compose(marks []mark) []mark {
	out, starter := marks[:0], -1
	for _, m := range marks {
		if starter >= 0 && (starter == len(out)-1 || out[len(out)-1].class < m.class) {
			if r := composite(out[starter].r, m.r); r != 0 {
				out[starter].r = r
				continue
			}
		}
		out = append(out, m)
		if m.class == 0 {
			starter = len(out) - 1
		}
	}
	return out
}

// composite returns the character that a and b compose to, or 0.
func composite(a, b rune) rune {
	if a < 0 || b < utf8.RuneSelf {
		return 0
	}
	pair := norm.NFC.String(string(a) + string(b))
	r, n := utf8.DecodeRuneInString(pair)
	if n < len(pair) || r == lateComposite {
		return 0
	}
	return r
}
