package data

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{two, array(two), zip(two), "\ufeff" + two, `[{"instruction":"\ud83d","output":1}]`, "[", "{", "PAR1", "\x1f\x8b", ""} {
		f.Add([]byte(s))
	}
	for _, name := range []string{"snappy", "large_string", "output_null"} {
		raw, err := os.ReadFile("testdata/parquet/" + name + ".parquet")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		recs, err := parse(raw)
		if err != nil {
			if len(recs) > 0 {
				t.Fatal("records besides an error")
			}
			return
		}
		for _, r := range recs {
			if r.check() != nil || !utf8.ValidString(r.Instruction+r.Input+r.Output) {
				t.Fatalf("a record that should have been refused: %q", r)
			}
		}
	})
}

func FuzzTokenizerJSON(f *testing.F) {
	for _, name := range []string{"bpe_json", "whole_words"} {
		raw, err := os.ReadFile("testdata/" + name + "/tokenizer.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, "a text </s> of <pad> it")
	}
	f.Fuzz(func(t *testing.T, raw []byte, text string) {
		tok, err := parseTokenizerJSON(raw, tokenizerConfig{fast: true})
		if err != nil {
			return
		}
		for _, id := range tok.Encode(text) {
			if id < 0 || int(id) >= tok.Size() {
				t.Fatalf("id %d of %d", id, tok.Size())
			}
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
		tok, err := parseVocabMerges(vocab, merges, tokenizerConfig{fast: true})
		if err != nil {
			return
		}
		for _, id := range tok.Encode(text) {
			if id < 0 || int(id) >= tok.Size() {
				t.Fatalf("id %d of %d", id, tok.Size())
			}
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
