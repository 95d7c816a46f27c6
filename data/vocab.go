package data

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxID bounds the tables that a broken file can make a tokenizer allocate. Vocabularies have fewer than 2^19 tokens.
const maxID = 1<<22 - 1

// newTokenizer builds the tables of byte-level BPE or, if pieces is set, of SentencePiece's kind; there are no added
// tokens yet.
func newTokenizer(vocab map[string]int64, merges [][2]string, p pipeline, pieces bool) (*Tokenizer, error) {
	if err := checkVocab(vocab); err != nil {
		return nil, err
	}
	t := &Tokenizer{pipeline: p}
	use := t.useBytes
	if pieces {
		use = t.usePieces
	}
	if err := use(vocab); err != nil {
		return nil, err
	}
	t.vocabulary = t.size
	return t, t.useMerges(vocab, merges)
}

// checkVocab refuses ids that no table can hold, and those of two tokens.
func checkVocab(vocab map[string]int64) error {
	if len(vocab) == 0 {
		return errors.New("the vocabulary is empty")
	}
	owner := make(map[int64]string, len(vocab))
	for token, id := range vocab {
		if id < 0 || id > maxID {
			return fmt.Errorf("token %q has id %d: it must be in 0..%d", token, id, maxID)
		}
		if other, taken := owner[id]; taken {
			return fmt.Errorf("tokens %q and %q have the same id %d", min(token, other), max(token, other), id)
		}
		owner[id] = token
	}
	return nil
}

// useBytes makes t byte-level. Some vocabularies lack bytes that were not in the text they were trained on, SmolLM2's 0x04
// and 0xf1; one that lacks a printable character is not byte-level.
func (t *Tokenizer) useBytes(vocab map[string]int64) error {
	for token, id := range vocab {
		t.setText(int32(id), byteText(token))
	}
	for b, r := range byteRunes {
		id, ok := vocab[string(r)]
		switch {
		case ok:
			t.bpe.bytes[b] = int32(id)
		case b >= ' ' && b <= '~':
			return fmt.Errorf("the vocabulary has no token for the byte 0x%02x (%q): it is not byte-level", b, string(r))
		default:
			t.bpe.bytes[b] = -1
		}
	}
	return nil
}

// usePieces makes t a tokenizer of SentencePiece's pieces, with a token such as <0x0A> for each byte.
func (t *Tokenizer) usePieces(vocab map[string]int64) error {
	t.bpe.chars = make(map[string]int32)
	for token, id := range vocab {
		t.setText(int32(id), strings.ReplaceAll(token, space, " "))
		if utf8.RuneCountInString(token) == 1 {
			t.bpe.chars[token] = int32(id)
		}
	}
	for b := range t.bpe.bytes {
		token := byteToken(byte(b))
		id, ok := vocab[token]
		if !ok {
			return fmt.Errorf("the vocabulary has no %s, though model.byte_fallback is true: it must have a token for each byte", token)
		}
		t.bpe.bytes[b] = int32(id)
		t.setText(int32(id), string([]byte{byte(b)}))
	}
	return nil
}

// byteToken returns the piece that stands for a byte.
func byteToken(b byte) string { return fmt.Sprintf("<0x%02X>", b) }

// useMerges sets the merges, and for pieces how a text is split: if no merge crosses the beginning of a run of spaces,
// words can be encoded separately, and cached.
func (t *Tokenizer) useMerges(vocab map[string]int64, merges [][2]string) error {
	t.bpe.cache = newWordCache()
	t.bpe.merges = make(map[[2]int32]merge, len(merges))
	_, apart := t.bpe.chars[space]
	for rank, m := range merges {
		var ids [3]int64
		for i, token := range []string{m[0], m[1], m[0] + m[1]} {
			id, ok := vocab[token]
			if !ok {
				return fmt.Errorf("merge %d of %q and %q: the vocabulary has no %q", rank+1, m[0], m[1], token)
			}
			ids[i] = id
		}
		// A pair that comes twice has the later rank, as in tokenizers.
		t.bpe.merges[[2]int32{int32(ids[0]), int32(ids[1])}] = merge{rank: int32(rank), id: int32(ids[2])}
		apart = apart && (strings.HasSuffix(m[0], space) || !strings.HasPrefix(m[1], space))
	}
	if apart {
		t.splits = []splitter{{word: piece}}
	}
	return nil
}

func (t *Tokenizer) setText(id int32, text string) {
	t.size = max(t.size, int(id)+1)
	if len(t.text) < t.size {
		t.text = append(t.text, make([]string, t.size-len(t.text))...)
	}
	t.text[id] = text
}

func (t *Tokenizer) useWholeWords(vocab map[string]int64) {
	t.bpe.whole = make(map[string]int32, len(vocab))
	for token, id := range vocab {
		if text, ok := bytesOf(token); ok {
			t.bpe.whole[text] = int32(id)
		}
	}
}

// byteRunes holds the characters that GPT-2's files write for bytes: printable ones as themselves, the others as
// U+0100 and on (bytes_to_unicode in openai/gpt-2, src/encoder.py).
var byteRunes, runeBytes = func() (runes [256]rune, bytes map[rune]byte) {
	bytes = make(map[rune]byte, 256)
	extra := rune(256)
	for b := range 256 {
		r := rune(b)
		if b < '!' || b > '~' && b < '¡' || b == 0xad {
			r = extra
			extra++
		}
		runes[b], bytes[r] = r, byte(b)
	}
	return runes, bytes
}()

func bytesOf(token string) (string, bool) {
	text := make([]byte, 0, len(token))
	for _, r := range token {
		b, ok := runeBytes[r]
		if !ok {
			return "", false
		}
		text = append(text, b)
	}
	return string(text), true
}

// byteText returns what a token decodes to: its bytes, or, if it is not written in byteRunes, itself.
func byteText(token string) string {
	if text, ok := bytesOf(token); ok {
		return text
	}
	return token
}
