package data

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// cut returns the pieces of text.
func cut(s splitter, text string) (pieces []string) {
	if s.expr != nil {
		s.split(text, func(piece string) { pieces = append(pieces, piece) })
		return pieces
	}
	for text != "" {
		n := s.word(text)
		pieces, text = append(pieces, text[:n]), text[n:]
	}
	return pieces
}

// engines are those of the expressions that are matched by hand.
func engines(t testing.TB) map[string]splitter {
	t.Helper()
	all := map[string]splitter{}
	for expression := range knownExpressions {
		require.True(t, portable.MatchString(expression), expression)
		s, err := engine(expression)
		require.NoError(t, err)
		all[expression] = s
	}
	require.Len(t, all, 3)
	return all
}

// The words of the known expressions are those that an engine matches, in random text of all kinds of characters.
func TestWordsAreTheEngines(t *testing.T) {
	f, engines := families(t), engines(t)
	rng := rand.New(rand.NewPCG(8, 9))
	near := []rune("  \t\r\n\n'stmdrevlSTMDREVLſaZ09é日½٣.-_\u00a0\u0301🙂")
	for range 20000 {
		var b strings.Builder
		for range rng.IntN(20) {
			switch rng.IntN(8) {
			case 0:
				b.WriteRune(rng.Int32N(utf8.MaxRune + 1))
			case 1:
				b.WriteRune(rng.Int32N(0x3000))
			case 2:
				b.WriteString(f.Parts[rng.IntN(len(f.Parts))])
			case 3:
				b.WriteByte(byte(rng.IntN(256)))
			default:
				b.WriteRune(near[rng.IntN(len(near))])
			}
		}
		text := b.String()
		for expression, byEngine := range engines {
			require.Equal(t, cut(byEngine, text), cut(splitter{word: knownExpressions[expression]}, text), "%s in %q", expression, text)
		}
	}
}

// everyCharacter yields those that families.py digests; planes 4 to 13 are empty.
func everyCharacter(yield func(rune) bool) {
	for c := rune(0); c < 0xe1000; c++ {
		if (c < 0x40000 || c >= 0xe0000) && utf8.ValidRune(c) && !yield(c) {
			return
		}
	}
}

// The characters that \s and \p{..} match, as the tokenizers library has them.
func TestCategoriesAgreeWithTokenizers(t *testing.T) {
	want := families(t).CodePoints.Categories
	require.Len(t, want, 32)
	for expression, digest := range want {
		s, err := newSplitter(expression)
		require.NoError(t, err)
		sum := sha256.New()
		for c := range everyCharacter {
			if match, err := s.expr.MatchRunes([]rune{standIn(c)}); match && err == nil {
				sum.Write([]byte(string(c)))
			}
		}
		assert.Equal(t, digest, hex.EncodeToString(sum.Sum(nil))[:12], expression)
	}
}

// What each character of Unicode does to a contraction, to Digits and to NFC, as the tokenizers library has it.
func TestCharactersAgreeWithTokenizers(t *testing.T) {
	words, digits, composed := sha256.New(), sha256.New(), sha256.New()
	for c := range everyCharacter {
		ch := string(c)
		for _, w := range cut(splitter{word: threeDigits}, "a'"+ch+"e'l"+ch) {
			words.Write([]byte{byte(utf8.RuneCountInString(w))})
		}
		digits.Write([]byte{byte(len(cut(splitter{word: singleDigit}, "a"+ch+"a")))})
		decomposed := norm.NFD.String(ch)
		if c == lateComposite {
			decomposed = ch
		}
		for _, s := range []string{ch, "a" + ch + "\u0334", "\u05d0\u0316" + ch, ch + "\u0301", "\u1100" + ch, decomposed} {
			composed.Write([]byte(nfc(s)))
		}
	}
	want := families(t).CodePoints
	assert.Equal(t, want.Words, hex.EncodeToString(words.Sum(nil)), "words")
	assert.Equal(t, want.Digits, hex.EncodeToString(digits.Sum(nil)), "digits")
	assert.Equal(t, want.NFC, hex.EncodeToString(composed.Sum(nil)), "NFC")
}

