package data

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// layoutFile is testdata/layouts.json, which testdata/layouts.py wrote with transformers 5.
type layoutFile struct {
	Texts []struct {
		Text string
		IDs  [][]int32 // the different ones that the layouts give
	}
	Layouts []struct {
		Name  string
		Files map[string]json.RawMessage // null is bpe's own file; tokenizer.json lacks its model, which is bpe_json's
		IDs   []int                      // of each text, which
	}
}

// refusedLayouts are those that transformers reads and LoadTokenizer does not.
var refusedLayouts = map[string]string{
	"extra-dict":                       "extra_special_tokens",
	"own-name":                         "model_specific_special_tokens",
	"json-two-GPT2Tokenizer":           "post_processor: processors[1]",
	"json-two-PreTrainedTokenizerFast": "post_processor: processors[1]",
}

func writeLayout(t *testing.T, files map[string]json.RawMessage) string {
	t.Helper()
	dir := t.TempDir()
	for name, raw := range files {
		var text string
		switch {
		case string(raw) == "null" && (name == "vocab.json" || name == "merges.txt"):
			own, err := os.ReadFile(filepath.Join("testdata", "bpe", name))
			require.NoError(t, err)
			raw = own
		case name == "tokenizer.json":
			whole := readJSON[map[string]json.RawMessage](t, "testdata/bpe_json/tokenizer.json")
			model := whole["model"]
			require.NoError(t, json.Unmarshal(raw, &whole))
			if string(whole["model"]) != string(model) { // some of its fields
				fields := map[string]json.RawMessage{}
				require.NoError(t, json.Unmarshal(model, &fields))
				require.NoError(t, json.Unmarshal(whole["model"], &fields))
				merged, err := json.Marshal(fields)
				require.NoError(t, err)
				whole["model"] = merged
			}
			var err error
			raw, err = json.Marshal(whole)
			require.NoError(t, err)
		case raw[0] == '"' && json.Unmarshal(raw, &text) == nil:
			raw = []byte(text)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), raw, 0o600))
	}
	return dir
}

func TestTokenizerLayoutsAgreeWithTransformers(t *testing.T) {
	f := readJSON[layoutFile](t, "testdata/layouts.json")
	agreed := 0
	for _, l := range f.Layouts {
		t.Run(l.Name, func(t *testing.T) {
			tok, err := LoadTokenizer(writeLayout(t, l.Files))
			if want, refused := refusedLayouts[l.Name]; refused {
				require.ErrorContains(t, err, want)
				return
			}
			require.NoError(t, err)
			require.Len(t, l.IDs, len(f.Texts))
			for i, c := range f.Texts {
				if assert.Equal(t, c.IDs[l.IDs[i]], append([]int32{}, tok.AddSpecial(tok.Encode(c.Text))...), "%q", c.Text) {
					agreed++
				}
			}
		})
	}
	t.Logf("%d texts in %d layouts have transformers' ids, %d layouts are refused", agreed, len(f.Layouts), len(refusedLayouts))
}

// names are OPT's special tokens.
const names = `"bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"`

