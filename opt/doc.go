// Package opt describes OPT, Meta's family of open pre-trained transformers (Zhang et al. 2022,
// arXiv:2205.01068): its config.json, its weights, its forward and its backward pass. It has nothing to do with
// options or optimizers.
//
// Letters in shapes: B sequences in a micro-batch, T real tokens in its row (no padding), H hidden
// size, E word_embed_proj_dim, F ffn_dim, V vocabulary, N tokens that carry a label.
//
// The forward pass, for opt-350m (do_layer_norm_before false, E 512 beside H 1024):
//
//	x = embed_tokens[id]            [T, E]
//	x = project_in x                [T, H]    where E != H
//	x = x + embed_positions[pos+2]  [T, H]
//	each layer:
//	    x = ln(x + dropout(attention(x)))
//	    x = ln(x + dropout(fc2 relu(fc1 x)))
//	x = project_out x               [T, E]
//	logits = embed_tokens x         [T, V]    lm_head is tied to embed_tokens
//
// The other sizes (opt-125m to opt-6.7b) normalise before attention and before fc1 instead, and
// once more at the end. Source: modeling_opt.py of Hugging Face transformers, whose names of
// modules and weights are used throughout.
//
// The parts, their forward and backward passes are internal/decoder's: this package is config, names and assembly.
package opt
