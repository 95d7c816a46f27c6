package smollm2

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/checkpoint"
)

func TestConvertTensors(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, convert(pack(tiny()), dir))
	f, err := checkpoint.Open(dir)
	require.NoError(t, err)
	defer f.Close()
	rows := func(name string, cols int, want ...float32) {
		t.Helper()
		var all []float32
		for _, v := range want {
			all = append(all, slices.Repeat([]float32{v}, cols)...)
		}
		tensor, ok, err := f.Tensor(name)
		require.NoError(t, err)
		require.True(t, ok, name)
		got, err := checkpoint.Float32(tensor)
		require.NoError(t, err)
		require.Equal(t, all, got, name)
	}
	layer := "model.layers.0."
	rows("model.embed_tokens.weight", 8, 0, 1, 2, 3, 4)
	rows(layer+"input_layernorm.weight", 8, 0)
	rows(layer+"self_attn.q_proj.weight", 8, 0, 2, 1, 3, 4, 6, 5, 7) // the pairs 0 1, 2 3 of each head become 0 2, 1 3
	rows(layer+"self_attn.k_proj.weight", 8, 0, 2, 1, 3)
	rows(layer+"self_attn.v_proj.weight", 8, 0, 1, 2, 3)
	rows(layer+"self_attn.o_proj.weight", 8, 0, 1, 2, 3, 4, 5, 6, 7)
	rows(layer+"post_attention_layernorm.weight", 8, 0)
	rows(layer+"mlp.gate_proj.weight", 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	rows(layer+"mlp.up_proj.weight", 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	rows(layer+"mlp.down_proj.weight", 12, 0, 1, 2, 3, 4, 5, 6, 7)
	rows("model.norm.weight", 8, 0)
	require.Len(t, f.Names(), 11)
	down, _, err := f.Tensor(layer + "mlp.down_proj.weight")
	require.NoError(t, err)
	require.Equal(t, []int64{8, 12}, down.Shape)
	require.Equal(t, checkpoint.F32, down.DType)
}

func TestConvertTexts(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, convert(pack(tiny()), dir))
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(data)
	}
	require.Equal(t, "{% for message in messages %}", read("chat_template.jinja"))
	require.JSONEq(t, `{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "float32", "hidden_act": "silu",
		"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4,
		"vocab_size": 5, "max_position_embeddings": 16, "rms_norm_eps": 1e-05, "rope_theta": 100000,
		"rope_parameters": {"rope_type": "default", "rope_theta": 100000}, "tie_word_embeddings": true, "attention_bias": false,
		"mlp_bias": false, "attention_dropout": 0, "initializer_range": 0.02, "use_cache": true, "pretraining_tp": 1,
		"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}`, read("config.json"))
	require.JSONEq(t, `{"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}`, read("generation_config.json"))
	require.JSONEq(t, `{"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false, "bos_token": "<|im_start|>",
		"eos_token": "<|im_start|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}`, read("tokenizer_config.json"))
	require.JSONEq(t, `{"version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
		"added_tokens": [
			{"id": 0, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
			{"id": 1, "content": "<|im_start|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
		"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
			{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]},
		"decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		"model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
			"vocab": {"<|endoftext|>": 0, "<|im_start|>": 1, "a": 2, "é": 3, "aé": 4}, "merges": [["a", "é"]]}}`, read("tokenizer.json"))
	require.Contains(t, read("tokenizer.json"), `"<|im_start|>": 1,`, "as people would look it up")
}

// A file of another kind would be converted to a model that is wrong and still runs.
func TestForeign(t *testing.T) {
	for _, c := range []struct {
		key   string
		value any
		want  string
	}{
		{"general.architecture", "qwen2", `general.architecture is "qwen2" and not "llama"`},
		{"general.architecture", uint32(1), "general.architecture is uint32"},
		{"tokenizer.ggml.model", "llama", `tokenizer.ggml.model is "llama" and not "gpt2"`},
		{"tokenizer.ggml.pre", "qwen2", `tokenizer.ggml.pre is "qwen2" and not "smollm"`},
		{"llama.block_count", nil, "llama.block_count is <nil>"},
		{"llama.attention.head_count", uint32(3), "has no even number of rows for each of 3 heads (llama.attention.head_count)"},
		{"llama.attention.head_count_kv", uint32(0), "for each of 0 heads (llama.attention.head_count_kv)"},
		{"llama.attention.head_count_kv", uint32(4), "for each of 4 heads (llama.attention.head_count_kv)"},
		{"tokenizer.ggml.tokens", []int32{1}, "tokenizer.ggml.tokens[0] is int32"},
		{"tokenizer.ggml.token_type", []int32{3, 3, 1, 1}, "has 4 elements for 5 tokens"},
		{"tokenizer.ggml.token_type", []int32{3, 3, 1, 1, 6}, `tokenizer.ggml.token_type[4], of "aé", is 6`},
		{"tokenizer.ggml.merges", []string{"aé"}, `tokenizer.ggml.merges[0] is "aé"`},
		{"tokenizer.ggml.merges", []string{"a é b"}, `tokenizer.ggml.merges[0] is "a é b"`},
		{"tokenizer.ggml.eos_token_id", uint32(5), "tokenizer.ggml.eos_token_id is 5, and there are 5 tokens"},
		{"tokenizer.chat_template", nil, "tokenizer.chat_template is <nil>"},
	} {
		keys, tensors := tiny()
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == c.key })
		if keys[i].value = c.value; c.value == nil {
			keys = slices.Delete(keys, i, i+1)
		}
		require.ErrorContains(t, convert(pack(keys, tensors), t.TempDir()), c.want)
	}
	for _, name := range []string{"output.weight", "blk.0.attn_q.bias", "blk.0.ffn_gate_inp.weight", "blk.0.token_embd.weight",
		"attn_q.weight"} {
		keys, tensors := tiny()
		tensors = append(tensors, tensor{name, 1, 8})
		require.ErrorContains(t, convert(pack(keys, tensors), t.TempDir()), `tensor "`+name+`" is none of SmolLM2's`)
	}
	require.ErrorContains(t, convert([]byte("PK"), t.TempDir()), "no GGUF file")
}
