package smollm2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"lorabench/internal/smollm2/gguf"
)

// Types of tokens in GGUF. A control token is one of tokenizer.json's special added tokens.
const (
	normalToken  = 1
	controlToken = 3
)

type addedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// tokenizer makes tokenizer.json. Unlike transformers' conversion, which drops this, digits are split one by one before GPT-2's
// expression: that is what the pre-tokenizer "smollm" means (and checkKind requires), and what the model was trained with.
func tokenizer(f *gguf.File) (any, error) {
	tokens, err := gguf.List[string](f, "tokenizer.ggml.tokens")
	types, typesErr := gguf.List[int32](f, "tokenizer.ggml.token_type")
	lines, linesErr := gguf.List[string](f, "tokenizer.ggml.merges")
	if err := errors.Join(err, typesErr, linesErr); err != nil {
		return nil, err
	}
	if len(types) != len(tokens) {
		return nil, fmt.Errorf("tokenizer.ggml.token_type has %d elements for %d tokens", len(types), len(tokens))
	}
	added := []addedToken{}
	for id, kind := range types {
		switch kind {
		case normalToken:
		case controlToken:
			added = append(added, addedToken{ID: id, Content: tokens[id], Special: true})
		default:
			return nil, fmt.Errorf("tokenizer.ggml.token_type[%d], of %q, is %d: only normal (1) and control (3) tokens are read",
				id, tokens[id], kind)
		}
	}
	merges := make([][2]string, len(lines))
	for i, line := range lines {
		left, right, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(right, " ") {
			return nil, fmt.Errorf("tokenizer.ggml.merges[%d] is %q and not two tokens with a space between", i, line)
		}
		merges[i] = [2]string{left, right}
	}
	byteLevel := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	digits := map[string]any{"type": "Digits", "individual_digits": true}
	return map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added, "normalizer": nil, "post_processor": nil,
		"pre_tokenizer": map[string]any{"type": "Sequence", "pretokenizers": []any{digits, byteLevel}},
		"decoder":       map[string]any{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		"model": map[string]any{"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": "", "end_of_word_suffix": "",
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocabulary(tokens), "merges": merges},
	}, nil
}

// vocabulary is written as an object of ids in their order, so that tokens are easy to look up.
type vocabulary []string

func (v vocabulary) MarshalJSON() ([]byte, error) {
	b := bytes.NewBufferString("{")
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false) // <|im_start|>
	for id, token := range v {
		if id > 0 {
			b.WriteByte(',')
		}
		if err := e.Encode(token); err != nil {
			return nil, err
		}
		fmt.Fprintf(b, ":%d", id)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// tokenizerConfig makes tokenizer_config.json. Of the classes that use all of tokenizer.json, this one is known to transformers 4 and 5.
func tokenizerConfig(f *gguf.File) (any, error) {
	c := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false}
	tokens, err := gguf.List[string](f, "tokenizer.ggml.tokens")
	if err != nil {
		return nil, err
	}
	for name, key := range map[string]string{"bos_token": "tokenizer.ggml.bos_token_id", "eos_token": "tokenizer.ggml.eos_token_id",
		"unk_token": "tokenizer.ggml.unknown_token_id", "pad_token": "tokenizer.ggml.padding_token_id"} {
		id, err := gguf.Value[uint32](f, key)
		if err != nil {
			return nil, err
		}
		if int(id) >= len(tokens) {
			return nil, fmt.Errorf("%s is %d, and there are %d tokens", key, id, len(tokens))
		}
		c[name] = tokens[id]
	}
	return c, nil
}
