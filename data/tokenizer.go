package data

import (
	"strings"
)

// Special ids of OPT's tokenizer. A tokenizer whose files name another BOS uses that (Tokenizer.BOS).
const (
	Pad = 1
	BOS = 2
	EOS = 2
)

// Tokenizer is GPT-2's byte-level BPE over a vocabulary of its own: OPT's tokenizer. It is safe for concurrent use.
type Tokenizer struct {
	bpe     bpe
	text    []string // the bytes of each id; "" where there is none
	special [2]specials
	bos     int32
	size    int
}

// Encode returns the ids of text, without BOS. Special tokens written out in text become their ids, as in Hugging
// Face's tokenizers; for OPT these are <pad> and </s> alone, and <s> or <mask> are ordinary characters. Bytes that are
// not UTF-8 are encoded as they are.
func (t *Tokenizer) Encode(text string) []int32 {
	// About four characters make a token of English or code.
	ids := make([]int32, 0, len(text)/3+8)
	return t.encodeFrom(0, ids, text)
}

// encodeFrom splits text at the special tokens of one round, encodes what is between them by the next round, and at
// last by BPE. There are two rounds because tokenizers looks for those that are not "normalized" first.
func (t *Tokenizer) encodeFrom(round int, ids []int32, text string) []int32 {
	if round == len(t.special) {
		for text != "" {
			n := word(text)
			ids = t.bpe.encode(ids, text[:n])
			text = text[n:]
		}
		return ids
	}
	set := t.special[round]
	for text != "" {
		at, length, id := set.first(text)
		if at < 0 {
			return t.encodeFrom(round+1, ids, text)
		}
		ids = append(t.encodeFrom(round+1, ids, text[:at]), id)
		text = text[at+length:]
	}
	return ids
}

// Decode returns the text of ids. Special tokens are written out; ids without a token give nothing. Where ids cut a
// character in two, so does the string.
func (t *Tokenizer) Decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id >= 0 && int(id) < len(t.text) {
			b.WriteString(t.text[id])
		}
	}
	return b.String()
}

// Size is 1 + the largest id. The model's embedding must have at least as many rows.
func (t *Tokenizer) Size() int { return t.size }

// BOS is the id that goes before each text.
func (t *Tokenizer) BOS() int32 { return t.bos }

// specials are tokens that are looked for in the text itself.
type specials struct {
	ids   map[string]int32
	texts []string // longest first
	heads string   // the first bytes of all
}

func (s *specials) add(text string, id int32) {
	if s.ids == nil {
		s.ids = map[string]int32{}
	}
	if _, known := s.ids[text]; !known {
		i := 0
		for i < len(s.texts) && len(s.texts[i]) >= len(text) {
			i++
		}
		s.texts = append(s.texts[:i], append([]string{text}, s.texts[i:]...)...)
		if strings.IndexByte(s.heads, text[0]) < 0 {
			s.heads += text[:1]
		}
	}
	s.ids[text] = id
}

// first finds the leftmost special token, of several there the longest; at is -1 if there is none.
func (s *specials) first(text string) (at, length int, id int32) {
	for at := 0; at < len(text); at++ {
		if strings.IndexByte(s.heads, text[at]) < 0 {
			continue
		}
		for _, token := range s.texts {
			if strings.HasPrefix(text[at:], token) {
				return at, len(token), s.ids[token]
			}
		}
	}
	return -1, 0, 0
}
