package torch

// #include "native.h"
import "C"

import "fmt"

// Memory is what the caching allocator of one CUDA device holds and held at most since the last
// reset, in bytes: allocated by tensors, and reserved from the driver.
type Memory struct {
	Allocated, AllocatedPeak, Reserved, ReservedPeak int64
}

// ErrNoCUDA is the error of asking the CPU for a CUDA device's figures.
var ErrNoCUDA = fmt.Errorf("torch: the cpu has no caching allocator to ask; its peak is the process's (VmHWM)")

// Memory reads the allocator's statistics.
func (d Device) Memory() (Memory, error) {
	if !d.CUDA() {
		return Memory{}, ErrNoCUDA
	}
	if err := openCUDA(); err != nil {
		return Memory{}, fmt.Errorf("torch: memory of %v: %w", d, err)
	}
	m, err := stats(d)
	return withGraphs(d, m), err
}

// Free is the memory of a CUDA device that the driver can still give out, to any process, and all it has, in
// bytes.
func (d Device) Free() (free, total int64, err error) {
	if !d.CUDA() {
		return 0, 0, ErrNoCUDA
	}
	var f, t C.int64_t
	err = nativeError("memory_info", func(e **C.char) { C.lb_cuda_memory_info(C.int(d), &f, &t, e) })
	return int64(f), int64(t), err
}

// ResetPeak makes the present use the peak.
func (d Device) ResetPeak() error {
	if !d.CUDA() {
		return ErrNoCUDA
	}
	if err := openCUDA(); err != nil {
		return fmt.Errorf("torch: memory of %v: %w", d, err)
	}
	forgetGraphs(d)
	return nativeError("reset_peak_memory_stats", func(e **C.char) { C.lb_cuda_reset_peak(C.int(d), e) })
}

// Trim gives the C heap's freed pages back to the system where they are more than a training of a
// small model has; nothing on CUDA. Between two rows of tokens it keeps the pages of the one from
// being counted with those of the other, which are of other sizes and lie elsewhere.
func (d Device) Trim() {
	if !d.CUDA() {
		C.lb_trim(64 << 20)
	}
}

// EmptyCache gives unused memory back: the device's cached blocks to the driver, and the C heap's
// freed pages to the system, which glibc would keep and count against whoever runs next.
func (d Device) EmptyCache() error {
	C.lb_trim(0)
	if !d.CUDA() {
		return nil
	}
	return nativeError("empty_cache", func(e **C.char) { C.lb_cuda_empty_cache(C.int(d), e) })
}
