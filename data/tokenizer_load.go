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
	"strings"
	"unicode/utf8"
)

// LoadTokenizer reads the tokenizer of a model's folder: tokenizer.json, else vocab.json and merges.txt, else
// gpt2-vocab.json and gpt2-merges.txt (metaseq's names). Added tokens, BOS and EOS come from where transformers 5 reads
// them (tokenizerConfig). A vocabulary without such files is treated as OPT's: <pad> and </s> are special, and
// config.json's bos_token_id, else BOS, goes first.
//
// It must be byte-level BPE without a prefix space, as OPT's, Llama 3's and Qwen's, or BPE with byte fallback, as Llama 2's and
// Mistral's; any other is an error that names the file and the field.
func LoadTokenizer(dir string) (*Tokenizer, error) {
	t, err := loadTokenizer(dir)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return t, nil
}

func loadTokenizer(dir string) (*Tokenizer, error) {
	path := filepath.Join(dir, "tokenizer.json")
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c, configErr := readTokenizerConfig(dir, mentionsByteLevel(raw))
	if configErr != nil {
		return nil, configErr
	}
	if err == nil {
		t, err := parseTokenizerJSON(raw, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return t, nil
	}
	if c.class != gpt2 && (c.found || c.class != backend) {
		return nil, fmt.Errorf("%s: tokenizer_class %s (PreTrainedTokenizerFast is TokenizersBackend) needs tokenizer.json, which is not there",
			filepath.Join(dir, "tokenizer_config.json"), c.class)
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

// parseVocabMerges makes a tokenizer from the two files of GPT-2's format.
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
	t, err := newTokenizer(vocab, merges, gpt2Pipeline, false)
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

// unmarshal parses a JSON file that must be UTF-8; a byte order mark is dropped.
func unmarshal(raw []byte, v any) error {
	if !utf8.Valid(raw) {
		return errors.New("not UTF-8")
	}
	return json.Unmarshal(bytes.TrimPrefix(raw, []byte("\ufeff")), v)
}
