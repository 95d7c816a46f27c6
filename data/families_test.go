package data

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// familyFile is testdata/families.json, which testdata/families.py wrote with transformers 5.
type familyFile struct {
	Texts []struct { // the first of the generated ones
		Text string
		IDs  [][]int32 // the different ones that the layouts give
	}
	Parts      []string // of which families_texts.py makes texts
	Seed       uint64
	Generated  int
	CodePoints struct {
		Words, Digits, NFC string
		Categories         map[string]string // by expression
	} `json:"code_points"`
	Models  map[string]jsonFields // by name: vocab and merges
	Layouts []familyLayout
	SmolLM2 []familyLayout // of the model's own tokenizer.json, but for pre_tokenizer
}

type familyLayout struct {
	Name, Model, Class string
	Files              map[string]json.RawMessage // tokenizer.json's model lacks vocab and merges
	PreTokenizer       json.RawMessage            `json:"pre_tokenizer"`
	IDs                []int                      // of each of Texts, which
	Digests, Alpaca    []string                   // of the ids of each ten texts, generated ones and CodeAlpaca's first 1,000
}

func families(t testing.TB) familyFile { return readJSON[familyFile](t, "testdata/families.json") }

// generate makes the texts that families.py made.
func (f *familyFile) generate() []string {
	state := f.Seed
	draw := func(below int) int {
		state = state*6364136223846793005 + 1442695040888963407
		return int(state >> 33 % uint64(below))
	}
	texts := make([]string, f.Generated)
	for i := range texts {
		var b strings.Builder
		for range draw(24) {
			b.WriteString(f.Parts[draw(len(f.Parts))])
		}
		texts[i] = b.String()
	}
	return texts
}

// write writes the files of a layout, tokenizer.json with the vocabulary and merges of its model.
func (l familyLayout) write(t testing.TB, model jsonFields) string {
	t.Helper()
	dir := t.TempDir()
	for name, raw := range l.Files {
		if name == "tokenizer.json" {
			var file, fields jsonFields
			require.NoError(t, json.Unmarshal(raw, &file))
			require.NoError(t, json.Unmarshal(file["model"], &fields))
			maps.Copy(fields, model)
			var err error
			file["model"], err = json.Marshal(fields)
			require.NoError(t, err)
			raw, err = json.Marshal(file)
			require.NoError(t, err)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), raw, 0o600))
	}
	return dir
}

func (f *familyFile) load(t testing.TB, name string) *Tokenizer {
	t.Helper()
	for _, l := range f.Layouts {
		if l.Name == name {
			tok, err := LoadTokenizer(l.write(t, f.Models[l.Model]))
			require.NoError(t, err)
			return tok
		}
	}
	require.Fail(t, "no such layout", name)
	return nil
}

// checkDigests compares the ids of texts, ten at a time, and returns how many texts are in blocks that agree.
func checkDigests(t *testing.T, tok *Tokenizer, texts, want []string) (agreed int) {
	t.Helper()
	require.Len(t, want, (len(texts)+9)/10)
	for i, digest := range want {
		block := texts[10*i : min(10*i+10, len(texts))]
		sum := sha256.New()
		for _, text := range block {
			ids := tok.AddSpecial(tok.Encode(text))
			require.NoError(t, binary.Write(sum, binary.LittleEndian, append([]int32{int32(len(ids))}, ids...)))
		}
		if assert.Equal(t, digest, hex.EncodeToString(sum.Sum(nil))[:len(digest)], "texts from %d: %q", 10*i, block) {
			agreed += len(block)
		}
	}
	return agreed
}

func TestTokenizerFamiliesAgreeWithTransformers(t *testing.T) {
	f := families(t)
	texts, agreed := f.generate(), 0
	require.GreaterOrEqual(t, len(texts), 2000)
	for _, l := range f.Layouts {
		t.Run(l.Name, func(t *testing.T) {
			tok, err := LoadTokenizer(l.write(t, f.Models[l.Model]))
			require.NoError(t, err)
			for i, c := range f.Texts {
				require.Equal(t, c.Text, texts[i], "both generators make the same texts")
				require.Equal(t, c.IDs[l.IDs[i]], append([]int32{}, tok.AddSpecial(tok.Encode(c.Text))...), "%q", c.Text)
			}
			agreed += checkDigests(t, tok, texts, l.Digests)
		})
	}
	t.Logf("%d texts in %d layouts have transformers' ids", agreed, len(f.Layouts))
}

// alpacaTexts are CodeAlpaca's first 1,000 records, as families.py writes them.
func alpacaTexts(t testing.TB) []string {
	t.Helper()
	set, err := Load(context.Background(), shared(t, "data/code_alpaca_20k.json.gz"))
	require.NoError(t, err)
	texts := make([]string, 1000)
	for i, r := range set.Records[:len(texts)] {
		texts[i] = r.Instruction + "\n" + r.Input + "\n" + r.Output
	}
	return texts
}

func TestTokenizerFamiliesOnCodeAlpaca(t *testing.T) {
	texts := alpacaTexts(t)
	f := families(t)
	for _, l := range f.Layouts {
		t.Run(l.Name, func(t *testing.T) {
			tok, err := LoadTokenizer(l.write(t, f.Models[l.Model]))
			require.NoError(t, err)
			checkDigests(t, tok, texts, l.Alpaca)
		})
	}
}

// smolLM2 returns the folder of SmolLM2's own tokenizer, which is too large to keep here.
func smolLM2(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("LORABENCH_SMOLLM2")
	if dir == "" {
		t.Skip("skipped: set LORABENCH_SMOLLM2 to a folder with SmolLM2-135M-Instruct's tokenizer.json")
	}
	return dir
}

func (l familyLayout) writeSmolLM2(t testing.TB) string {
	t.Helper()
	dir := l.write(t, nil)
	file := readJSON[jsonFields](t, filepath.Join(smolLM2(t), "tokenizer.json"))
	file["pre_tokenizer"] = l.PreTokenizer
	raw, err := json.Marshal(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer.json"), raw, 0o600))
	return dir
}

func TestSmolLM2AgreesWithTransformers(t *testing.T) {
	smolLM2(t)
	f := families(t)
	texts := f.generate()
	for _, l := range f.SmolLM2 {
		t.Run(l.Name, func(t *testing.T) {
			tok, err := LoadTokenizer(l.writeSmolLM2(t))
			require.NoError(t, err)
			agreed := checkDigests(t, tok, texts, l.Digests)
			agreed += checkDigests(t, tok, alpacaTexts(t), l.Alpaca)
			t.Logf("%d texts have transformers' ids", agreed)
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	f := families(b)
	var records []string
	for _, r := range readJSON[[]Record](b, "testdata/records.json") {
		records = append(records, Reported.Text(r))
	}
	run := func(b *testing.B, tok *Tokenizer, texts []string) {
		tokens, size := 0, 0
		for b.Loop() {
			for _, text := range texts {
				tokens += len(tok.Encode(text))
				size += len(text)
			}
		}
		b.SetBytes(int64(size / b.N))
		b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
	}
	for _, name := range []string{"smollm2", "llama3", "qwen2", "llama2", "mistral", "gpt4o"} {
		b.Run(name, func(b *testing.B) { run(b, f.load(b, name), records) })
	}
	b.Run("smollm2-own", func(b *testing.B) {
		tok, err := LoadTokenizer(f.SmolLM2[1].writeSmolLM2(b))
		require.NoError(b, err)
		run(b, tok, alpacaTexts(b))
	})
}
