package data

import (
	"encoding/json"
	"fmt"
	"slices"
)

// ends holds the ids that go before and after a text.
type ends struct{ prefix, suffix []int32 }

// postProcessor is the field post_processor of tokenizer.json.
type postProcessor struct {
	Type       string           `json:"type"`
	Processors []*postProcessor `json:"processors"`
	Single     []struct {
		Sequence     *struct{ ID string }
		SpecialToken *struct{ ID string }
	} `json:"single"`
	SpecialTokens map[string]struct{ IDs []int32 } `json:"special_tokens"`
	Sep, Cls      []json.RawMessage
}

// ends returns the ids that p puts around a text, for a tokenizer of size ids.
func (p *postProcessor) ends(size int) (e ends, err error) {
	switch p.Type {
	case "ByteLevel": // changes offsets alone
	case "Sequence":
		e, err = p.sequence(size)
	case "RobertaProcessing", "BertProcessing":
		e = ends{make([]int32, 1), make([]int32, 1)}
		if len(p.Cls) != 2 || len(p.Sep) != 2 || json.Unmarshal(p.Cls[1], &e.prefix[0]) != nil || json.Unmarshal(p.Sep[1], &e.suffix[0]) != nil {
			err = fmt.Errorf("%s: cls and sep must each be a token and its id", p.Type)
		}
	case "TemplateProcessing":
		e, err = p.template()
	default:
		err = fmt.Errorf("type is %q: ByteLevel, TemplateProcessing, RobertaProcessing, BertProcessing and Sequence are supported", p.Type)
	}
	for _, id := range slices.Concat(e.prefix, e.suffix) {
		if err == nil && (id < 0 || int(id) >= size) {
			err = fmt.Errorf("%s adds id %d, which is not a token: the tokenizer has %d ids", p.Type, id, size)
		}
	}
	return e, err
}

func (p *postProcessor) template() (e ends, err error) {
	texts := 0
	for i, piece := range p.Single {
		if piece.Sequence != nil && piece.Sequence.ID == "A" {
			texts++
			continue
		}
		if piece.SpecialToken == nil || len(p.SpecialTokens[piece.SpecialToken.ID].IDs) == 0 {
			return e, fmt.Errorf("single[%d] is neither the text A nor one of special_tokens", i)
		}
		ids := p.SpecialTokens[piece.SpecialToken.ID].IDs
		if texts == 0 {
			e.prefix = append(e.prefix, ids...)
		} else {
			e.suffix = append(e.suffix, ids...)
		}
	}
	if texts != 1 {
		return e, fmt.Errorf("single has the text %d times: only once is supported", texts)
	}
	return e, nil
}

// sequence allows one processor that adds tokens: the library passes a second one each token as a text of its own.
func (p *postProcessor) sequence(size int) (e ends, err error) {
	for i, q := range p.Processors {
		if q == nil {
			return e, fmt.Errorf("processors[%d] is null", i)
		}
		one, err := q.ends(size)
		if err != nil {
			return e, fmt.Errorf("processors[%d]: %w", i, err)
		}
		if len(one.prefix)+len(one.suffix) == 0 {
			continue
		}
		if len(e.prefix)+len(e.suffix) > 0 {
			return e, fmt.Errorf("processors[%d] is a second one that adds tokens: only one is supported", i)
		}
		e = one
	}
	return e, nil
}
