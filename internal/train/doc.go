// Package train trains a model's trainable parameters: an adapter's or every weight (full fine-tuning, the baseline for what LoRA
// saves). It holds the parameters' buffers, AdamW, the schedule, the packing of micro-batches into rows, CUDA graphs, and the files
// that a training resumes from.
//
// Letters in shapes: n trainable parameters.
package train
