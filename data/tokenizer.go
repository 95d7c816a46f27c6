package data

import (
	"slices"
	"strings"
)

// BOS is OPT's beginning-of-sequence token, used if no file names special tokens.
const BOS = 2

// Tokenizer encodes by BPE: byte-level, as OPT's, Llama 3's and Qwen's, or over SentencePiece's pieces with bytes for what
// has no piece, as Llama 2's and Mistral's. It is safe for concurrent use.
type Tokenizer struct {
	bpe     bpe
	text    []string // the bytes of each id; "" where there is none
	special [2]specials
	pipeline
	around           ends // what AddSpecial adds
	size, vocabulary int  // with added tokens and without
}

// Encode returns the ids of text alone. Added tokens written out in text become their ids, as in Hugging Face's
// tokenizers; for OPT these are <pad> and </s>, and <s> or <mask> are ordinary characters. Bytes that are not UTF-8 are
// encoded as they are. Bytes that have no token, such as some control characters in SmolLM2's vocabulary, are left out.
func (t *Tokenizer) Encode(text string) []int32 {
	// About four characters make a token of English or code.
	return t.encodeFrom(0, make([]int32, 0, len(text)/3+8), text, 0)
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

// encodeFrom splits text, which begins at offset at of the whole, at the added tokens of one pass, then the text between
// them by the next pass, and encodes the rest by BPE. There are two passes because the tokenizers library matches
// normalized tokens in the normalized text.
func (t *Tokenizer) encodeFrom(round int, ids []int32, text string, at int) []int32 {
	if round == 1 && t.normalize != nil {
		text = t.normalize(text)
	}
	if round < len(t.special) {
		return t.special[round].split(ids, text, func(ids []int32, piece string, from int) []int32 {
			return t.encodeFrom(round+1, ids, piece, at+from)
		})
	}
	if t.scheme != "" {
		text = t.metaspaced(text, at)
	}
	return t.encodeSplit(ids, text, t.splits)
}

// encodeSplit cuts text by the splits, one after the other, and encodes the pieces.
func (t *Tokenizer) encodeSplit(ids []int32, text string, splits []splitter) []int32 {
	switch {
	case len(splits) == 0:
		return t.bpe.encode(ids, text)
	case splits[0].expr != nil:
		splits[0].split(text, func(piece string) { ids = t.encodeSplit(ids, piece, splits[1:]) })
		return ids
	}
	for text != "" {
		n := splits[0].word(text)
		ids = t.encodeSplit(ids, text[:n], splits[1:])
		text = text[n:]
	}
	return ids
}

// Decode returns the text of ids. Special tokens are written out; ids without a token give nothing. Where ids cut a
// character in two, so does the string. Normalization and a space put in front of text are not undone.
func (t *Tokenizer) Decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id >= 0 && int(id) < len(t.text) {
			b.WriteString(t.text[id])
		}
	}
	return b.String()
}

// Vocabulary returns 1 + the largest id of a token that was not added. The model's embedding must have at least as many rows; added tokens may have
// none, if no text has them.
func (t *Tokenizer) Vocabulary() int { return t.vocabulary }
