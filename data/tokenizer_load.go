package data

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// LoadTokenizer reads the tokenizer of a model's folder: tokenizer.json, else vocab.json and merges.txt, else
// gpt2-vocab.json and gpt2-merges.txt (metaseq's names). tokenizer_config.json, special_tokens_map.json and
// config.json, where they are, say which token is BOS.
//
// It must be byte-level BPE without a prefix space, as OPT's is, with a token for each of the 256 bytes; any other is
// an error that names the file and the field.
func LoadTokenizer(dir string) (*Tokenizer, error) {
	t, err := loadTokenizer(dir)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return t, nil
}

func loadTokenizer(dir string) (*Tokenizer, error) {
	names, err := specialNames(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "tokenizer.json")
	raw, err := os.ReadFile(path)
	if err == nil {
		t, err := parseTokenizerJSON(raw, names)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return t, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, prefix := range []string{"", "gpt2-"} {
		vocabPath, mergesPath := filepath.Join(dir, prefix+"vocab.json"), filepath.Join(dir, prefix+"merges.txt")
		vocab, err := os.ReadFile(vocabPath)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		merges, err := os.ReadFile(mergesPath)
		if err != nil {
			return nil, fmt.Errorf("%s is there, but its merges are not: %w", vocabPath, err)
		}
		t, err := parseVocabMerges(vocab, merges, names)
		if err != nil {
			return nil, fmt.Errorf("%s with %s: %w", vocabPath, mergesPath, err)
		}
		return t, nil
	}
	return nil, fmt.Errorf("%s has no tokenizer.json and no vocab.json with merges.txt: put the model's tokenizer files there", dir)
}

// parseVocabMerges makes a tokenizer of the two files of GPT-2's format.
func parseVocabMerges(vocabJSON, mergesText []byte, names specialTokens) (*Tokenizer, error) {
	var vocab map[string]int64
	if err := unmarshal(vocabJSON, &vocab); err != nil {
		return nil, fmt.Errorf("vocabulary: %w", err)
	}
	if !utf8.Valid(mergesText) {
		return nil, errors.New("merges: not UTF-8")
	}
	var merges [][2]string
	for i, line := range strings.Split(string(mergesText), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || strings.HasPrefix(line, "#version") {
			continue
		}
		m, err := splitMerge(line)
		if err != nil {
			return nil, fmt.Errorf("merges, line %d: %w", i+1, err)
		}
		merges = append(merges, m)
	}
	t, err := newTokenizer(vocab, merges)
	if err != nil {
		return nil, err
	}
	for _, text := range names.texts() {
		id, ok := vocab[text]
		if !ok {
			return nil, fmt.Errorf("the vocabulary has no %q, which is a special token", text)
		}
		t.addSpecial(text, int32(id), true)
	}
	return t, t.chooseBOS(names, vocab)
}

// tokenizerFile is what matters here of Hugging Face's tokenizer.json. Its post_processor, truncation and padding do
// not: BOS, the cut and batches are this package's own.
type tokenizerFile struct {
	AddedTokens []struct {
		ID         int64  `json:"id"`
		Content    string `json:"content"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized bool   `json:"normalized"`
	} `json:"added_tokens"`
	Normalizer   json.RawMessage `json:"normalizer"`
	PreTokenizer *struct {
		Type           string `json:"type"`
		AddPrefixSpace *bool  `json:"add_prefix_space"`
		UseRegex       *bool  `json:"use_regex"`
	} `json:"pre_tokenizer"`
	Model struct {
		Type         string            `json:"type"`
		Dropout      *float64          `json:"dropout"`
		Prefix       *string           `json:"continuing_subword_prefix"`
		Suffix       *string           `json:"end_of_word_suffix"`
		IgnoreMerges bool              `json:"ignore_merges"`
		Vocab        map[string]int64  `json:"vocab"`
		Merges       []json.RawMessage `json:"merges"`
	} `json:"model"`
}

// refuse names the first setting that this package's BPE does not do.
func (f *tokenizerFile) refuse() error {
	empty := func(s *string) bool { return s == nil || *s == "" }
	pre := f.PreTokenizer
	switch {
	case f.Model.Type != "BPE":
		return fmt.Errorf("model.type is %q: only BPE is supported", f.Model.Type)
	case f.Model.Dropout != nil && *f.Model.Dropout != 0:
		return fmt.Errorf("model.dropout is %v: only 0 is supported", *f.Model.Dropout)
	case !empty(f.Model.Prefix):
		return fmt.Errorf("model.continuing_subword_prefix is %q: only none is supported", *f.Model.Prefix)
	case !empty(f.Model.Suffix):
		return fmt.Errorf("model.end_of_word_suffix is %q: only none is supported", *f.Model.Suffix)
	case len(f.Normalizer) > 0 && string(f.Normalizer) != "null":
		return errors.New("normalizer is set: only null is supported")
	case pre == nil:
		return errors.New("pre_tokenizer is missing: only ByteLevel is supported")
	case pre.Type != "ByteLevel":
		return fmt.Errorf("pre_tokenizer.type is %q: only ByteLevel is supported", pre.Type)
	case pre.AddPrefixSpace == nil || *pre.AddPrefixSpace: // tokenizers takes an absent field for true
		return errors.New("pre_tokenizer.add_prefix_space is not false: only false is supported")
	case pre.UseRegex != nil && !*pre.UseRegex:
		return errors.New("pre_tokenizer.use_regex is false: only true is supported")
	}
	return nil
}

func parseTokenizerJSON(raw []byte, names specialTokens) (*Tokenizer, error) {
	var f tokenizerFile
	if err := unmarshal(raw, &f); err != nil {
		return nil, err
	}
	if err := f.refuse(); err != nil {
		return nil, err
	}
	merges := make([][2]string, len(f.Model.Merges))
	for i, m := range f.Model.Merges {
		var err error
		if merges[i], err = parseMerge(m); err != nil {
			return nil, fmt.Errorf("model.merges[%d]: %w", i, err)
		}
	}
	vocab := f.Model.Vocab
	t, err := newTokenizer(vocab, merges)
	if err != nil {
		return nil, err
	}
	if f.Model.IgnoreMerges {
		t.useWholeWords(vocab)
	}
	for i, a := range f.AddedTokens {
		switch {
		case a.Content == "":
			return nil, fmt.Errorf("added_tokens[%d].content is empty", i)
		case a.ID < 0 || a.ID > maxID:
			return nil, fmt.Errorf("added_tokens[%d].id is %d: it must be in 0..%d", i, a.ID, maxID)
		case a.SingleWord || a.LStrip || a.RStrip:
			return nil, fmt.Errorf("added_tokens[%d] %q: single_word, lstrip and rstrip are not supported", i, a.Content)
		}
		if id, ok := vocab[a.Content]; ok && id != a.ID {
			return nil, fmt.Errorf("added_tokens[%d] %q has id %d, but %d in model.vocab", i, a.Content, a.ID, id)
		}
		t.addSpecial(a.Content, int32(a.ID), a.Normalized)
		vocab[a.Content] = a.ID
	}
	return t, t.chooseBOS(names, vocab)
}

// parseMerge reads "a b" or, as newer files have it, ["a", "b"].
func parseMerge(raw json.RawMessage) (m [2]string, err error) {
	if bytes.HasPrefix(raw, []byte("[")) {
		var list []string
		if err := json.Unmarshal(raw, &list); err != nil || len(list) != 2 {
			return m, fmt.Errorf("%s is not two strings", raw)
		}
		return [2]string(list), nil
	}
	var line string
	if err := json.Unmarshal(raw, &line); err != nil {
		return m, fmt.Errorf("%s is neither a string nor two", raw)
	}
	return splitMerge(line)
}

func splitMerge(line string) (m [2]string, err error) {
	left, right, ok := strings.Cut(line, " ")
	if !ok || left == "" || right == "" || strings.Contains(right, " ") {
		return m, fmt.Errorf("%q is not two tokens with one space between", line)
	}
	return [2]string{left, right}, nil
}

// unmarshal is json.Unmarshal of a file that must be UTF-8; a byte order mark is dropped.
func unmarshal(raw []byte, v any) error {
	if !utf8.Valid(raw) {
		return errors.New("not UTF-8")
	}
	return json.Unmarshal(bytes.TrimPrefix(raw, []byte("\ufeff")), v)
}
