package data

import (
	"unicode"
	"unicode/utf8"
)

// threeDigits returns the length of the first match of Llama 3's splitting expression in s, which must not be empty:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// Some alternative matches at every position, so the words make up the whole text.
func threeDigits(s string) int { return wordOfDigits(s, 3) }

// oneDigit does the same for Qwen's expression, which has \p{N} for \p{N}{1,3}.
func oneDigit(s string) int { return wordOfDigits(s, 1) }

func wordOfDigits(s string, digits int) int {
	if n := anyCaseContraction(s); n > 0 {
		return n
	}
	class, n := classOf(s)
	switch {
	case class == classLetter:
		return n + runOf(classLetter, s[n:])
	case class == classNumber:
		for digits--; digits > 0 && n < len(s); digits-- {
			next, size := classOf(s[n:])
			if next != classNumber {
				break
			}
			n += size
		}
		return n
	case n < len(s) && s[0] != '\r' && s[0] != '\n':
		if letters := runOf(classLetter, s[n:]); letters > 0 {
			return n + letters
		}
	}
	start := 0
	if s[0] == ' ' {
		start = 1
	}
	if others := runOf(classOther, s[start:]); others > 0 {
		return start + others + lineEnds(s[start+others:])
	}
	return lines(s)
}

// anyCaseContraction does what contraction does, in either case. U+017F is another small s.
func anyCaseContraction(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	switch s[1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(s) > 2 {
		switch [2]byte{s[1] | 0x20, s[2] | 0x20} {
		case [2]byte{'r', 'e'}, [2]byte{'v', 'e'}, [2]byte{'l', 'l'}:
			return 3
		}
		if s[1:3] == "\u017f" {
			return 3
		}
	}
	return 0
}

// lineEnds returns how many bytes at the beginning of s match [\r\n]*.
func lineEnds(s string) int {
	n := 0
	for n < len(s) && (s[n] == '\r' || s[n] == '\n') {
		n++
	}
	return n
}

// lines returns the length of \s*[\r\n]+|\s+(?!\S)|\s+ : white space up to its last line end, else what spaces returns.
func lines(s string) int {
	space := runOf(classSpace, s)
	for end := space; end > 0; end-- {
		if s[end-1] == '\r' || s[end-1] == '\n' {
			return end
		}
	}
	return spaces(s)
}

// singleDigit returns the length of the first piece of s, as tokenizers' Digits cuts it: one digit, or what comes before one.
func singleDigit(s string) int {
	end := 0
	for end < len(s) {
		number, n := isDigit(s[end:])
		if number && end == 0 {
			return n
		}
		if number {
			break
		}
		end += n
	}
	return end
}

// isDigit reports whether the first character of s, of n bytes, is a digit to Rust's char::is_numeric.
func isDigit(s string) (digit bool, n int) {
	class, n := classOf(s)
	if class != classOther || n == 1 {
		return class == classNumber, n
	}
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.Is(newDigits, r), n
}

// piece returns the length of the first piece of s: a run of spaces, which are written U+2581, and the text up to the next one.
func piece(s string) int {
	end := 0
	for end+len(space) <= len(s) && s[end:end+len(space)] == space {
		end += len(space)
	}
	for end < len(s) && (s[end] != space[0] || len(s) < end+len(space) || s[end:end+len(space)] != space) {
		end++
	}
	return end
}
