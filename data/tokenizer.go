package data

import (
	"slices"
	"strings"
)

// BOS is OPT's, used if no file names special tokens.
const BOS = 2

// Tokenizer is GPT-2's byte-level BPE over a vocabulary of its own: OPT's tokenizer. It is safe for concurrent use.
type Tokenizer struct {
	bpe     bpe
	text    []string // the bytes of each id; "" where there is none
	special [2]specials
	around  ends // what AddSpecial adds
	size    int
}

// Encode returns the ids of text alone. Added tokens written out in text become their ids, as in Hugging Face's
// tokenizers; for OPT these are <pad> and </s>, and <s> or <mask> are ordinary characters. Bytes that are not UTF-8 are
// encoded as they are.
func (t *Tokenizer) Encode(text string) []int32 {
	// About four characters make a token of English or code.
	return t.encodeFrom(0, make([]int32, 0, len(text)/3+8), text)
}

// AddSpecial puts BOS, EOS or whatever the tokenizer's files ask for around the ids of a text.
func (t *Tokenizer) AddSpecial(ids []int32) []int32 {
	return slices.Concat(t.around.prefix, ids, t.around.suffix)
}

// Truncate cuts the result of AddSpecial to at most n ids. It cuts the text and keeps what follows it, as transformers does.
func (t *Tokenizer) Truncate(ids []int32, n int) []int32 {
	if len(ids) <= n {
		return ids
	}
	return append(ids[:max(n-len(t.around.suffix), 0)], t.around.suffix...)
}

// encodeFrom splits text at the added tokens of one pass, then the text between them by the next pass, and encodes the
// rest by BPE. There are two passes because the tokenizers library looks for tokens that are not normalized first.
func (t *Tokenizer) encodeFrom(round int, ids []int32, text string) []int32 {
	if round < len(t.special) {
		return t.special[round].split(ids, text, func(ids []int32, text string) []int32 {
			return t.encodeFrom(round+1, ids, text)
		})
	}
	for text != "" {
		n := word(text)
		ids = t.bpe.encode(ids, text[:n])
		text = text[n:]
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
