package data

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// splitter is a step of the pre-tokenizer: it cuts a text into pieces that are encoded separately.
type splitter struct {
	word func(text string) int // the length of the first piece
	expr *regexp2.Regexp       // where there is no word function: pieces are its matches and what lies between them
}

const (
	gpt2Expression    = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	anyCase           = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	llama3Expression  = anyCase + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen2Expression   = anyCase + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	anyCaseInBrackets = `(?:'[sSſ]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])`
)

// knownExpressions maps expressions to hand-written matchers, which are many times faster than an engine.
var knownExpressions = map[string]func(string) int{gpt2Expression: word, llama3Expression: threeDigits, qwen2Expression: oneDigit}

// portable matches expressions that mean the same to Oniguruma, which tokenizers uses, and to regexp2, which has .NET's
// syntax: no anchors, \w, \b or back references, no classes within classes, no possessive quantifiers, and (?i: only in
// the contractions, where Oniguruma matches ſ as an s.
var portable = func() *regexp.Regexp {
	const (
		escape   = `\\(?:[rntsS]|[pP]\{(?:L[ulmot]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?)\}|[!-/:-@\[-^{-~` + "`" + `])`
		class    = `\[\^?(?:` + escape + `|&?[^\\\[\]&])+\]`
		literal  = `[^\\\[\](){}|?*+.^$]`
		quantity = `(?:[?*+]\??|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})?`
	)
	return regexp.MustCompile(`^(?:(?:` + escape + `|` + class + `|` + literal + `|\))` + quantity +
		`|\((?:\?[:=!])?|` + regexp.QuoteMeta(anyCase) + quantity + `|\|)*$`)
}()

// newSplitter makes a splitter for an expression.
func newSplitter(expression string) (splitter, error) {
	if word, known := knownExpressions[expression]; known {
		return splitter{word: word}, nil
	}
	if !portable.MatchString(expression) {
		return splitter{}, fmt.Errorf("the expression %.200q is not supported: beside those of GPT-2, Llama 3 and Qwen2, expressions are "+
			"read that have literals, classes, \\p{..}, \\s, groups, look-ahead and quantifiers alone", expression)
	}
	return engine(expression)
}

// engine makes a splitter that matches a portable expression, known or not, with regexp2.
func engine(expression string) (splitter, error) {
	expr, err := regexp2.Compile(strings.ReplaceAll(expression, anyCase, anyCaseInBrackets), regexp2.None)
	if err != nil {
		return splitter{}, fmt.Errorf("the expression %.200q cannot be read: %w", expression, err)
	}
	return splitter{expr: expr}, nil
}

// standIn returns r or, if regexp2 does not know it because it has Go's tables, a character of the same category.
func standIn(r rune) rune {
	if r < utf8.RuneSelf {
		return r
	}
	for _, n := range newCharacters {
		if unicode.Is(n.table, r) {
			return n.like
		}
	}
	return r
}

// split calls emit with each piece of text, in order. It is for splitters with an expr.
func (s splitter) split(text string, emit func(piece string)) {
	runes := make([]rune, 0, len(text))
	starts := make([]int, 0, len(text)+1) // the offset in text of each rune: a byte that is not UTF-8 is one
	for at := 0; at < len(text); {
		r, n := utf8.DecodeRuneInString(text[at:])
		runes, starts = append(runes, standIn(r)), append(starts, at)
		at += n
	}
	starts = append(starts, len(text))
	done := 0
	until := func(end int) {
		if done < end {
			emit(text[done:end])
			done = end
		}
	}
	// Matching fails only after a time limit, and there is none.
	for m, _ := s.expr.FindRunesMatch(runes); m != nil; m, _ = s.expr.FindNextMatch(m) {
		until(starts[m.Index])
		until(starts[m.Index+m.Length])
	}
	until(len(text))
}
