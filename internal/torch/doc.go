// Package torch is the only door to libtorch: the one importer of gotch and of "C".
//
// It calls gotch's libtch layer directly from a small tensor type of its own. gotch's ts.Tensor
// costs 12 us an operation (100 KB of ballast, a global lock, a map of names) and leaves freeing
// to the garbage collector; the same call from here takes about 1 us. That matters because one
// GPU step launches thousands of kernels.
//
// # Rules
//
// Everything that touches a tensor runs inside [Run], on one locked operating-system thread:
// libtch's error slot, PyTorch's grad mode and OpenMP's pools are all per thread.
//
// A [Scope] owns the tensors made in it and frees them when it ends. No finalizer, nothing waits
// for the garbage collector. [Scope.Layer] opens a scope inside a scope: a model opens one for each
// decoder layer, so that the peak is one layer's and what is kept for the gradient.
//
// There is no autograd: a model writes its backward pass out, over the operations here. Each operation
// with a gradient has a function for it beside it, compared with finite differences in a test.
//
// An operation that fails panics with a private type, and [Run] turns that into an [*Error]
// naming the operation and the shapes (encoding/gob and gomlx do the same): the mathematics reads
// as mathematics and there is one boundary. Everything else returns ordinary errors.
package torch
