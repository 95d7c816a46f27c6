package data

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// caseFile is testdata/cases.json, which testdata/make.py wrote with Hugging Face's tokenizers.
type caseFile struct {
	BPE        []tokenCase `json:"bpe"`
	WholeWords []tokenCase `json:"whole_words"`
	Classes    string      `json:"classes_sha256"`
}

type tokenCase struct {
	Text string
	IDs  []int32
}

func readJSON[T any](t testing.TB, path string) (v T) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &v))
	return v
}

func loadTestTokenizer(t testing.TB, name string) *Tokenizer {
	t.Helper()
	tok, err := LoadTokenizer(filepath.Join("testdata", name))
	require.NoError(t, err)
	return tok
}

func TestTokenizerAgreesWithTokenizers(t *testing.T) {
	cases := readJSON[caseFile](t, "testdata/cases.json")
	require.NotEmpty(t, cases.BPE)
	require.NotEmpty(t, cases.WholeWords)
	for _, run := range []struct {
		folder string
		cases  []tokenCase
		why    string
	}{
		{"bpe", cases.BPE, "vocab.json and merges.txt, as OPT's repositories have them"},
		{"bpe_json", cases.BPE, "the same in one file"},
		{"whole_words", cases.WholeWords, "ignore_merges, overlapping special tokens, one not normalized"},
	} {
		t.Run(run.folder, func(t *testing.T) {
			tok := loadTestTokenizer(t, run.folder)
			for _, c := range run.cases {
				got := tok.Encode(c.Text)
				assert.Equal(t, append([]int32{}, c.IDs...), got, "%s: %q", run.why, c.Text)
				assert.Equal(t, c.Text, tok.Decode(got), run.why)
			}
		})
	}
}

// The splitting pattern's classes of every code point there is.
func TestClassesAgreeWithTokenizers(t *testing.T) {
	letters := make([]byte, utf8.MaxRune+1)
	for r := range rune(len(letters)) {
		letters[r] = '-'
		if utf8.ValidRune(r) {
			class, n := classOf(string(r))
			require.Equal(t, utf8.RuneLen(r), n)
			letters[r] = "OLNS"[class]
		}
	}
	sum := sha256.Sum256(letters)
	assert.Equal(t, readJSON[caseFile](t, "testdata/cases.json").Classes, hex.EncodeToString(sum[:]))
}

func TestTokenizerOfAnything(t *testing.T) {
	tok := loadTestTokenizer(t, "bpe")
	for _, c := range []struct{ text, why string }{
		{"\xff\xfe", "bytes that begin no character"},
		{"a\xc3", "a character cut off at the end"},
		{"\xed\xa0\x80", "a surrogate written as UTF-8"},
		{"\xf4\x90\x80\x80", "beyond the last code point"},
		{" \x80 \x80  \x80", "stray bytes among spaces"},
	} {
		assert.Equal(t, c.text, tok.Decode(tok.Encode(c.text)), c.why)
	}
	assert.Equal(t, "", tok.Decode([]int32{-1, int32(tok.size), 1 << 30}), "ids without a token give nothing")
	assert.Equal(t, tok.Encode("")[:0], tok.Encode(""), "no text, no ids")
}

// Both ways to merge give the same, at every length around the one where they change over.
func TestScanAndHeapAgree(t *testing.T) {
	b := loadTestTokenizer(t, "bpe").bpe
	text := strings.Repeat("thereturnprintaaaaaaaonumberin==== functiontheth", 40)
	for n := 1; n <= scanLimit; n++ {
		for start := range 60 {
			scan := b.merge(nil, text[start:start+n])
			ids := make([]int32, n)
			for i := range n {
				ids[i] = b.bytes[text[start+i]]
			}
			require.Equal(t, scan, ids[:b.mergeHeap(ids)], "%q", text[start:start+n])
		}
	}
}