func TestNFC(t *testing.T) {
	many := strings.Repeat("\u0301\u0316", 20)
	for _, c := range []struct{ text, want, why string }{
		{"plain", "plain", "nothing to do"},
		{"\xffe\u0301\xc3", "\xff\u00e9\xc3", "stray bytes stay"},
		{"a" + many, "\u00e1" + strings.Repeat("\u0316", 20) + strings.Repeat("\u0301", 19), "more than 30 marks, and nothing put between"},
		{"\U00011935\U00011930", "\U00011935\U00011930", "composed since Unicode 13"},
		{"\u1112\u1161\u11ab", "\ud55c", "Hangul"},
	} {
		assert.Equal(t, c.want, nfc(c.text), c.why)
	}
}

// Expressions that may mean something else to the engine than to the tokenizers library are refused.
func TestExpressionsRefused(t *testing.T) {
	for _, c := range []struct{ expression, why string }{
		{`\w+`, "letters of what Unicode"}, {`^a`, "a line or the text"}, {`a$`, "a line or the text"}, {`\bx`, "what a word is"},
		{`.`, "line ends"}, {`a++`, "possessive, or twice"}, {`a{2}+`, "possessive, or twice"}, {`a{2}?`, "lazy, or optional"},
		{`[a[b]]`, "a class within"}, {`[a-z-[b]]`, "a difference"}, {`[a-z&&b]`, "an intersection"}, {`[[:alpha:]]`, "POSIX"},
		{`(?i)a`, "case of all"}, {`(?i:k)`, "case of what Unicode"}, {`(a)\1`, "a reference"}, {`(?<=a)b`, "look-behind"},
		{`\h`, "a digit or a space"}, {`\p{Han}`, "scripts of what Unicode"}, {`\d`, "digits of what Unicode"},
		{`(?<n>a)`, "a name"}, {`a)`, "no group"}, {`(`, "no end"}, {`[]a]`, "an empty class"}, {`\x41`, "a code"},
	} {
		_, err := newSplitter(c.expression)
		require.ErrorContains(t, err, strconv.Quote(c.expression), c.why)
	}
	s, err := newSplitter(`(?:a+?|[^b\]&d'-])(?!c)|d{2,3}|` + anyCase + `?e`)
	require.NoError(t, err)
	assert.Equal(t, []string{"x", "a", "a", "c", "ddd", "d", "'\u017fe", "b"}, cut(s, "xaacdddd'\u017feb"), "matches and what lies between")
}

// Words of pieces are encoded apart, and give the ids that the text as a whole does.
func TestPiecesApart(t *testing.T) {
	f := families(t)
	for _, name := range []string{"llama2", "mistral"} {
		tok := f.load(t, name)
		require.Len(t, tok.splits, 1)
		whole := *tok
		whole.splits = nil
		for _, text := range f.generate()[:500] {
			require.Equal(t, whole.Encode(text), tok.Encode(text), "%q", text)
		}
	}
}

// A merge over the beginning of a space is made, as the text is then not cut there.
func TestPiecesAcrossSpaces(t *testing.T) {
	vocab := map[string]int64{space: 256, "a": 257, "a" + space: 258}
	for b := range 256 {
		vocab[byteToken(byte(b))] = int64(b)
	}
	tok, err := newTokenizer(vocab, [][2]string{{"a", space}}, pipeline{normalize: prependSpace}, true)
	require.NoError(t, err)
	ids := tok.Encode("a a\n")
	assert.Equal(t, []int32{256, 258, 257, '\n'}, ids)
	assert.Equal(t, " a a\n", tok.Decode(ids))
}

// A Sequence of none leaves text as it is, and a Sequence of one is that one, as in the tokenizers library.
func TestNormalizersInSequence(t *testing.T) {
	const spaces = `{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},` +
		`{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}`
	const bytes = `{"type":"ByteLevel","add_prefix_space":false}`
	const meta = `{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}`
	for _, c := range []struct {
		normalizers, pre string
		pieces           bool
		want, why        string
	}{
		{``, bytes, false, "e\u0301 x", "DeepSeek's: a Sequence of none"},
		{`{"type":"Sequence","normalizers":[]}`, bytes, false, "e\u0301 x", "none within one"},
		{`{"type":"NFC"}`, bytes, false, "\u00e9 x", "a Sequence of one"},
		{``, meta, true, "e\u0301 x", "a Sequence of none beside Metaspace, which writes the spaces"},
		{spaces, `null`, true, "▁e\u0301▁x", "Prepend and Replace, within one"},
	} {
		var n normalizer
		var pre *preTokenizer
		require.NoError(t, json.Unmarshal([]byte(`{"type":"Sequence","normalizers":[`+c.normalizers+`]}`), &n), c.why)
		require.NoError(t, json.Unmarshal([]byte(c.pre), &pre), c.why)
		p, err := newPipeline(&n, pre, c.pieces)
		require.NoError(t, err, c.why)
		got := "e\u0301 x"
		if p.normalize != nil {
			got = p.normalize(got)
		}
		assert.Equal(t, c.want, got, c.why)
	}
}

