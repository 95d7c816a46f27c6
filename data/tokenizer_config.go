package data

import (
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
	text bool // a string, or in special_tokens_map.json
}

// tokenizerConfig holds what tokenizer_config.json, special_tokens_map.json and added_tokens.json say, with the
// precedence of transformers 5: an added_tokens_decoder makes it ignore the last two, special_tokens_map.json overrides
// tokenizer_config.json, and the post_processor of a tokenizer.json overrides add_bos_token and add_eos_token.
type tokenizerConfig struct {
	found          bool // one of the three files exists
	class          class
	scheme         string // LlamaTokenizer's prepend_scheme
	decoder        bool   // listed comes from added_tokens_decoder
	addBOS, addEOS bool
	listed         []addedToken // by id
	named          []namedToken
	bosID          json.RawMessage // config.json's bos_token_id
}

// configFields lists the fields of tokenizer_config.json that are used here or change no id, because texts are cut at
// -max-length, never padded and never decoded. Some must be empty or have the value given. Any other field is refused.
var configFields = map[string]string{
	"add_bos_token": "true", "add_eos_token": "true", "add_prefix_space": "false", "split_special_tokens": "false",
	"truncation_side": `"right"`, "legacy": "true",
	"added_tokens_decoder": "", "additional_special_tokens": "", "backend": "", "chat_control_tokens": "", "chat_template": "",
	"clean_up_tokenization_spaces": "", "errors": "", "extra_special_tokens": "", "is_local": "", "local_files_only": "", "max_len": "",
	"max_length": "", "merges_file": "", "model_input_names": "", "model_max_length": "", "name_or_path": "",
	"pad_to_multiple_of": "", "pad_token_type_id": "", "padding_side": "", "processor_class": "", "response_schema": "",
	"response_template": "", "spaces_between_special_tokens": "", "special_tokens_map_file": "", "stride": "", "tokenizer_class": "",
	"tokenizer_file": "", "trim_offsets": "", "truncation_strategy": "", "use_default_system_prompt": "", "use_fast": "", "verbose": "", "vocab_file": "", "vocab_size": "",
}

type jsonFields map[string]json.RawMessage

// readFields reads a JSON object, nil if the file does not exist.
func readFields(dir, name string) (f jsonFields, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	if f == nil {
		return nil, fmt.Errorf("%s is null: it must be an object", filepath.Join(dir, name))
	}
	return f, nil
}

// empty reports whether Python treats a value as false, which transformers skips.
func empty(raw json.RawMessage) bool {
	return raw == nil || slices.Contains([]string{"null", "false", `""`, "[]", "{}"}, string(raw))
}

// readTokenizerConfig reads the files beside a tokenizer.json; byteLevel is readClass's.
func readTokenizerConfig(dir string, byteLevel bool) (c tokenizerConfig, err error) {
	files := make([]jsonFields, 4)
	for i, name := range []string{"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "config.json"} {
		if files[i], err = readFields(dir, name); err != nil {
			return c, err
		}
	}
	return parseTokenizerConfig(dir, files[0], files[1], files[2], files[3], byteLevel)
}

// parseTokenizerConfig combines the files of dir; nil is one that does not exist.
func parseTokenizerConfig(dir string, config, special, added, model jsonFields, byteLevel bool) (c tokenizerConfig, err error) {
	c.found, c.bosID = config != nil || special != nil || added != nil, model["bos_token_id"]
	if err := c.readClass(dir, config, model, byteLevel); err != nil {
		return c, err
	}
	c.readScheme(config)
	name := filepath.Join(dir, "tokenizer_config.json")
	if err := c.checkConfig(config); err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	c.addBOS, c.addEOS = string(config["add_bos_token"]) == "true", string(config["add_eos_token"]) == "true"
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

// checkConfig refuses the first field that is not known to leave ids as they are.
func (c *tokenizerConfig) checkConfig(config jsonFields) error {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		raw := config[key]
		want, known := configFields[key]
		if key == "add_prefix_space" && (c.class == llama || c.class == backend) { // readScheme, or of no consequence
			want = "true"
		}
		token := strings.HasSuffix(key, "_token") && (raw[0] == '"' || raw[0] == '{')
		switch {
		case known && want != "" && string(raw) != want && !empty(raw):
			return fmt.Errorf("%s is %s: only %s is supported", key, raw, want)
		case !known && !token && !empty(raw):
			return fmt.Errorf("%s is %.100s: it is not supported, because it may change ids; remove it if it does not", key, raw)
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
			return fmt.Errorf("%q is not an id", key)
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

// readNamed collects bos_token and the other named tokens, and the lists of further special tokens.
func (c *tokenizerConfig) readNamed(config, special jsonFields) error {
	names := jsonFields{}
	for key, token := range defaultNames[c.class] {
		names[key], _ = json.Marshal(token) // a string always marshals
	}
	maps.Copy(names, config)
	maps.Copy(names, special)
	for _, key := range slices.Sorted(maps.Keys(names)) {
		switch {
		case strings.HasSuffix(key, "_token") && key != "add_bos_token" && key != "add_eos_token":
			if err := c.name(key, names[key], special[key] != nil); err != nil {
				return err
			}
		case special[key] != nil && !strings.HasSuffix(key, "_special_tokens"):
			return fmt.Errorf("%s is not a special token: set it in tokenizer_config.json", key)
		}
	}
	extra, more, last := config["extra_special_tokens"], config["additional_special_tokens"], special["additional_special_tokens"]
	if extra != nil || more != nil || special["extra_special_tokens"] != nil {
		last = nil
	}
	if !empty(extra) {
		more = nil
	}
	return errors.Join(
		c.names("extra_special_tokens", extra, false),
		c.names("additional_special_tokens", more, false),
		c.names("extra_special_tokens", special["extra_special_tokens"], true),
		c.names(mapExtra, last, true))
}

// mapExtra is used only if there is no other list, and does not make a token of added_tokens.json special.
const mapExtra = "special_tokens_map.json's additional_special_tokens"

// name collects one field's token.
func (c *tokenizerConfig) name(field string, raw json.RawMessage, special bool) error {
	if empty(raw) {
		return nil
	}
	a, err := parseAdded(raw, special)
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	c.named = append(c.named, namedToken{field, a, special || raw[0] == '"'})
	return nil
}

// names collects a list of tokens.
func (c *tokenizerConfig) names(field string, raw json.RawMessage, special bool) error {
	if empty(raw) {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return fmt.Errorf("%s is %.100s: only a list is supported", field, raw)
	}
	for _, raw := range list {
		if err := c.name(field, raw, special); err != nil {
			return err
		}
	}
	return nil
}

// readAdded lists the tokens of added_tokens.json. Those that one of transformers' own fields names are special, so not
// normalized; it overlooks tokens that tokenizer_config.json writes as objects.
func (c *tokenizerConfig) readAdded(added jsonFields) error {
	fields := []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
		"extra_special_tokens", "additional_special_tokens"}
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