// Every field that could change ids unseen is refused by name, and so is every disagreement that transformers settles
// by giving other ids than a file has.
func TestTokenizerRefusals(t *testing.T) {
	const config, special, added, file = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.json"
	token := func(id, content, flags string) string {
		return `"` + id + `": {"content": "` + content + `"` + flags + `}`
	}
	type files map[string]string
	for _, c := range []struct {
		files files
		want  []string
		why   string
	}{
		{files{config: `{"tokenizer_class": "LlamaTokenizer"}`}, []string{config, "tokenizer_class", "LlamaTokenizer"}, "another family's"},
		{files{"config.json": `{"tokenizer_class": "BertTokenizer"}`}, []string{"config.json: tokenizer_class"}, "as the model's config says"},
		{files{config: `{"tokenizer_class": "PreTrainedTokenizerFast"}`}, []string{"tokenizer.json", "PreTrainedTokenizerFast"}, "it has no vocabulary of its own"},
		{files{config: `{"add_prefix_space": true, ` + names + `}`}, []string{config, "add_prefix_space is true"}, "as RoBERTa's"},
		{files{config: `{"split_special_tokens": true, ` + names + `}`}, []string{config, "split_special_tokens"}, "special tokens would be text"},
		{files{config: `{"truncation_side": "left", ` + names + `}`}, []string{config, "truncation_side"}, "the other side is cut"},
		{files{config: `{"do_lower_case": true, ` + names + `}`}, []string{config, "do_lower_case"}, "not in the list"},
		{files{config: `{"Add_bos_token": true, ` + names + `}`}, []string{config, "Add_bos_token"}, "keys have their case"},
		{files{config: `{"auto_map": {"AutoTokenizer": ["a.B", null]}, ` + names + `}`}, []string{config, "auto_map"}, "code of its own"},
		{files{config: `{"add_bos_token": 1, ` + names + `}`}, []string{config, "add_bos_token"}, "no Boolean"},
		{files{config: `{"bos_token": 5}`}, []string{config, "bos_token"}, "no token"},
		{files{config: `{"bos_token": {"lstrip": true}}`}, []string{config, "bos_token"}, "a token of nothing"},
		{files{config: `{"extra_special_tokens": "<s>", ` + names + `}`}, []string{config, "extra_special_tokens"}, "not a list"},
		{files{config: `{"additional_special_tokens": ["<begin>"], ` + names + `}`}, []string{config, "additional_special_tokens", "<begin>"}, "transformers numbers it on"},
		{files{special: `{"bos_token": "<begin>", "eos_token": "</s>", "unk_token": "</s>"}`}, []string{special, "bos_token", "<begin>"}, "a BOS that is nowhere"},
		{files{config: `{"bos_token": "</s>", "eos_token": "</s>"}`}, []string{config, "unk_token", "<|endoftext|>"}, "GPT2Tokenizer's own is nowhere"},
		{files{special: `{"mask_token": {"content": "<mask>", "lstrip": true}, "sep_token": "<mask>", ` + names + `}`},
			[]string{"sep_token", `"<mask>"`, "flags"}, "one token in two ways"},
		{files{special: `{"add_bos_token": true, ` + names + `}`}, []string{special, "add_bos_token"}, "no token"},
		{files{config: `[]`}, []string{config}, "no object"},
		{files{config: `null`}, []string{config}, "nothing"},
		{files{config: `{` + names}, []string{config}, "cut off"},
		{files{added: `{"<new>": "641"}`}, []string{added, "<new>"}, "no id"},
		{files{added: `{"": 641}`}, []string{added}, "no token"},
		{files{added: `{"<new>": 650}`, special: `{` + names + `}`}, []string{`"<new>" has id 650`, "641"}, "transformers gives it another"},
		{files{config: `{"added_tokens_decoder": [], ` + names + `}`}, []string{config, "added_tokens_decoder"}, "no object"},
		{files{config: `{"added_tokens_decoder": {` + token("x", "<new>", "") + `}, ` + names + `}`}, []string{config, "added_tokens_decoder", `"x"`}, "no id"},
		{files{config: `{"added_tokens_decoder": {` + token("641", "<new>", `, "single_word": true`) + `}, ` + names + `}`},
			[]string{config, "added_tokens_decoder", "641", "single_word"}, "needs \\w of Unicode"},
		{files{config: `{"added_tokens_decoder": {` + token("641", "<new>", "") + "," + token("642", "<new>", "") + `}, ` + names + `}`},
			[]string{`"<new>"`, "twice"}, "two ids"},
		{files{config: `{"added_tokens_decoder": {` + token("1", "<new>", "") + `}, ` + names + `}`}, []string{`"<new>" has id 1`}, "another's id"},
		{files{file: `{}`, config: `{"added_tokens_decoder": {` + token("641", "<new>", "") + `}, ` + names + `}`},
			[]string{file, "added_tokens", `"<pad>"`, "added_tokens_decoder"}, "GPT2Tokenizer drops what the decoder lacks"},
		{files{file: `{"model": {"ignore_merges": true}}`, config: `{` + names + `}`}, []string{file, "ignore_merges", "GPT2Tokenizer"}, "GPT2Tokenizer ignores it"},
	} {
		t.Run(c.why, func(t *testing.T) {
			raws := map[string]json.RawMessage{}
			if _, one := c.files[file]; !one {
				raws["vocab.json"], raws["merges.txt"] = json.RawMessage("null"), json.RawMessage("null")
			}
			for name, raw := range c.files {
				raws[name] = json.RawMessage(raw)
			}
			_, err := LoadTokenizer(writeLayout(t, raws))
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
