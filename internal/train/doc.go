// Package train trains what is trainable of a model: an adapter's parameters or every weight (full fine-tuning, without which nobody
// can say what LoRA saves). It has the parameters' buffers, AdamW, the schedule, the packing of micro-batches into rows, CUDA graphs, and
// the files that a training goes on from.
//
// Letters in shapes: n trainable parameters.
package train
