package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// maxID bounds what a broken file can make the tables of a tokenizer grow to. Vocabularies have fewer than 2^19 tokens.
const maxID = 1<<22 - 1

// newTokenizer builds the tables; there are no special tokens yet.
func newTokenizer(vocab map[string]int64, merges [][2]string) (*Tokenizer, error) {
	t := &Tokenizer{bos: BOS}
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

func (t *Tokenizer) addSpecial(text string, id int32, normalized bool) {
	round := 0
	if normalized {
		round = 1
	}
	t.special[round].add(text, id)
	t.setText(id, text)
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

// specialTokens are the texts of the special tokens, as the files beside the vocabulary name them, and config.json's id.
type specialTokens struct {
	bos, eos, unk, pad string
	bosID              *int64
}

// texts returns the distinct special tokens; OPT's where no file names any.
func (s specialTokens) texts() []string {
	var texts []string
	for _, text := range []string{s.pad, s.bos, s.eos, s.unk} {
		if text != "" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return []string{"<pad>", "</s>"}
	}
	return texts
}

// specialNames reads what the files of a model's folder say of its special tokens, the more particular file first.
func specialNames(dir string) (specialTokens, error) {
	var s specialTokens
	for _, name := range []string{"tokenizer_config.json", "special_tokens_map.json", "config.json"} {
		path := filepath.Join(dir, name)
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return s, err
		}
		if err := s.read(raw); err != nil {
			return s, fmt.Errorf("%s: %w", path, err)
		}
	}
	return s, nil
}

// read fills in what is still open.
func (s *specialTokens) read(raw []byte) error {
	var f struct {
		BOS   tokenText `json:"bos_token"`
		EOS   tokenText `json:"eos_token"`
		UNK   tokenText `json:"unk_token"`
		Pad   tokenText `json:"pad_token"`
		BOSID *int64    `json:"bos_token_id"`
		Space bool      `json:"add_prefix_space"`
	}
	if err := unmarshal(raw, &f); err != nil {
		return err
	}
	if f.Space {
		return errors.New("add_prefix_space is true: only false is supported")
	}
	for _, field := range []struct {
		to   *string
		from tokenText
	}{{&s.bos, f.BOS}, {&s.eos, f.EOS}, {&s.unk, f.UNK}, {&s.pad, f.Pad}} {
		if *field.to == "" {
			*field.to = string(field.from)
		}
	}
	if s.bosID == nil {
		s.bosID = f.BOSID
	}
	return nil
}

// tokenText is a token written as a string or as an object with its content.
type tokenText string

func (t *tokenText) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*t = tokenText(text)
		return nil
	}
	var object struct {
		Content string `json:"content"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return fmt.Errorf("a token is %s: it must be a string or an object with its content", raw)
	}
	*t = tokenText(object.Content)
	return nil
}

// chooseBOS sets the id that goes before each text.
func (t *Tokenizer) chooseBOS(names specialTokens, vocab map[string]int64) error {
	switch {
	case names.bos != "":
		id, ok := vocab[names.bos]
		if !ok {
			return fmt.Errorf("the vocabulary has no %q, which tokenizer_config.json or special_tokens_map.json names as bos_token", names.bos)
		}
		t.bos = int32(id)
	case names.bosID != nil:
		if *names.bosID < 0 || *names.bosID >= int64(len(t.text)) || t.text[*names.bosID] == "" {
			return fmt.Errorf("config.json's bos_token_id is %d, which is no token of the vocabulary", *names.bosID)
		}
		t.bos = int32(*names.bosID)
	case int(t.bos) >= len(t.text) || t.text[t.bos] == "":
		return fmt.Errorf("no file names a BOS token, and OPT's, %d, is not in the vocabulary", t.bos)
	}
	return nil
}
