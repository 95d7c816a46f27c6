package data

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// addedToken is tokenizers' AddedToken: a token that is matched in the text before BPE and never split.
type addedToken struct {
	content        string
	id             int64
	lstrip, rstrip bool // swallows the white space before it, after it
	normalized     bool // matched in a second pass, after the tokens that are not normalized
}

// parseAdded reads a token that is a string or an object with flags. special is the default of an object's flag of that
// name; a string is special. As in transformers, normalized defaults to not special.
func parseAdded(raw json.RawMessage, special bool) (addedToken, error) {
	var content string
	if json.Unmarshal(raw, &content) == nil && content != "" {
		return addedToken{content: content}, nil
	}
	var f struct {
		Content    string `json:"content"`
		ID         int64  `json:"id"`
		SingleWord bool   `json:"single_word"`
		LStrip     bool   `json:"lstrip"`
		RStrip     bool   `json:"rstrip"`
		Normalized *bool  `json:"normalized"`
		Special    *bool  `json:"special"`
	}
	if err := json.Unmarshal(raw, &f); err != nil || f.Content == "" {
		return addedToken{}, fmt.Errorf("%.100s is not a token: it must be a string or an object with its content", raw)
	}
	if f.SingleWord {
		return addedToken{}, fmt.Errorf("token %q: single_word is true: only false is supported", f.Content)
	}
	if f.Special != nil {
		special = *f.Special
	}
	normalized := !special
	if f.Normalized != nil {
		normalized = *f.Normalized
	}
	return addedToken{f.Content, f.ID, f.LStrip, f.RStrip, normalized}, nil
}

// vocabulary is a tokenizer under construction: the ids of all tokens, and those added so far.
type vocabulary struct {
	*Tokenizer
	ids   map[string]int64
	added map[string]addedToken
}

// add adds a with its id. The tokenizers library ignores the ids of added tokens: one that is in the vocabulary keeps
// its id, any other gets the next free one. A file whose ids differ from these is refused.
func (v *vocabulary) add(a addedToken) error {
	if known, twice := v.added[a.content]; twice {
		if known != a {
			return fmt.Errorf("token %q comes twice, with different flags or ids: make them equal", a.content)
		}
		return nil
	}
	id, known := v.ids[a.content]
	if !known {
		if id = int64(len(v.ids)); int(id) != v.size {
			return fmt.Errorf("token %q cannot be added: the vocabulary has %d tokens but ids up to %d; fill the gaps",
				a.content, id, v.size-1)
		}
	}
	if id != a.id {
		return fmt.Errorf("token %q has id %d, but transformers would give it %d: it numbers added tokens on from the vocabulary",
			a.content, a.id, id)
	}
	v.ids[a.content], v.added[a.content] = id, a
	v.setText(int32(id), a.content)
	round := 0
	if a.normalized {
		round = 1
		if v.normalize != nil {
			a.content = v.normalize(a.content)
		}
	}
	v.special[round].add(a)
	return nil
}

// addAll adds the tokens that come with ids, then those that a field names: these must have an id by then, and keep the
// flags they were listed with.
func (v *vocabulary) addAll(listed []addedToken, named []namedToken) error {
	for _, a := range listed {
		if err := v.add(a); err != nil {
			return err
		}
	}
	known := maps.Clone(v.added)
	for _, n := range named {
		if _, ok := known[n.content]; ok {
			continue
		}
		var ok bool
		if n.id, ok = v.ids[n.content]; !ok {
			return fmt.Errorf("%s of tokenizer_config.json or special_tokens_map.json is %q, which is neither in the vocabulary "+
				"nor among the added tokens (an absent one is the tokenizer_class's own: GPT2Tokenizer's unk_token is <|endoftext|>)",
				n.field, n.content)
		}
		if err := v.add(n.addedToken); err != nil {
			return fmt.Errorf("%s: %w", n.field, err)
		}
	}
	return nil
}

// specials holds the added tokens of one pass.
type specials struct {
	tokens []addedToken // longest first
	heads  [256]bool    // the first bytes of the tokens
}

func (s *specials) add(a addedToken) {
	i := 0
	for i < len(s.tokens) && len(s.tokens[i].content) >= len(a.content) {
		i++
	}
	s.tokens = slices.Insert(s.tokens, i, a)
	s.heads[a.content[0]] = true
}

// first returns the leftmost token in text, the longest if several begin there, or nil.
func (s *specials) first(text string) (at int, a *addedToken) {
	if len(s.tokens) == 0 {
		return 0, nil
	}
	for at := range len(text) {
		if !s.heads[text[at]] {
			continue
		}
		for i := range s.tokens {
			if strings.HasPrefix(text[at:], s.tokens[i].content) {
				return at, &s.tokens[i]
			}
		}
	}
	return 0, nil
}

// split appends the ids of the tokens in text, and encodes the pieces between them with rest; from is a piece's offset.
func (s *specials) split(ids []int32, text string, rest func(ids []int32, piece string, from int) []int32) []int32 {
	done, from := 0, 0 // text[:done] is encoded, the next token begins at from or later
	for {
		at, a := s.first(text[from:])
		if a == nil {
			break
		}
		start := from + at
		end := start + len(a.content)
		from = end
		if a.lstrip {
			start = max(done, len(strings.TrimRightFunc(text[:start], unicode.IsSpace)))
		}
		if a.rstrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		if done < start {
			ids = rest(ids, text[done:start], done)
		}
		if start < end { // false if the previous token swallowed all of this one
			ids = append(ids, int32(a.id))
		}
		done = end
	}
	if done < len(text) {
		ids = rest(ids, text[done:], done)
	}
	return ids
}
