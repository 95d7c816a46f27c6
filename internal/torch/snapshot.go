package torch

// #include <stdlib.h>
// #include "snapshot.h"
import "C"

import (
	"bytes"
	"errors"
	"unsafe"
)

// ErrNoSnapshot is the error of asking the CPU for PyTorch's memory snapshot.
var ErrNoSnapshot = errors.New("torch: a memory snapshot is of CUDA's caching allocator; the cpu has none")

// RecordMemory makes the caching allocator note every allocation, or stops it, which forgets them. It
// costs time and host memory.
func (d Device) RecordMemory(on bool) error {
	if !d.CUDA() {
		return ErrNoSnapshot
	}
	n := C.int(0)
	if on {
		n = 1
	}
	return nativeError("record_memory_history", func(e **C.char) { C.lb_memory_history(n, e) })
}

// MemorySnapshot is what was noted since RecordMemory and what is allocated now, as
// torch.cuda.memory._dump_snapshot writes it: a pickle for PyTorch's memory viewer.
func (d Device) MemorySnapshot() ([]byte, error) {
	if !d.CUDA() {
		return nil, ErrNoSnapshot
	}
	var p unsafe.Pointer
	var n C.int64_t
	if err := nativeError("memory_snapshot", func(e **C.char) { p = C.lb_memory_snapshot(&n, e) }); err != nil {
		return nil, err
	}
	defer C.free(p)
	if n == 0 {
		return nil, errors.New("torch: the memory snapshot is empty, or too large for this machine's memory")
	}
	return bytes.Clone(unsafe.Slice((*byte)(p), n)), nil // C.GoBytes takes less than 2 GiB
}
