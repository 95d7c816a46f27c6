package data

import (
	"unicode"
	"unicode/utf8"
)

// word returns the length in bytes of the first match of GPT-2's splitting pattern in s, which must not be empty:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// (openai/gpt-2, src/encoder.py). It is written by hand because Go's regexp has no look-ahead; an engine that has one is
// many times slower. Some alternative matches at every position, so the words make up the whole text.
func word(s string) int {
	if n := contraction(s); n > 0 {
		return n
	}
	start := 0
	if s[0] == ' ' {
		start = 1
	}
	if start < len(s) {
		if class, n := classOf(s[start:]); class != classSpace {
			return start + n + runOf(class, s[start+n:])
		}
	}
	return spaces(s)
}

func contraction(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	switch s[1] {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(s) > 2 {
		switch s[1:3] {
		case "re", "ve", "ll":
			return 3
		}
	}
	return 0
}

// spaces returns the length of \s+(?!\S)|\s+ : a run of white space leaves its last character to the word that follows, if it can.
func spaces(s string) int {
	end, last := 0, 0
	for end < len(s) {
		class, n := classOf(s[end:])
		if class != classSpace {
			break
		}
		end, last = end+n, n
	}
	if end < len(s) && end > last {
		return end - last
	}
	return end
}

// runOf returns how many bytes at the beginning of s are of one class.
func runOf(class runeClass, s string) int {
	end := 0
	for end < len(s) {
		c, n := classOf(s[end:])
		if c != class {
			break
		}
		end += n
	}
	return end
}

type runeClass uint8

const (
	classOther  runeClass = iota
	classLetter           // \p{L}
	classNumber           // \p{N}
	classSpace            // \s
)

var asciiClass = func() (table [utf8.RuneSelf]runeClass) {
	for r := range rune(len(table)) {
		table[r] = unicodeClass(r)
	}
	return table
}()

// classOf returns the class of the first rune of s and its length. A byte that is not UTF-8 is classOther.
func classOf(s string) (runeClass, int) {
	if s[0] < utf8.RuneSelf {
		return asciiClass[s[0]], 1
	}
	r, n := utf8.DecodeRuneInString(s)
	return unicodeClass(r), n
}

func unicodeClass(r rune) runeClass {
	switch {
	case unicode.IsLetter(r):
		return classLetter
	case unicode.IsNumber(r):
		return classNumber
	case unicode.IsSpace(r):
		return classSpace
	case unicode.Is(newLetters, r):
		return classLetter
	case unicode.Is(newNumbers, r):
		return classNumber
	}
	return classOther
}