func TestPipelineRefused(t *testing.T) {
	const split = `{"type":"Split","pattern":{"Regex":"a"},"behavior":"Isolated","invert":false}`
	const bytes = `{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}`
	const meta = `"replacement":"▁","prepend_scheme":"first","split":false`
	sequence := func(steps ...string) string {
		return `{"type":"Sequence","pretokenizers":[` + strings.Join(steps, ",") + `]}`
	}
	const spaces = `{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},` +
		`{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}`
	f := families(t)
	for _, c := range []struct{ model, normalizer, pre, want, why string }{
		{"bytes", `null`, sequence(split, `null`), "pre_tokenizer.pretokenizers[1] is missing", "nothing"},
		{"bytes", `null`, sequence(bytes, split), "pre_tokenizer.pretokenizers[0].type", "what comes after bytes would see other characters"},
		{"bytes", `null`, sequence(split), "pre_tokenizer.pretokenizers[0].type", "no bytes"},
		{"bytes", `null`, sequence(), "pre_tokenizer splits nothing", "no steps"},
		{"bytes", `null`, `null`, "pre_tokenizer is missing", "nothing"},
		{"bytes", `null`, sequence(`{"type":"Digits"}`, bytes), "pre_tokenizer.pretokenizers[0].individual_digits", "numbers as a whole"},
		{"bytes", `null`, sequence(`{"type":"Whitespace"}`, bytes), `"Whitespace"`, "another step"},
		{"bytes", `null`, sequence(replace("Isolated", "Removed")(split), bytes), `"Removed"`, "text would be lost"},
		{"bytes", `null`, sequence(replace("false", "true")(split), bytes), "invert true", "the other pieces"},
		{"bytes", `null`, sequence(replace("Regex", "String")(split), bytes), "only Isolated by a Regex", "a string"},
		{"bytes", `null`, sequence(replace(`"a"`, `"\\w"`)(split), bytes),
			`pre_tokenizer.pretokenizers[0].pattern.Regex: the expression "\\w"`, "an expression"},
		{"bytes", `null`, sequence(split, replace("false", "true")(bytes)), "pretokenizers[1].add_prefix_space", "a space in front"},
		{"bytes", spaces, sequence(split, bytes), `normalizer.type is "Sequence"`, "spaces of another kind"},
		{"bytes", `{"type":"Sequence"}`, bytes, `normalizer.type is "Sequence"`, "a Sequence without its field, which tokenizers refuses"},
		{"bytes", `{"type":"Sequence","normalizers":[null]}`, bytes, `normalizer.type is "Sequence"`, "a Sequence of null, which tokenizers refuses"},
		{"bytes", `{"type":"Sequence","normalizers":[{"type":"NFD"}]}`, bytes, `normalizer.normalizers[0].type is "NFD"`, "another, within a Sequence"},
		{"pieces", `{"type":"Sequence","normalizers":[]}`, `null`, "pre_tokenizer and normalizer are missing", "a Sequence of none leaves spaces"},
		{"pieces", `null`, `null`, "pre_tokenizer and normalizer are missing", "spaces stay"},
		{"pieces", `{"type":"NFC"}`, `null`, "normalizer is not supported", "another normalizer"},
		{"pieces", replace(`"String":" "`, `"Regex":" "`)(spaces), `null`, "normalizer is not supported", "an expression"},
		{"pieces", replace("▁", "_")(spaces), `null`, "normalizer is not supported", "another character"},
		{"pieces", spaces, `{"type":"Metaspace",` + meta + `}`, "are both set", "two spaces in front"},
		{"pieces", `null`, bytes, "ByteLevel", "bytes"},
		{"pieces", `null`, `{"type":"Metaspace",` + replace("▁", "_")(meta) + `}`, `Metaspace of "_"`, "another character"},
		{"pieces", `null`, `{"type":"Metaspace",` + replace("false", "true")(meta) + `}`, "pre_tokenizer.split", "words apart"},
		{"pieces", `null`, `{"type":"Metaspace",` + replace(`,"split":false`, "")(meta) + `}`, "pre_tokenizer.split", "absent means true"},
		{"pieces", `null`, `{"type":"Metaspace",` + replace("first", "last")(meta) + `}`, "prepend_scheme", "not known"},
	} {
		t.Run(c.why, func(t *testing.T) {
			fallback := strconv.FormatBool(c.model == "pieces")
			l := familyLayout{Files: jsonFields{"tokenizer.json": []byte(`{"added_tokens":[],"normalizer":` + c.normalizer +
				`,"pre_tokenizer":` + c.pre + `,"model":{"type":"BPE","byte_fallback":` + fallback + `}}`)}}
			dir := l.write(t, f.Models[c.model])
			_, err := LoadTokenizer(dir)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, dir+"/tokenizer.json")
		})
	}
}

