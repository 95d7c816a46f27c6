package torch

// #include "native.h"
import "C"

import "errors"

// InUse is the bytes that the device's allocator has given out now: the caching allocator on CUDA, the C
// heap on a CPU.
func (d Device) InUse() (int64, error) {
	if d.CUDA() {
		s, err := stats(d)
		return s.Allocated, err
	}
	if n := int64(C.lb_in_use()); n >= 0 {
		return n, nil
	}
	return 0, ErrNoMeter
}

// FailAllocation makes the n-th allocation of a CPU tensor from now on fail, once; 0 ends that. It returns how many were left until
// then. It is for tests of what a program does without memory.
func FailAllocation(n int) (left int) { return int(C.lb_fail_allocation(C.int64_t(n))) }

// Meter tells what a device's allocator has given out: the caching allocator on CUDA, the C heap on a
// CPU, where the peak is noted whenever a tensor is made. That costs time: a meter is for probing, not
// for what is timed. One at a time.
type Meter struct{ on Device }

// ErrNoMeter is the error of a CPU whose C library does not count what it gives out.
var ErrNoMeter = errors.New("torch: this system's C library does not tell what is in use (glibc 2.33 does)")

var metering bool

// NewMeter starts one; Close ends it. On CUDA it resets the allocator's peak, again and again.
func NewMeter(on Device) (*Meter, error) {
	if _, err := on.InUse(); err != nil {
		return nil, err
	}
	m := &Meter{on}
	if !on.CUDA() {
		metering = true
		C.lb_watch(1)
	}
	_, _, err := m.Read()
	return m, err
}

// Read is the bytes in use now, and at most since the last Read.
func (m *Meter) Read() (now, peak int64, err error) {
	if !m.on.CUDA() {
		return int64(C.lb_in_use()), int64(C.lb_take_peak()), nil
	}
	s, err := stats(m.on)
	if err == nil {
		err = m.on.ResetPeak()
	}
	return s.Allocated, s.AllocatedPeak, err
}

// Close ends the metering.
func (m *Meter) Close() {
	metering = false
	C.lb_watch(0)
}
