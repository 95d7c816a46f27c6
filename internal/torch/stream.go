package torch

// #include "graph.h"
import "C"

import "slices"

// streamed are the devices that UseStream was called for, the last one last. Only the libtorch thread
// reads or writes it.
var streamed []Device

// UseStream makes the libtorch thread do all its work for a CUDA device on one stream of libtorch's
// pool, and that device the current one. OpenDevice calls it; nothing happens on a CPU, or where it is so
// already.
//
// Everything, because CUDA records no graph on its default stream, and the allocator's blocks belong
// to the stream they were first used on: a tensor made on one stream and used on another would need
// an event to be freed safely, and its memory would not be found again by the other. One stream costs
// nothing here: a training step is one chain of kernels.
func UseStream(on Device) error {
	if !on.CUDA() {
		return nil
	}
	return Run(func(*Scope) error {
		if len(streamed) > 0 && streamed[len(streamed)-1] == on {
			return nil
		}
		if recording {
			return &Error{Op: "use_stream", Reason: "the stream cannot change inside a graph's body"}
		}
		if err := nativeError("use_stream", func(e **C.char) { C.lb_use_stream(C.int(on), e) }); err != nil {
			return err
		}
		streamed = append(slices.DeleteFunc(streamed, func(d Device) bool { return d == on }), on)
		return nil
	})
}

// resumeStreams makes a thread that takes over go on where the last one was. The stream and the
// current device are the thread's own; that they cannot be set shows in the first operation.
func resumeStreams() {
	for _, d := range streamed {
		_ = nativeError("use_stream", func(e **C.char) { C.lb_use_stream(C.int(d), e) })
	}
}
