package torchtest

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Kind is what a comparison is of.
type Kind int

// The kinds of comparisons that tests make.
const (
	Pass  Kind = iota // of one forward or backward pass
	Steps             // of losses, norms and weights after several optimizer steps
)

// onGPU is by which factor a GPU may be further off than the CPU, which has its tolerance in each test. An H200 passed all
// tests with these.
var onGPU = [...]float64{
	// cuBLAS and the reductions add in another order than the CPU's libraries, and in one that changes with the size of a
	// row. The memory-efficient attention kernel, where the CPU has the flash kernel, rescales its sums block by
	// block, makes float32's products up of three of TF32, and takes the hardware's exponential, of 22 bits. TF32
	// itself is off.
	Pass: 4,
	// The same, and Adam divides a gradient by its own size: what rounding leaves of one near 0 can turn a whole update
	// around, and each step goes on from there.
	Steps: 10,
}

// repeatWithin is how far a repetition on a GPU may be off, relative to the largest value: 80 times float32's rounding.
// index_add, which sums up the gradient of the embeddings, and the attention kernel's backward pass, where it splits its
// keys, add with atomics: in the order in which blocks end.
const repeatWithin = 1e-5

// Within is the tolerance on a device, given the CPU's.
func Within(on Device, k Kind, cpu float64) float64 {
	if !on.CUDA() {
		return cpu
	}
	return onGPU[k] * cpu
}

// Same requires a computation to give the same again on the same device: bit for bit on a CPU, to repeatWithin on a GPU,
// with a line in the log that says whether bits are equal.
func Same[F ~float32 | ~float64](t *testing.T, on Device, want, got []F, what string) {
	t.Helper()
	if !on.CUDA() {
		require.Equal(t, want, got, what)
		return
	}
	t.Logf("%s, again on %s: bits are equal: %t", what, on, slices.Equal(want, got))
	largest := 0.0
	for _, x := range want {
		largest = max(largest, math.Abs(float64(x)))
	}
	require.InDeltaSlice(t, want, got, repeatWithin*largest, what)
}
