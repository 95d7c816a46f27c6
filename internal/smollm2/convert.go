package smollm2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"lorabench/internal/checkpoint"
	"lorabench/internal/file"
	"lorabench/internal/smollm2/gguf"
)

// convert writes a GGUF file of this model's kind as a Hugging Face folder, with the weights in float32.
func convert(data []byte, dir string) error {
	f, err := gguf.Parse(data)
	if err != nil {
		return err
	}
	if err := checkKind(f); err != nil {
		return err
	}
	for name, contentOf := range map[string]func(*gguf.File) (any, error){"config.json": config,
		"generation_config.json": generationConfig, "tokenizer.json": tokenizer, "tokenizer_config.json": tokenizerConfig} {
		content, err := contentOf(f)
		if err != nil {
			return err
		}
		if err := writeJSON(filepath.Join(dir, name), content); err != nil {
			return err
		}
	}
	template, err := gguf.Value[string](f, "tokenizer.chat_template")
	if err != nil {
		return err
	}
	if err := file.Write(filepath.Join(dir, "chat_template.jinja"), []byte(template)); err != nil {
		return err
	}
	tensors := make([]checkpoint.Tensor, len(f.Tensors))
	for i := range f.Tensors {
		if tensors[i], err = convertTensor(f, &f.Tensors[i]); err != nil {
			return err
		}
	}
	return checkpoint.Write(filepath.Join(dir, "model.safetensors"), tensors, map[string]string{"format": "pt"})
}

// writeJSON formats JSON as transformers does.
func writeJSON(path string, content any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(content); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return file.Write(path, b.Bytes())
}

// checkKind refuses a file that the conversion would silently get wrong.
func checkKind(f *gguf.File) error {
	for _, want := range [][2]string{{"general.architecture", "llama"}, {"tokenizer.ggml.model", "gpt2"}, {"tokenizer.ggml.pre", "smollm"}} {
		got, err := gguf.Value[string](f, want[0])
		if err != nil {
			return err
		}
		if got != want[1] {
			return fmt.Errorf("%s is %q and not %q: this is another model's file", want[0], got, want[1])
		}
	}
	return nil
}

// values returns the metadata of several keys, by the names that Hugging Face's files have for them.
func values(f *gguf.File, keys map[string]string) (map[string]any, error) {
	out := map[string]any{}
	var errs error
	for name, key := range keys {
		v, err := gguf.Value[any](f, key)
		out[name], errs = v, errors.Join(errs, err)
	}
	return out, errs
}

// config makes config.json. The rotary base is there twice: rope_theta is read by transformers 4 and 5, rope_parameters by 5.
func config(f *gguf.File) (any, error) {
	c, err := values(f, map[string]string{
		"num_hidden_layers": "llama.block_count", "max_position_embeddings": "llama.context_length",
		"hidden_size": "llama.embedding_length", "intermediate_size": "llama.feed_forward_length",
		"num_attention_heads": "llama.attention.head_count", "num_key_value_heads": "llama.attention.head_count_kv",
		"head_dim": "llama.rope.dimension_count", "vocab_size": "llama.vocab_size", "rope_theta": "llama.rope.freq_base",
		"rms_norm_eps": "llama.attention.layer_norm_rms_epsilon", "bos_token_id": "tokenizer.ggml.bos_token_id",
		"eos_token_id": "tokenizer.ggml.eos_token_id", "pad_token_id": "tokenizer.ggml.padding_token_id",
	})
	for name, value := range map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "dtype": "float32", "hidden_act": "silu",
		"attention_bias": false, "mlp_bias": false, "attention_dropout": 0, "initializer_range": 0.02, "tie_word_embeddings": true,
		"use_cache": true, "pretraining_tp": 1, "rope_parameters": map[string]any{"rope_type": "default", "rope_theta": c["rope_theta"]},
	} {
		c[name] = value
	}
	return c, err
}

func generationConfig(f *gguf.File) (any, error) {
	return values(f, map[string]string{"bos_token_id": "tokenizer.ggml.bos_token_id", "eos_token_id": "tokenizer.ggml.eos_token_id",
		"pad_token_id": "tokenizer.ggml.padding_token_id"})
}
