package data

import (
	"errors"
	"fmt"
)

// maxID bounds what a broken file can make the tables of a tokenizer grow to. Vocabularies have fewer than 2^19 tokens.
const maxID = 1<<22 - 1

// newTokenizer builds the tables; there are no added tokens yet.
func newTokenizer(vocab map[string]int64, merges [][2]string) (*Tokenizer, error) {
	t := &Tokenizer{}
	if len(vocab) == 0 {
		return nil, errors.New("the vocabulary is empty")
	}
	owner := make(map[int64]string, len(vocab))
	for token, id := range vocab {
		if id < 0 || id > maxID {
			return nil, fmt.Errorf("token %q has id %d: it must be in 0..%d", token, id, maxID)
		}
		if other, taken := owner[id]; taken {
			return nil, fmt.Errorf("tokens %q and %q have the same id %d", min(token, other), max(token, other), id)
		}
		owner[id] = token
		t.setText(int32(id), byteText(token))
	}
	for b, r := range byteRunes {
		id, ok := vocab[string(r)]
		if !ok {
			return nil, fmt.Errorf("the vocabulary has no token for the byte 0x%02x (%q): it is not byte-level", b, string(r))
		}
		t.bpe.bytes[b] = int32(id)
	}
	t.bpe.cache = newWordCache()
	t.bpe.merges = make(map[[2]int32]merge, len(merges))
	for rank, m := range merges {
		var ids [3]int64
		for i, token := range []string{m[0], m[1], m[0] + m[1]} {
			id, ok := vocab[token]
			if !ok {
				return nil, fmt.Errorf("merge %d of %q and %q: the vocabulary has no %q", rank+1, m[0], m[1], token)
			}
			ids[i] = id
		}
		// A pair that comes twice has the later rank, as in tokenizers.
		t.bpe.merges[[2]int32{int32(ids[0]), int32(ids[1])}] = merge{rank: int32(rank), id: int32(ids[2])}
	}
	return t, nil
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

// byteRunes are the characters by which GPT-2's files write bytes: printable ones stand for themselves, the others for
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

// byteText is what a token decodes to: its bytes, or, if it is not written in byteRunes, itself.
func byteText(token string) string {
	if text, ok := bytesOf(token); ok {
		return text
	}
	return token
}