// Settings of the model that the families do not have together.
func TestFamilyRefusals(t *testing.T) {
	f := families(t)
	for _, c := range []struct{ layout, file, old, with, want, why string }{
		{"llama2", "tokenizer.json", `"ignore_merges":false`, `"ignore_merges":true`, "model.ignore_merges", "the class ignores it"},
		{"tinyllama-backend", "tokenizer.json", `"ignore_merges":false`, `"ignore_merges":true`, "model.byte_fallback are both", "whole texts"},
		{"tinyllama-backend", "tokenizer.json", `0x0A`, `0x0a`, "no <0x0A>", "a byte without a token"},
		{"smollm2", "tokenizer.json", `"unk_token":null`, `"unk_token":"<|endoftext|>"`, "model.unk_token", "what bytes become"},
		{"llama2", "tokenizer_config.json", `"legacy": false`, `"legacy": 1`, "legacy is 1", "no Boolean"},
		{"llama2", "config.json", `"llama"`, `"phi3"`, `config.json: model_type is "phi3"`, "other rules"},
		{"llama2", "config.json", `"llama"`, `["llama"]`, "config.json: model_type", "no type"},
		{"llama2", "tokenizer_config.json", `"LlamaTokenizer"`, `"CodeLlamaTokenizer"`, "CodeLlamaTokenizer", "a class of its own"},
	} {
		t.Run(c.why, func(t *testing.T) {
			for _, l := range f.Layouts {
				if l.Name != c.layout {
					continue
				}
				dir := l.write(t, f.Models[l.Model])
				raw, err := os.ReadFile(dir + "/" + c.file)
				require.NoError(t, err)
				changed := replace(c.old, c.with)(string(raw))
				if changed == string(raw) {
					changed = replace(strings.ReplaceAll(c.old, ": ", ":"), c.with)(string(raw))
				}
				require.NotEqual(t, string(raw), changed)
				require.NoError(t, os.WriteFile(dir+"/"+c.file, []byte(changed), 0o600))
				_, err = LoadTokenizer(dir)
				require.ErrorContains(t, err, c.want)
				return
			}
			require.Fail(t, "no such layout")
		})
	}
}

// FuzzWords compares the hand-written words with the engine's, and pieces apart with the whole.
func FuzzWords(f *testing.F) {
	engines, families := engines(f), families(f)
	apart := families.load(f, "mistral")
	whole := *apart
	whole.splits = nil
	for _, c := range families.Texts {
		f.Add(c.Text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for expression, byEngine := range engines {
			require.Equal(t, cut(byEngine, text), cut(splitter{word: knownExpressions[expression]}, text), expression)
		}
		require.Equal(t, text, strings.Join(cut(splitter{word: singleDigit}, text), ""))
		require.Equal(t, whole.Encode(text), apart.Encode(text))
		once := nfc(text)
		require.Equal(t, once, nfc(once))
		require.Equal(t, utf8.ValidString(text), utf8.ValidString(once))
	})
}
