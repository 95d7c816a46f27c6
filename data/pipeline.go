package data

import (
	"errors"
	"fmt"
	"strings"
)

// space is the character that stands for a space in SentencePiece's pieces.
const space = "\u2581"

// normalizer is the field of this name in tokenizer.json.
type normalizer struct {
	Type        string        `json:"type"`
	Normalizers []*normalizer `json:"normalizers"`
	Prepend     string        `json:"prepend"`
	Pattern     pattern       `json:"pattern"`
	Content     string        `json:"content"`
}

// pattern is a string or an expression.
type pattern struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

// preTokenizer is the field pre_tokenizer of tokenizer.json.
type preTokenizer struct {
	Type             string          `json:"type"`
	PreTokenizers    []*preTokenizer `json:"pretokenizers"`
	AddPrefixSpace   *bool           `json:"add_prefix_space"`
	UseRegex         *bool           `json:"use_regex"`
	IndividualDigits bool            `json:"individual_digits"`
	Pattern          pattern         `json:"pattern"`
	Behavior         string          `json:"behavior"`
	Invert           bool            `json:"invert"`
	Replacement      string          `json:"replacement"`
	PrependScheme    string          `json:"prepend_scheme"`
	Split            *bool           `json:"split"`
}

// pipeline prepares a text for encoding: all of it, except the added tokens that are not normalized.
type pipeline struct {
	normalize func(string) string // nil if text stays as it is
	scheme    string              // Metaspace's: which texts get a space in front; "" without Metaspace
	splits    []splitter          // each cuts the pieces of the one before
}

// gpt2Pipeline splits as GPT-2 does.
var gpt2Pipeline = pipeline{splits: []splitter{{word: word}}}

// newPipeline reads the two parts of tokenizer.json for a model that is byte-level or, if pieces is set, of
// SentencePiece's kind. Anything it does not know is an error.
func newPipeline(n *normalizer, pre *preTokenizer, pieces bool) (p pipeline, err error) {
	if p.normalize, err = n.function(pieces); err != nil {
		return p, fmt.Errorf("normalizer%w", err)
	}
	if pieces {
		err = p.metaspace(pre)
	} else {
		err = p.byteLevel(pre)
	}
	if err != nil {
		return p, fmt.Errorf("pre_tokenizer%w", err)
	}
	return p, nil
}

func (n *normalizer) function(pieces bool) (func(string) string, error) {
	switch {
	case n == nil, n.Type == "Sequence" && n.Normalizers != nil && len(n.Normalizers) == 0:
		return nil, nil
	case n.Type == "Sequence" && len(n.Normalizers) == 1 && n.Normalizers[0] != nil:
		f, err := n.Normalizers[0].function(pieces)
		if err != nil {
			return nil, fmt.Errorf(".normalizers[0]%w", err)
		}
		return f, nil
	case n.Type == "NFC" && !pieces:
		return nfc, nil
	case pieces && n.isPrependReplace():
		return prependSpace, nil
	case pieces:
		return nil, errors.New(" is not supported: with byte_fallback only null and a Sequence of Prepend and Replace that write a space " +
			"as U+2581 are")
	}
	return nil, fmt.Errorf(".type is %q: only NFC, null and a Sequence of at most one are supported", n.Type)
}

func (n *normalizer) isPrependReplace() bool {
	if n.Type != "Sequence" || len(n.Normalizers) != 2 || n.Normalizers[0] == nil || n.Normalizers[1] == nil {
		return false
	}
	first, second := n.Normalizers[0], n.Normalizers[1]
	return first.Type == "Prepend" && first.Prepend == space && second.Type == "Replace" &&
		second.Pattern.String != nil && *second.Pattern.String == " " && second.Content == space
}

func prependSpace(text string) string { return space + strings.ReplaceAll(text, " ", space) }

// metaspace reads the pre-tokenizer of SentencePiece's kind.
func (p *pipeline) metaspace(pre *preTokenizer) error {
	switch {
	case pre == nil && p.normalize == nil:
		return errors.New(" and normalizer are missing: with byte_fallback one of them must write a space as U+2581")
	case pre == nil:
		return nil
	case p.normalize != nil:
		return errors.New(" and normalizer are both set: with byte_fallback only one is supported")
	case pre.Type != "Metaspace" || pre.Replacement != space:
		return fmt.Errorf(" is %s of %q: with byte_fallback only Metaspace of U+2581 is supported", pre.Type, pre.Replacement)
	case pre.Split == nil || *pre.Split: // tokenizers reads an absent field as true
		return errors.New(".split is not false: only false is supported")
	}
	switch pre.PrependScheme {
	case "first", "always", "never":
		p.scheme = pre.PrependScheme
		return nil
	}
	return fmt.Errorf(".prepend_scheme is %q: first, always and never are supported", pre.PrependScheme)
}

// byteLevel reads a ByteLevel, or a Sequence that ends with one.
func (p *pipeline) byteLevel(pre *preTokenizer) error {
	steps, field := []*preTokenizer{pre}, func(int) string { return "" }
	if pre != nil && pre.Type == "Sequence" {
		steps, field = pre.PreTokenizers, func(i int) string { return fmt.Sprintf(".pretokenizers[%d]", i) }
	}
	for i, step := range steps {
		if step == nil {
			return fmt.Errorf("%s is missing: only ByteLevel is supported, after Split and Digits in a Sequence", field(i))
		}
		if err := p.addStep(step, i == len(steps)-1); err != nil {
			return fmt.Errorf("%s%w", field(i), err)
		}
	}
	if len(p.splits) == 0 {
		return errors.New(" splits nothing: use_regex is false, or there is no step; use_regex true, Split and Digits are supported")
	}
	return nil
}

func (p *pipeline) addStep(step *preTokenizer, last bool) error {
	switch {
	case last != (step.Type == "ByteLevel"):
		return fmt.Errorf(".type is %q: ByteLevel is supported, and a Sequence of Split and Digits that ends with it", step.Type)
	case step.Type == "ByteLevel":
		if step.AddPrefixSpace == nil || *step.AddPrefixSpace { // tokenizers reads an absent field as true
			return errors.New(".add_prefix_space is not false: only false is supported")
		}
		if step.UseRegex == nil || *step.UseRegex {
			p.splits = append(p.splits, splitter{word: word})
		}
	case step.Type == "Digits":
		if !step.IndividualDigits {
			return errors.New(".individual_digits is false: only true is supported")
		}
		p.splits = append(p.splits, splitter{word: singleDigit})
	case step.Type == "Split":
		if step.Behavior != "Isolated" || step.Invert || step.Pattern.Regex == nil {
			return fmt.Errorf(" is a Split of behavior %q and invert %v: only Isolated by a Regex, not inverted, is supported",
				step.Behavior, step.Invert)
		}
		s, err := newSplitter(*step.Pattern.Regex)
		if err != nil {
			return fmt.Errorf(".pattern.Regex: %w", err)
		}
		p.splits = append(p.splits, s)
	default:
		return fmt.Errorf(".type is %q: only ByteLevel, Split and Digits are supported", step.Type)
	}
	return nil
}

// metaspaced replaces the spaces of text by U+2581, and puts one in front where the scheme requires it. at is the offset of
// text in the whole.
func (p *pipeline) metaspaced(text string, at int) string {
	text = strings.ReplaceAll(text, " ", space)
	if strings.HasPrefix(text, space) || p.scheme == "never" || p.scheme == "first" && at > 0 {
		return text
	}
	return space + text
}
