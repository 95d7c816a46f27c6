// Package decoder is what decoder-only language models are made of: linear layers with a place for an adapter, norms, attention, MLPs,
// embedding and head, their forward and backward passes, and what is saved between them. Package opt and internal/llama put models
// together from it; package lora puts adapters into it; package train trains them.
//
// Letters in shapes: B sequences in a micro-batch, T real tokens in its row (no padding), H hidden size, D width of a head, E width of
// the embedding, F width of the MLP, V vocabulary, N heads of queries, KV heads of keys and values, L tokens that have a label.
//
// Backward passes are written out rather than recorded by autograd, which the tests compare them with: nothing is saved or computed for
// frozen weights or below the lowest part that is trained, gradients go straight into the caller's buffers, and a CUDA graph can hold
// all of it.
package decoder
