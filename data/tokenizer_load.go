package data

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// LoadTokenizer reads the tokenizer of a model's folder: tokenizer.json, else vocab.json and merges.txt, else
// gpt2-vocab.json and gpt2-merges.txt (metaseq's names). Added tokens, BOS and EOS come from where transformers 5 takes
// them (tokenizerConfig). A vocabulary without such files is taken for OPT's: <pad> and </s> are special, and
// config.json's bos_token_id, else BOS, goes first.
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
	c, err := readTokenizerConfig(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "tokenizer.json")
	raw, err := os.ReadFile(path)
	if err == nil {
		t, err := parseTokenizerJSON(raw, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return t, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if c.fast && c.found {
		return nil, fmt.Errorf("%s: tokenizer_class PreTrainedTokenizerFast or TokenizersBackend needs tokenizer.json, which is not there",
			filepath.Join(dir, "tokenizer_config.json"))
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
		t, err := parseVocabMerges(vocab, merges, c)
		if err != nil {
			return nil, fmt.Errorf("%s with %s: %w", vocabPath, mergesPath, err)
		}
		return t, nil
	}
	return nil, fmt.Errorf("%s has no tokenizer.json and no vocab.json with merges.txt: put the model's tokenizer files there", dir)
}

// parseVocabMerges makes a tokenizer of the two files of GPT-2's format.
func parseVocabMerges(vocabJSON, mergesText []byte, c tokenizerConfig) (*Tokenizer, error) {
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
	v := vocabulary{t, vocab, map[string]addedToken{}}
	if !c.found {
		return t, v.addOPTs(c.bosID)
	}
	if err := v.addAll(c.listed, c.named); err != nil {
		return nil, err
	}
	if bos := c.token("bos_token"); c.addBOS && bos != "" {
		t.around.prefix = []int32{int32(vocab[bos])}
	}
	if eos := c.token("eos_token"); c.addEOS && eos != "" {
		t.around.suffix = []int32{int32(vocab[eos])}
	}
	return t, nil
}

// addOPTs adds OPT's special tokens to a vocabulary without files beside it.
func (v *vocabulary) addOPTs(bosID json.RawMessage) error {
	for _, content := range []string{"<pad>", "</s>"} {
		id, ok := v.ids[content]
		if !ok {
			return fmt.Errorf("the vocabulary has no %q, OPT's special token, and no file names others", content)
		}
		if err := v.add(addedToken{content: content, id: id, normalized: true}); err != nil {
			return err
		}
	}
	bos := int32(BOS)
	if !empty(bosID) && json.Unmarshal(bosID, &bos) != nil || bos < 0 || int(bos) >= v.size || v.text[bos] == "" {
		return fmt.Errorf("BOS is %s (config.json's bos_token_id, else OPT's 2), which is no token of the vocabulary", cmp.Or(string(bosID), "2"))
	}
	v.around.prefix = []int32{bos}
	return nil
}

// tokenizerFile has the fields of tokenizer.json that can change ids. transformers overrides its padding and
// truncation with the caller's, except for the side that is cut.
type tokenizerFile struct {
	AddedTokens []json.RawMessage `json:"added_tokens"`
	Truncation  struct {
		Direction string `json:"direction"`
	} `json:"truncation"`
	PostProcessor *postProcessor  `json:"post_processor"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  *struct {
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
	case f.Truncation.Direction == "Left":
		return errors.New("truncation.direction is Left: only Right is supported")
	}
	return nil
}

func parseTokenizerJSON(raw []byte, c tokenizerConfig) (*Tokenizer, error) {
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
		if !c.fast {
			return nil, errors.New("model.ignore_merges is true, which tokenizer_class GPT2Tokenizer ignores: " +
				"only PreTrainedTokenizerFast and TokenizersBackend use it")
		}
		t.useWholeWords(vocab)
	}
	own := make([]addedToken, len(f.AddedTokens))
	for i, raw := range f.AddedTokens {
		if own[i], err = parseAdded(raw, false); err != nil {
			return nil, fmt.Errorf("added_tokens[%d]: %w", i, err)
		}
	}
	v := vocabulary{t, vocab, map[string]addedToken{}}
	if err := v.addOwn(own, c); err != nil {
		return nil, err
	}
	if f.PostProcessor != nil {
		if t.around, err = f.PostProcessor.ends(t.size); err != nil {
			return nil, fmt.Errorf("post_processor: %w", err)
		}
	}
	return t, nil
}

// addOwn adds tokenizer.json's added tokens and those of the files beside it. GPT2Tokenizer adds all in the order of
// ids, and drops tokenizer.json's own if there is an added_tokens_decoder.
func (v *vocabulary) addOwn(own []addedToken, c tokenizerConfig) error {
	if c.decoder && !c.fast {
		for _, a := range own {
			if !slices.Contains(c.listed, a) {
				return fmt.Errorf("added_tokens has %q, which tokenizer_config.json's added_tokens_decoder lacks or has with "+
					"different flags: make them equal", a.content)
			}
		}
	}
	if !c.decoder { // tokenizer.json overrides added_tokens.json
		c.listed = slices.DeleteFunc(c.listed, func(a addedToken) bool {
			return slices.ContainsFunc(own, func(o addedToken) bool { return o.id == a.id })
		})
	}
	c.listed = append(own, c.listed...)
	if !c.fast {
		slices.SortStableFunc(c.listed, func(a, b addedToken) int { return cmp.Compare(a.id, b.id) })
	}
	return v.addAll(c.listed, c.named)
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
