package train

// Bytes holds the sizes of the buffers of trained parameters.
type Bytes struct{ Adapter, Gradients, Optimizer int64 }

// Predict returns the buffers' sizes for n float32 parameters: AdamW keeps two moments of each.
func Predict(n int64) Bytes { return Bytes{4 * n, 4 * n, 8 * n} }