// Merges are pairs. An encoder that takes any two tokens whose join is a token gives [x bc] for "xbc" as well, but
// here "abc" can be reached from ab + c alone, and ab is made after bc.
func TestMergesArePairs(t *testing.T) {
	vocab := map[string]int64{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
	for b, r := range byteRunes {
		vocab[string(r)] = int64(4 + b)
	}
	for i, token := range []string{"bc", "ab", "abc"} {
		vocab[token] = int64(260 + i)
	}
	tok, err := newTokenizer(vocab, [][2]string{{"b", "c"}, {"a", "b"}, {"ab", "c"}}, gpt2Pipeline, false)
	require.NoError(t, err)
	assert.Equal(t, []int32{int32(vocab["a"]), 260}, tok.Encode("abc"), "a + bc is no merge")
	assert.Equal(t, []int32{261}, tok.Encode("ab"))
}

// A megabyte without a space must not take the square of its length.
func TestLongWord(t *testing.T) {
	tok := loadTestTokenizer(t, "bpe")
	text := strings.Repeat("return", 1<<20/6)
	ids := tok.Encode(text)
	assert.Equal(t, text, tok.Decode(ids))
	assert.Less(t, len(ids), len(text)/2)
}

func TestBOSOfABareVocabulary(t *testing.T) {
	for _, c := range []struct {
		config string
		want   int32
		why    string
	}{
		{`{"bos_token_id": 0}`, 0, "config.json is asked where no file names a token"},
		{`{"bos_token_id": [0, 2]}`, -1, "a list says nothing of which"},
		{`{"vocab_size": 640}`, BOS, "OPT's where nothing is said"},
	} {
		dir := copyFiles(t, "bpe")
		require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(c.config), 0o600))
		tok, err := LoadTokenizer(dir)
		if c.want < 0 {
			require.ErrorContains(t, err, "bos_token_id", c.why)
			continue
		}
		require.NoError(t, err, c.why)
		assert.Equal(t, []int32{c.want}, tok.AddSpecial(nil), c.why)
	}
}

// Truncation cuts the text, as transformers does, and not what a post-processor puts after it.
func TestTruncateKeepsTheEnds(t *testing.T) {
	tok := loadTestTokenizer(t, "bpe")
	tok.around = ends{[]int32{0}, []int32{2, 3}}
	ids := tok.AddSpecial([]int32{10, 11, 12})
	assert.Equal(t, []int32{0, 10, 11, 12, 2, 3}, ids)
	samples, err := Reported.Encode(tok, []Record{{Instruction: "Print the number.", Output: "print(7)"}}, 8)
	require.NoError(t, err)
	assert.Equal(t, append(append([]int32{0}, tok.Encode("Instruction: Print the number.")[:5]...), 2, 3), samples[0].IDs, "a sample is built so")
	for n, want := range map[int][]int32{9: {0, 10, 11, 12, 2, 3}, 6: {0, 10, 11, 12, 2, 3}, 5: {0, 10, 11, 2, 3}, 3: {0, 2, 3}} {
		assert.Equal(t, want, tok.Truncate(slices.Clone(ids), n), "to %d", n)
	}
}

func copyFiles(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))))
	return dir
}

