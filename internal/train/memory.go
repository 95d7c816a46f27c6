package train

// Bytes is what the buffers of trained parameters take, as their number predicts it.
type Bytes struct{ Adapter, Gradients, Optimizer int64 }

// Predict is the buffers' size for n float32 parameters: AdamW keeps two moments of each.
func Predict(n int64) Bytes { return Bytes{4 * n, 4 * n, 8 * n} }
