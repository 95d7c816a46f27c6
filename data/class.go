package data

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
)

// class names a tokenizer class of transformers. backend uses all of tokenizer.json; the others read its vocabulary,
// merges, added tokens and post-processor and define the rest themselves.
type class string

const (
	backend class = "TokenizersBackend"
	gpt2    class = "GPT2Tokenizer"
	llama   class = "LlamaTokenizer"
	qwen2   class = "Qwen2Tokenizer"
)

// registered maps a model_type to the class that transformers has for it, "" where it has none. For some other types it ignores the
// class that the files name. Mistral's is mistral-common's where that is installed and the folder has a tekken.json.
var registered = map[string]class{"": "", "opt": gpt2, "gpt2": gpt2, "llama": "", "mistral": backend, "qwen2": qwen2, "qwen3": qwen2}

// readClass chooses the class as transformers' AutoTokenizer does: by tokenizer_class of tokenizer_config.json, else of
// config.json, and by model_type. byteLevel reports that tokenizer.json mentions ByteLevel.
func (c *tokenizerConfig) readClass(dir string, config, model jsonFields, byteLevel bool) error {
	file, raw := "tokenizer_config.json", config["tokenizer_class"]
	if empty(raw) {
		file, raw = "config.json", model["tokenizer_class"]
	}
	var modelType, name string
	own, known := class(""), false
	if empty(model["model_type"]) || json.Unmarshal(model["model_type"], &modelType) == nil {
		own, known = registered[modelType]
	}
	if !known {
		return fmt.Errorf("%s: model_type is %s: tokenizers of opt, gpt2, llama, mistral, qwen2 and qwen3 are supported",
			filepath.Join(dir, "config.json"), model["model_type"])
	}
	if empty(raw) {
		switch {
		case own == qwen2 || own == backend:
			c.class = own
		case modelType == "llama" || !c.found: // a tokenizer.json alone
			c.class = backend
		default:
			c.class = gpt2
		}
		return nil
	}
	if err := json.Unmarshal(raw, &name); err == nil {
		switch declared := class(strings.TrimSuffix(name, "Fast")); {
		case name == "PreTrainedTokenizerFast" || declared == backend || declared == gpt2 && !c.found:
			c.class = backend
		case declared == gpt2 || declared == llama || declared == qwen2:
			c.class = declared
		}
	}
	switch {
	case c.class == "":
		return fmt.Errorf("%s: tokenizer_class is %s: only GPT2Tokenizer, LlamaTokenizer, Qwen2Tokenizer, PreTrainedTokenizerFast and "+
			"TokenizersBackend are supported", filepath.Join(dir, file), raw)
	case own == backend || modelType == "qwen2": // transformers treats what their repositories say as a mistake
		c.class = own
	case c.class == llama && byteLevel: // Llama 3's repositories name it too
		c.class = backend
	}
	return nil
}

// defaultNames lists the special tokens of a class where the files name no others.
var defaultNames = map[class]map[string]string{
	gpt2:  {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"},
	llama: {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
	qwen2: {"eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
}

// mentionsByteLevel looks for "ByteLevel" anywhere in the file, as transformers does.
func mentionsByteLevel(raw []byte) bool { return bytes.Contains(raw, []byte(`"ByteLevel"`)) }

// override replaces the parts of f that the class defines itself, whatever the file says.
func (f *tokenizerFile) override(c tokenizerConfig) {
	if c.class == backend {
		return
	}
	no, bytes := false, &preTokenizer{Type: "ByteLevel", AddPrefixSpace: new(bool)}
	f.Normalizer, f.Model.UnkToken, f.Model.ByteFallback = nil, nil, c.class == llama
	switch c.class {
	case gpt2:
		f.PreTokenizer = bytes
	case qwen2:
		expression := qwen2Expression
		bytes.UseRegex = &no
		f.Normalizer = &normalizer{Type: "NFC"}
		f.PreTokenizer = &preTokenizer{Type: "Sequence", PreTokenizers: []*preTokenizer{
			{Type: "Split", Pattern: pattern{Regex: &expression}, Behavior: "Isolated"}, bytes}}
	case llama:
		f.PreTokenizer = &preTokenizer{Type: "Metaspace", Replacement: space, PrependScheme: c.scheme, Split: &no}
	}
}

// readScheme sets which texts LlamaTokenizer puts a space in front of.
func (c *tokenizerConfig) readScheme(config jsonFields) {
	c.scheme = "first"
	switch prefix := string(config["add_prefix_space"]); {
	case prefix != "" && prefix != "null" && prefix != "true":
		c.scheme = "never"
	case string(config["legacy"]) == "true":
		c.scheme = "always"
	}
}
