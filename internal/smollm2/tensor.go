package smollm2

import (
	"encoding/binary"
	"fmt"
	"math"
	"regexp"

	"lorabench/internal/checkpoint"
	"lorabench/internal/smollm2/gguf"
)

// outside and inLayer map llama.cpp's names of tensors to those of transformers. The head is the embedding.
var outside = map[string]string{"token_embd": "embed_tokens", "output_norm": "norm"}

var inLayer = map[string]string{
	"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
	"attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
	"ffn_down": "mlp.down_proj",
}

// headCount names the metadata that counts the heads of a tensor whose rows llama.cpp has reordered.
var headCount = map[string]string{"attn_q": "llama.attention.head_count", "attn_k": "llama.attention.head_count_kv"}

var tensorName = regexp.MustCompile(`^(?:blk\.(\d+)\.)?(\w+)\.weight$`)

// convertTensor converts the name and the type, and puts the rows of q and k into transformers' order.
func convertTensor(f *gguf.File, t *gguf.Tensor) (checkpoint.Tensor, error) {
	out := checkpoint.Tensor{DType: checkpoint.F32, Shape: t.Shape}
	match := tensorName.FindStringSubmatch(t.Name)
	if match == nil {
		return out, notOurs(t)
	}
	layer, part := match[1], match[2]
	name, ok := outside[part]
	if layer != "" {
		name, ok = inLayer[part]
		name = "layers." + layer + "." + name
	}
	if !ok {
		return out, notOurs(t)
	}
	out.Name = "model." + name + ".weight"
	values, err := t.Float32()
	if err != nil {
		return out, err
	}
	out.Data = make([]byte, 0, 4*len(values))
	for _, v := range values {
		out.Data = binary.LittleEndian.AppendUint32(out.Data, math.Float32bits(v))
	}
	if key := headCount[part]; key != "" {
		heads, err := gguf.Value[uint32](f, key)
		if err != nil {
			return out, err
		}
		if heads == 0 || t.Shape[0]%(2*int64(heads)) != 0 {
			return out, fmt.Errorf("tensor %q of shape %v has no even number of rows for each of %d heads (%s)", t.Name, t.Shape, heads, key)
		}
		out.Data = splitPairs(out.Data, int(heads), int(t.Shape[0])/int(heads))
	}
	return out, nil
}

func notOurs(t *gguf.Tensor) error {
	return fmt.Errorf("tensor %q is none of SmolLM2's: this is another model's file", t.Name)
}

// splitPairs returns the rows of each head in transformers' order. Rotary positions rotate pairs of rows: 2i and 2i+1 in
// llama.cpp, i and i + width/2 in transformers.
func splitPairs(data []byte, heads, width int) []byte {
	row := len(data) / (heads * width) // bytes
	out := make([]byte, 0, len(data))
	for head := range heads {
		for second := range 2 {
			for i := range width / 2 {
				from := head*width + 2*i + second
				out = append(out, data[from*row:][:row]...)
			}
		}
	}
	return out
}
