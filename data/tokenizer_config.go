package data

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// namedToken is a special token that a field names.
type namedToken struct {
	field string
	addedToken
	text bool // written as a string, or in special_tokens_map.json
}

// tokenizerConfig is what tokenizer_config.json, special_tokens_map.json and added_tokens.json say. They are read as
// transformers 5 does: what has an added_tokens_decoder needs neither of the other two, special_tokens_map.json goes
// before tokenizer_config.json, and where there is a tokenizer.json its post_processor decides on BOS and EOS.
type tokenizerConfig struct {
	found          bool // there is any of the three
	fast           bool // tokenizer_class takes all of tokenizer.json, not its vocabulary, added tokens and post_processor alone
	decoder        bool // listed is an added_tokens_decoder
	addBOS, addEOS bool
	listed         []addedToken // by id
	named          []namedToken
	bosID          *int64 // config.json's bos_token_id
}

// neutral are the fields of tokenizer_config.json that change no id here, with the value they must have, if any: the
// cut is at -max-length and on the right, there is no padding, and nothing is decoded.
var neutral = map[string]string{
	"add_prefix_space": "false", "split_special_tokens": "false", "truncation_side": `"right"`,
	"backend": "", "chat_template": "", "chat_control_tokens": "", "clean_up_tokenization_spaces": "", "errors": "", "is_local": "",
	"local_files_only": "", "max_len": "", "max_length": "", "merges_file": "", "model_input_names": "", "model_max_length": "",
	"name_or_path": "", "pad_to_multiple_of": "", "pad_token_type_id": "", "padding_side": "", "processor_class": "",
	"response_schema": "", "response_template": "", "special_tokens_map_file": "", "stride": "", "tokenizer_file": "",
	"trim_offsets": "", "truncation_strategy": "", "use_fast": "", "verbose": "", "vocab_file": "",
}

type jsonFields map[string]json.RawMessage

// readFields reads an object; it is nil if there is no such file.
func readFields(dir, name string) (f jsonFields, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = unmarshal(raw, &f)
	}
	if err == nil && f == nil {
		err = errors.New("null is no object")
	}
	if err != nil && !errors.As(err, new(*fs.PathError)) {
		err = fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	return f, err
}

// empty reports a value that says nothing: Python's false ones.
func empty(raw json.RawMessage) bool {
	return raw == nil || slices.Contains([]string{"null", "false", `""`, "[]", "{}"}, string(raw))
}

func readTokenizerConfig(dir string) (c tokenizerConfig, err error) {
	files := make([]jsonFields, 4)
	for i, name := range []string{"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "config.json"} {
		if files[i], err = readFields(dir, name); err != nil {
			return c, err
		}
	}
	config, special, added, model := files[0], files[1], files[2], files[3]
	c.found = config != nil || special != nil || added != nil
	if err := c.readModel(config, model); err != nil {
		return c, err
	}
	name := filepath.Join(dir, "tokenizer_config.json")
	if err := c.readConfig(config); err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	if _, c.decoder = config["added_tokens_decoder"]; c.decoder {
		if err := c.readDecoder(config["added_tokens_decoder"]); err != nil {
			return c, fmt.Errorf("%s: added_tokens_decoder: %w", name, err)
		}
		special, added = nil, nil
	}
	if err := c.readNamed(config, special); err != nil {
		return c, fmt.Errorf("%s or special_tokens_map.json: %w", name, err)
	}
	if err := c.readAdded(added); err != nil {
		return c, fmt.Errorf("%s: %w", filepath.Join(dir, "added_tokens.json"), err)
	}
	slices.SortFunc(c.listed, func(a, b addedToken) int { return cmp.Compare(a.id, b.id) })
	return c, nil
}

// readModel decides on the class, which config.json names where tokenizer_config.json does not.
func (c *tokenizerConfig) readModel(config, model jsonFields) error {
	file, raw := "tokenizer_config.json", config["tokenizer_class"]
	if empty(raw) {
		file, raw = "config.json", model["tokenizer_class"]
	}
	switch string(raw) {
	case `"PreTrainedTokenizerFast"`, `"TokenizersBackend"`:
		c.fast = true
	case "", "null", `"GPT2Tokenizer"`, `"GPT2TokenizerFast"`:
		c.fast = !c.found // a tokenizer.json alone
	default:
		return fmt.Errorf("%s: tokenizer_class is %s: GPT2Tokenizer, PreTrainedTokenizerFast and TokenizersBackend are supported", file, raw)
	}
	if raw := model["bos_token_id"]; !empty(raw) {
		if err := json.Unmarshal(raw, &c.bosID); err != nil {
			return fmt.Errorf("config.json: bos_token_id is %s: it must be an id", raw)
		}
	}
	return nil
}