func TestBadTokenizerFiles(t *testing.T) {
	for _, c := range []struct {
		from, file string
		change     func(string) string
		want, why  string
	}{
		{"bpe", "vocab.json", func(s string) string { return s[:len(s)/2] }, "unexpected end", "cut off"},
		{"bpe", "vocab.json", replace(`"Ġ":`, `"ĠĠĠĠ":`), "no token for the byte 0x20", "not every byte has a token"},
		{"bpe", "vocab.json", replace(`"<pad>": 1`, `"<pad>": 2`), `same id 2`, "two tokens with one id"},
		{"bpe", "vocab.json", replace(`"<pad>": 1`, `"<pad>": -1`), `id -1`, "a negative id"},
		{"bpe", "vocab.json", replace(`"<pad>": 1`, `"<pad>": 99999999999`), `id 99999999999`, "an id that no table can hold"},
		{"bpe", "vocab.json", replace(`"<pad>": 1`, `"<pad>": 1.5`), `vocabulary`, "an id that is no integer"},
		{"bpe", "vocab.json", replace(`"<pad>": 1, `, ``), `"<pad>"`, "a special token is missing"},
		{"bpe", "vocab.json", func(string) string { return "{}" }, "empty", "no tokens"},
		{"bpe", "vocab.json", func(s string) string { return s + "\xff" }, "not UTF-8", "stray bytes"},
		{"bpe", "merges.txt", func(s string) string { return s + "a b c\n" }, "line ", "three tokens in a merge"},
		{"bpe", "merges.txt", func(s string) string { return s + "z z\n" }, `"zz"`, "a merge whose result is no token"},
		{"bpe", "merges.txt", func(s string) string { return s + "\xff \xff\n" }, "not UTF-8", "stray bytes"},
		{"bpe_json", "tokenizer.json", replace(`"type": "BPE"`, `"type": "Unigram"`), "model.type", "not BPE"},
		{"bpe_json", "tokenizer.json", model(`{"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.5]]}`),
			`model.type is "Unigram": only BPE is supported`, "T5's: its vocabulary is a list"},
		{"bpe_json", "tokenizer.json", model(`{"vocab": {"a": 0.5}, "type": "WordLevel"}`), `model.type is "WordLevel"`, "the type comes after what does not fit it"},
		{"bpe_json", "tokenizer.json", model(`{"type": "BPE", "vocab": []}`), "cannot unmarshal array", "BPE with a list"},
		{"bpe_json", "tokenizer.json", model(`{"vocab": []}`), "cannot unmarshal array", "a model of no type"},
		{"bpe_json", "tokenizer.json", replace(`"normalizer": null`, `"normalizer": {"type": "NFD"}`), `normalizer.type is "NFD"`, "text would be changed first"},
		{"bpe_json", "tokenizer.json", replace(`"add_prefix_space": false`, `"add_prefix_space": true`), "add_prefix_space", "as RoBERTa's"},
		{"bpe_json", "tokenizer.json", replace(`"add_prefix_space": false,`, ``), "add_prefix_space", "absent means true"},
		{"bpe_json", "tokenizer.json", replace(`"use_regex": true`, `"use_regex": false`), "use_regex", "another splitting"},
		{"bpe_json", "tokenizer.json", replace(`"type": "ByteLevel"`, `"type": "Metaspace"`), "pre_tokenizer.type", "Llama's"},
		{"bpe_json", "tokenizer.json", replace(`"dropout": null`, `"dropout": 0.1`), "model.dropout", "random merges"},
		{"bpe_json", "tokenizer.json", replace(`"single_word": false`, `"single_word": true`), "single_word", "needs \\w of Unicode"},
		{"bpe_json", "tokenizer.json", replace(`"content": "<pad>"`, `"content": ""`), "added_tokens[0]", "a token of nothing"},
		{"bpe_json", "tokenizer.json", replace(`"id": 1`, `"id": 3`), `"<pad>" has id 3`, "added_tokens and the vocabulary disagree"},
		{"bpe_json", "tokenizer.json", replace(`"content": "<pad>"`, `"content": "<new>"`), `"<new>" has id 1`, "a new token with another's id"},
		{"bpe_json", "tokenizer.json", replace(`"truncation": null`, `"truncation": {"direction": "Left"}`), "truncation.direction", "the other side is cut"},
		{"bpe_json", "tokenizer.json", post(`{"type": "Other"}`), `"Other"`, "a processor that is not known"},
		{"bpe_json", "tokenizer.json", post(`{"type": "Sequence", "processors": [null]}`), "processors[0]", "nothing"},
		{"bpe_json", "tokenizer.json", post(`{"type": "Sequence", "processors": [{"type": "Other"}]}`), "processors[0]", "not known, further in"},
		{"bpe_json", "tokenizer.json", post(`{"type": "BertProcessing", "sep": ["</s>", 2]}`), "cls and sep", "half of it"},
		{"bpe_json", "tokenizer.json", post(`{"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 9999]}`), "id 9999", "an id of no token"},
		{"bpe_json", "tokenizer.json", post(`{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "</s>"}}]}`), "single[0]", "an undefined token"},
		{"bpe_json", "tokenizer.json", post(`{"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}, {"Sequence": {"id": "A"}}]}`), "2 times", "the text twice"},
		{"bpe_json", "tokenizer.json", post(`{"type": "TemplateProcessing", "single": []}`), "0 times", "no text"},
		{"bpe_json", "tokenizer.json", replace(`"end_of_word_suffix": null`, `"end_of_word_suffix": "</w>"`), "end_of_word_suffix", "CLIP's"},
		{"bpe_json", "tokenizer.json", replace(`["Ġ", "a"]`, `["Ġ"]`), "model.merges[", "half a merge"},
		{"bpe_json", "tokenizer.json", func(string) string { return "[]" }, "tokenizer.json", "not an object"},
	} {
		t.Run(c.why, func(t *testing.T) {
			dir := copyFiles(t, c.from)
			path := filepath.Join(dir, c.file)
			raw, err := os.ReadFile(path)
			require.NoError(t, err)
			changed := c.change(string(raw))
			require.NotEqual(t, string(raw), changed, "the change found nothing to change")
			require.NoError(t, os.WriteFile(path, []byte(changed), 0o600))
			_, err = LoadTokenizer(dir)
			require.ErrorContains(t, err, c.want)
			assert.ErrorContains(t, err, path, "the error names the file")
		})
	}
}

func model(fields string) func(string) string {
	return func(string) string { return `{"model": ` + fields + `}` }
}

func post(processor string) func(string) string {
	return replace(`"post_processor": null`, `"post_processor": `+processor)
}

func replace(old, with string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, with, 1) }
}

func TestMissingTokenizerFiles(t *testing.T) {
	dir := t.TempDir()
	_, err := LoadTokenizer(dir)
	require.ErrorContains(t, err, "no tokenizer.json and no vocab.json")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vocab.json"), []byte("{}"), 0o600))
	_, err = LoadTokenizer(dir)
	require.ErrorContains(t, err, "merges.txt")
}

func BenchmarkTokenizer(b *testing.B) {
	tok := loadTestTokenizer(b, "bpe")
	recs := readJSON[[]Record](b, "testdata/records.json")
	tokens, size := 0, 0
	for b.Loop() {
		for _, r := range recs {
			text := Reported.Text(r)
			tokens += len(tok.Encode(text))
			size += len(text)
		}
	}
	b.SetBytes(int64(size / b.N))
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}
