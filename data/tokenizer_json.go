package data

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// tokenizerFile has the fields of tokenizer.json that can change ids. transformers overrides its padding and
// truncation with the caller's, except for the side that is cut.
type tokenizerFile struct {
	AddedTokens []json.RawMessage `json:"added_tokens"`
	Truncation  struct {
		Direction string `json:"direction"`
	} `json:"truncation"`
	PostProcessor *postProcessor `json:"post_processor"`
	Normalizer    *normalizer    `json:"normalizer"`
	PreTokenizer  *preTokenizer  `json:"pre_tokenizer"`
	Model         struct {
		Type         string            `json:"type"`
		Dropout      *float64          `json:"dropout"`
		UnkToken     *string           `json:"unk_token"`
		Prefix       *string           `json:"continuing_subword_prefix"`
		Suffix       *string           `json:"end_of_word_suffix"`
		ByteFallback bool              `json:"byte_fallback"`
		IgnoreMerges bool              `json:"ignore_merges"`
		Vocab        map[string]int64  `json:"vocab"`
		Merges       []json.RawMessage `json:"merges"`
	} `json:"model"`
}

// refuse returns an error for the first setting that this package's BPE does not support. unk_token and fuse_unk have no
// effect if each byte has a token.
func (f *tokenizerFile) refuse(c class) error {
	empty := func(s *string) bool { return s == nil || *s == "" }
	m := f.Model
	switch {
	case m.Type != "BPE":
		return fmt.Errorf("model.type is %q: only BPE is supported", m.Type)
	case m.Dropout != nil && *m.Dropout != 0:
		return fmt.Errorf("model.dropout is %v: only 0 is supported", *m.Dropout)
	case !empty(m.Prefix):
		return fmt.Errorf("model.continuing_subword_prefix is %q: only none is supported", *m.Prefix)
	case !empty(m.Suffix):
		return fmt.Errorf("model.end_of_word_suffix is %q: only none is supported", *m.Suffix)
	case m.IgnoreMerges && c != backend:
		return fmt.Errorf("model.ignore_merges is true, which tokenizer_class %s ignores: "+
			"only PreTrainedTokenizerFast and TokenizersBackend use it", c)
	case m.IgnoreMerges && m.ByteFallback:
		return errors.New("model.ignore_merges and model.byte_fallback are both true: only one is supported")
	case f.Truncation.Direction == "Left":
		return errors.New("truncation.direction is Left: only Right is supported")
	}
	return nil
}

func parseTokenizerJSON(raw []byte, c tokenizerConfig) (*Tokenizer, error) {
	var f tokenizerFile
	err := unmarshal(raw, &f)
	if m := f.Model.Type; err != nil && (m == "" || m == "BPE") { // else refuse names the model, whose fields differ
		return nil, err
	}
	if err := f.refuse(c.class); err != nil {
		return nil, err
	}
	f.override(c)
	t, err := f.tokenizer()
	if err != nil {
		return nil, err
	}
	own := make([]addedToken, len(f.AddedTokens))
	for i, raw := range f.AddedTokens {
		if own[i], err = parseAdded(raw, false); err != nil {
			return nil, fmt.Errorf("added_tokens[%d]: %w", i, err)
		}
	}
	v := vocabulary{t, f.Model.Vocab, map[string]addedToken{}}
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

// tokenizer makes the tokenizer without its added tokens and its post-processor.
func (f *tokenizerFile) tokenizer() (*Tokenizer, error) {
	pipe, err := newPipeline(f.Normalizer, f.PreTokenizer, f.Model.ByteFallback)
	if err != nil {
		return nil, err
	}
	merges := make([][2]string, len(f.Model.Merges))
	for i, m := range f.Model.Merges {
		if merges[i], err = parseMerge(m); err != nil {
			return nil, fmt.Errorf("model.merges[%d]: %w", i, err)
		}
	}
	t, err := newTokenizer(f.Model.Vocab, merges, pipe, f.Model.ByteFallback)
	if err != nil {
		return nil, err
	}
	if at := slices.Index(t.bpe.bytes[:], -1); at >= 0 && f.Model.UnkToken != nil {
		return nil, fmt.Errorf("model.unk_token is %q and the vocabulary has no token for the byte 0x%02x: only null is supported then",
			*f.Model.UnkToken, at)
	}
	if f.Model.IgnoreMerges {
		t.useWholeWords(f.Model.Vocab)
	}
	return t, nil
}

// addOwn adds tokenizer.json's added tokens and those of the files beside it. A class that builds its tokenizer itself adds
// all in the order of ids, and drops tokenizer.json's own if there is an added_tokens_decoder.
func (v *vocabulary) addOwn(own []addedToken, c tokenizerConfig) error {
	if c.decoder && c.class != backend {
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
	if c.class != backend {
		slices.SortStableFunc(c.listed, func(a, b addedToken) int { return cmp.Compare(a.id, b.id) })
	}
	return v.addAll(c.listed, c.named)
}