// readConfig refuses what is not known to leave ids as they are.
func (c *tokenizerConfig) readConfig(config jsonFields) error {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		raw := config[key]
		want, known := neutral[key]
		switch {
		case empty(raw) || known && want == "":
		case known && string(raw) != want:
			return fmt.Errorf("%s is %s: only %s is supported", key, raw, want)
		case known, key == "tokenizer_class", key == "added_tokens_decoder", key == "extra_special_tokens",
			key == "additional_special_tokens", key == "model_specific_special_tokens":
		case key == "add_bos_token" && string(raw) == "true":
			c.addBOS = true
		case key == "add_eos_token" && string(raw) == "true":
			c.addEOS = true
		case strings.HasSuffix(key, "_token") && (raw[0] == '"' || raw[0] == '{'):
		default:
			return fmt.Errorf("%s is %.100s: it may change ids and is not supported; remove it if it does not", key, raw)
		}
	}
	return nil
}

func (c *tokenizerConfig) readDecoder(raw json.RawMessage) error {
	var tokens map[string]json.RawMessage
	if err := json.Unmarshal(raw, &tokens); err != nil {
		return err
	}
	for key := range tokens {
		id, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no id", key)
		}
		a, err := parseAdded(tokens[key], false)
		if err != nil {
			return fmt.Errorf("%d: %w", id, err)
		}
		a.id = id
		c.listed = append(c.listed, a)
	}
	return nil
}

// readNamed collects bos_token and the like, and the lists of further special tokens.
func (c *tokenizerConfig) readNamed(config, special jsonFields) error {
	names := jsonFields{}
	if !c.fast && c.found { // GPT2Tokenizer's defaults
		for _, key := range []string{"bos_token", "eos_token", "unk_token"} {
			names[key] = json.RawMessage(`"<|endoftext|>"`)
		}
	}
	maps.Copy(names, config)
	maps.Copy(names, special)
	own := false
	for _, key := range slices.Sorted(maps.Keys(names)) {
		if !strings.HasSuffix(key, "_token") || key == "add_bos_token" || key == "add_eos_token" {
			if special[key] != nil && !strings.HasSuffix(key, "_special_tokens") {
				return fmt.Errorf("%s is no special token: it belongs to tokenizer_config.json", key)
			}
			continue
		}
		own = own || bytes.HasPrefix(config[key], []byte{'"'}) && !slices.Contains(standardTokens, key)
		if err := c.name(key, names[key], special[key] != nil); err != nil {
			return err
		}
	}
	return c.readExtra(config, special, own)
}

var standardTokens = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// mapExtra is a list that transformers uses where there is no other, and forgets when it asks which tokens are special.
const mapExtra = "special_tokens_map.json's additional_special_tokens"

// readExtra collects extra_special_tokens and what goes under other names. transformers takes an object of them for
// names as own ones are, and where there are such forgets model_specific_special_tokens.
func (c *tokenizerConfig) readExtra(config, special jsonFields, own bool) error {
	extra, more := config["extra_special_tokens"], config["additional_special_tokens"]
	specific, last := config["model_specific_special_tokens"], special["additional_special_tokens"]
	object := bytes.HasPrefix(extra, []byte("{"))
	switch {
	case object && !empty(more):
		return errors.New("extra_special_tokens is an object, and there are additional_special_tokens: name those in the object")
	case !object && !empty(extra):
		more = nil
	}
	if own || object {
		specific = nil
	}
	if extra != nil && !object || more != nil || special["extra_special_tokens"] != nil {
		last = nil
	}
	return errors.Join(
		c.name("model_specific_special_tokens", specific, false),
		c.name("extra_special_tokens", extra, false),
		c.name("additional_special_tokens", more, false),
		c.name("extra_special_tokens", special["extra_special_tokens"], true),
		c.name(mapExtra, last, true))
}

// name adds one field's token, or those of its list or object.
func (c *tokenizerConfig) name(field string, raw json.RawMessage, special bool) error {
	if empty(raw) {
		return nil
	}
	var list []json.RawMessage
	var object map[string]json.RawMessage
	switch {
	case !strings.HasSuffix(field, "_special_tokens"):
		list = []json.RawMessage{raw}
	case json.Unmarshal(raw, &object) == nil:
		for _, key := range slices.Sorted(maps.Keys(object)) {
			if err := c.name(field+"."+key, object[key], special); err != nil {
				return err
			}
		}
	case json.Unmarshal(raw, &list) != nil:
		return fmt.Errorf("%s is neither a list nor an object of tokens", field)
	}
	for _, raw := range list {
		a, err := parseAdded(raw, special)
		if err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		c.named = append(c.named, namedToken{field, a, special || raw[0] == '"'})
	}
	return nil
}

// readAdded lists the tokens of added_tokens.json. Those that a field of transformers' own names as text are special,
// and so not normalized.
func (c *tokenizerConfig) readAdded(added jsonFields) error {
	fields := append([]string{"extra_special_tokens", "additional_special_tokens"}, standardTokens...)
	for content, raw := range added {
		a := addedToken{content: content}
		if err := json.Unmarshal(raw, &a.id); err != nil || content == "" {
			return fmt.Errorf("%q: %s: a token and its id are needed", content, raw)
		}
		a.normalized = !slices.ContainsFunc(c.named, func(n namedToken) bool {
			return n.content == content && n.text && slices.Contains(fields, n.field)
		})
		c.listed = append(c.listed, a)
	}
	return nil
}

// token returns the content of a field's token.
func (c *tokenizerConfig) token(field string) string {
	for _, n := range c.named {
		if n.field == field {
			return n.content
		}
	}
	return ""
}
