package data

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{two, array(two), zip(two), "\ufeff" + two, `[{"instruction":"\ud83d","output":1}]`, "[", "{", "PAR1", "\x1f\x8b", ""} {
		f.Add([]byte(s))
	}
	for _, l := range layoutFiles {
		f.Add([]byte(l.content))
	}
	for _, name := range []string{"snappy", "large_string", "output_null", "null_input", "messages", "types"} {
		raw, err := os.ReadFile("testdata/parquet/" + name + ".parquet")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		recs, err := parse(raw)
		if !bytes.HasPrefix(raw, []byte("\x1f\x8b")) {
			again, packedErr := parse([]byte(zip(string(raw))))
			if !slices.Equal(recs, again) || (err == nil) != (packedErr == nil) {
				t.Fatalf("packed, the same file has %d records and %v, not %d and %v", len(again), packedErr, len(recs), err)
			}
		}
		if err != nil {
			if len(recs) > 0 {
				t.Fatal("records besides an error")
			}
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("an error of several lines: %v", err)
			}
			return
		}
		for _, r := range recs {
			if r.Instruction+r.Output+r.Text == "" || !utf8.ValidString(r.Instruction+r.Input+r.Output+r.Text) {
				t.Fatalf("a record that should have been refused: %q", r)
			}
		}
	})
}

// Records of an array are the same one after the other.
func FuzzJSON(f *testing.F) {
	for _, l := range layoutFiles {
		f.Add([]byte("[" + l.content + "," + l.content + "]"))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var array, lines Set
		if len(raw) == 0 || raw[0] != '[' || array.add(raw) != nil || len(array.Records) == 0 {
			return
		}
		values, err := readValues(raw, true)
		if err != nil {
			t.Fatal(err)
		}
		joined := []byte("\n")
		for _, v := range values {
			joined = append(append(joined, v...), '\n')
		}
		if err := lines.add(joined); err != nil {
			t.Fatalf("%q: %v", joined, err)
		}
		if !reflect.DeepEqual(array, lines) {
			t.Fatalf("%+v as an array, %+v one after the other", array, lines)
		}
	})
}

// FuzzParquet changes bytes of the pages and of the footer, each of which has a checksum or none.
func FuzzParquet(f *testing.F) {
	files, err := filepath.Glob("testdata/parquet/*.parquet")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, at := range []int{0, len(raw) / 4, len(raw) / 2, len(raw) - 40} {
			f.Add(raw, at, byte(0))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, at int, change byte) {
		if at < 0 || at >= len(raw) {
			return
		}
		raw = bytes.Clone(raw)
		raw[at] ^= change
		var s Set
		if err := s.parseParquet(raw); err != nil && !reflect.DeepEqual(s, Set{}) {
			t.Fatal("records besides an error")
		}
		for _, r := range s.Records {
			if !utf8.ValidString(r.Instruction + r.Input + r.Output + r.Text) {
				t.Fatalf("not text: %q", r)
			}
		}
	})
}

// checkIDs encodes text and refuses ids that the tokenizer does not have.
func checkIDs(t *testing.T, tok *Tokenizer, text string) {
	for _, id := range tok.AddSpecial(tok.Encode(text)) {
		if id < 0 || int(id) >= tok.size {
			t.Fatalf("id %d of %d", id, tok.size)
		}
	}
}

func FuzzTokenizerJSON(f *testing.F) {
	for _, name := range []string{"bpe_json", "whole_words"} {
		raw, err := os.ReadFile("testdata/" + name + "/tokenizer.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, "a text </s> of <pad> it")
		for _, p := range []string{`{"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]}`,
			`{"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}]}]}`} {
			f.Add([]byte(post(p)(replace(`"rstrip": false`, `"rstrip": true`)(string(raw)))), "<pad> \n</s>")
		}
	}
	families := families(f)
	for _, l := range families.Layouts {
		raw, err := os.ReadFile(l.write(f, families.Models[l.Model]) + "/tokenizer.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, "a text <s>of<caf\u00e9> it's 345 \u2581  e\u0301\u0316")
	}
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		for _, class := range []class{backend, gpt2, llama, qwen2} {
			if tok, err := parseTokenizerJSON(raw, tokenizerConfig{class: class, scheme: "first"}); err == nil {
				checkIDs(t, tok, text)
			}
		}
	})
}

// The files beside a vocabulary: whatever they say, it is refused or gives ids that the tokenizer has, the same each time.
func FuzzTokenizerConfig(f *testing.F) {
	vocab, err := os.ReadFile("testdata/bpe/vocab.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, l := range readJSON[layoutFile](f, "testdata/layouts.json").Layouts {
		f.Add([]byte(l.Files["tokenizer_config.json"]), []byte(l.Files["special_tokens_map.json"]), []byte(l.Files["added_tokens.json"]), " <|user|> <mask> </s>x")
	}
	f.Fuzz(func(t *testing.T, config, special, added []byte, text string) {
		var files [3]jsonFields
		for i, raw := range [][]byte{config, special, added} {
			if len(raw) > 0 && (unmarshal(raw, &files[i]) != nil || files[i] == nil) {
				return
			}
		}
		var ids [2][]int32
		for i := range ids {
			c, err := parseTokenizerConfig("", files[0], files[1], files[2], nil, false)
			if err != nil {
				return
			}
			tok, err := parseVocabMerges(vocab, nil, c)
			if err != nil {
				return
			}
			checkIDs(t, tok, text)
			ids[i] = tok.AddSpecial(tok.Encode(text))
		}
		if !slices.Equal(ids[0], ids[1]) {
			t.Fatalf("%v, then %v", ids[0], ids[1])
		}
	})
}

func FuzzVocabMerges(f *testing.F) {
	vocab, err := os.ReadFile("testdata/bpe/vocab.json")
	if err != nil {
		f.Fatal(err)
	}
	merges, err := os.ReadFile("testdata/bpe/merges.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(vocab, merges, "some text")
	f.Fuzz(func(t *testing.T, vocab, merges []byte, text string) {
		if tok, err := parseVocabMerges(vocab, merges, tokenizerConfig{}); err == nil {
			checkIDs(t, tok, text)
		}
	})
}

// Decode undoes Encode, whatever the bytes: special tokens are written out as they came in.
func FuzzRoundTrip(f *testing.F) {
	tok := loadTestTokenizer(f, "bpe")
	for _, s := range []string{"", "it's a text", "  \n\u00a0x\u3000 ", "</s><pad></s", "🙂\xff\xc3", strings.Repeat("ab", 70), "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := tok.Decode(tok.Encode(s)); got != s {
			t.Fatalf("%q came back as %q", s, got)
		}
		total := 0
		for rest := s; rest != ""; {
			n := word(rest)
			if n < 1 || n > len(rest) {
				t.Fatalf("a word of %d bytes in %q", n, rest)
			}
			rest, total = rest[n:], total+n
		}
		if total != len(s) {
			t.Fatalf("%d bytes of words in %q", total, s)
		}
	})
}
