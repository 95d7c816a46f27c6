package torch

// #include "native.h"
import "C"

import (
	"time"
	"unsafe"
)

// Elapsed runs f inside [Run] and returns the time that its work took, when that is done: on a CUDA device between two
// events of its stream, so that what the host does before and after does not count; on a CPU by the clock.
func (d Device) Elapsed(f func() error) (took time.Duration, err error) {
	if !d.CUDA() {
		began := time.Now()
		err = f()
		return time.Since(began), err
	}
	event := func() (p unsafe.Pointer, err error) {
		err = nativeError("event", func(e **C.char) { p = C.lb_event(C.int(d), e) })
		return p, err
	}
	from, err := event()
	if err != nil {
		return 0, err
	}
	defer func() { // also where f fails as an operation does: the events are freed here
		to, failed := event()
		if failed == nil {
			failed = nativeError("event", func(e **C.char) { took = time.Duration(float64(C.lb_elapsed(from, to, e)) * float64(time.Millisecond)) })
		}
		if err == nil {
			err = failed
		}
	}()
	return 0, f()
}
