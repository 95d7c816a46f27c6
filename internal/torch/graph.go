package torch

// #include "graph.h"
import "C"

import (
	"fmt"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// GraphPool records pieces of work as CUDA graphs, which share one pool of memory, and replays them:
// one launch for what would be thousands of kernels. On a CPU recording keeps the function and
// replaying calls it, with the same results; that is how what is built on it is tested without a GPU.
//
// The pool is as large as the graph that needs most: no graph may leave a tensor behind, so they can
// be replayed in any order. The allocator's statistics contain it.
type GraphPool struct {
	on     Device
	handle unsafe.Pointer // nil on a CPU
	graphs []*Graph
	closed bool
}

// Graph is one piece of recorded work.
type Graph struct {
	pool      *GraphPool
	body      func(*Scope)   // on a CPU
	handle    unsafe.Pointer // on a CUDA device
	temporary int64
	counted   int // the reset of the peak since which this graph is counted in it
}

// recording is true while a graph's body runs. Only the libtorch thread reads or writes it.
var recording bool

// outsideGraph fails where a graph's body does what a replay cannot do again: wait for the device, or
// read Go's memory. CUDA refuses most of it by itself; here the CPU refuses it too.
func outsideGraph(op string, args ...*Tensor) {
	if recording {
		fail(op, "inside a graph's body, whose replays neither wait for the device nor see Go's memory: do it before or after", args...)
	}
}

// NewGraphPool returns an empty pool. On a CUDA device call [UseStream] before.
func NewGraphPool(on Device) (*GraphPool, error) {
	p := &GraphPool{on: on}
	if !on.CUDA() {
		return p, nil
	}
	err := Run(func(*Scope) error {
		return nativeError("graph_pool", func(e **C.char) { p.handle = C.lb_graph_pool(C.int(on), e) })
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Capture records what body does with tensors, without doing it: a tensor has its old elements when
// Capture returns, on a CPU as well.
//
// The body runs once on a CUDA device and at each replay on a CPU, and must not be able to tell:
//   - it reads and writes tensors made before, which must live, at the same place, as long as the
//     graph. What changes from replay to replay (inputs, learning rate) is in such tensors, written
//     before the replay. A Go value is recorded as it was.
//   - what it makes itself it makes in the scope it is given, which ends before the recording does.
//   - it does not wait for the device (Item, Floats) and takes no tensor from Go's memory.
//   - the device has done the same work without a graph before, on this thread: cuBLAS makes its
//     handle and workspace for a stream, and CUDA loads a kernel, at the first use, not in a capture.
//
// Random draws differ from replay to replay, and are those that the work would draw without a graph.
//
// A body that fails, panics, or leaves a tensor alive ends the capture; the thread and the device
// remain usable. On a CPU that shows in [Graph.Replay].
func (p *GraphPool) Capture(body func(s *Scope)) (*Graph, error) {
	g := &Graph{pool: p}
	err := Run(func(*Scope) error {
		const op = "graph_capture"
		switch {
		case recording:
			return &Error{Op: op, Reason: "a graph cannot be recorded inside another's body"}
		case p.closed:
			return &Error{Op: op, Reason: "the pool is closed"}
		case !p.on.CUDA():
			g.body = body
			return nil
		}
		return g.capture(body)
	})
	if err != nil {
		return nil, err
	}
	p.graphs = append(p.graphs, g)
	return g, nil
}

func (g *Graph) capture(body func(*Scope)) error {
	const op = "graph_capture"
	on := g.pool.on
	// A kernel that failed before would be reported as the capture's failure, and what running the
	// work without a graph left in the cache would be held twice.
	if err := on.Synchronize(); err != nil {
		return err
	}
	if err := on.EmptyCache(); err != nil {
		return err
	}
	before, err := startPeak(on)
	if err != nil {
		return err
	}
	var handle unsafe.Pointer
	if err := nativeError(op, func(e **C.char) { handle = C.lb_graph_begin(g.pool.handle, e) }); err != nil {
		return err
	}
	ended := false
	defer func() { // also where body ends the goroutine, or panics with what is not ours
		if !ended {
			_ = nativeError(op, func(e **C.char) { C.lb_graph_abandon(handle, e) })
		}
	}()
	if err := play(body); err != nil {
		return err
	}
	if g.temporary, err = peakSince(on, before); err != nil {
		return err
	}
	ended = true
	if err := nativeError(op, func(e **C.char) { C.lb_graph_end(handle, e) }); err != nil {
		return err
	}
	g.handle = handle
	return nil
}

// play runs a body in a scope of its own.
func play(body func(*Scope)) error {
	before := Live()
	recording = true
	defer func() { recording = false }()
	if err := Run(func(s *Scope) error { body(s); return nil }); err != nil {
		return err
	}
	if n := Live() - before; n != 0 {
		return &Error{Op: "graph_capture", Reason: fmt.Sprintf("the body changed the number of live tensors by %d: its results belong into tensors made before", n)}
	}
	return nil
}

// Replay does the recorded work, inside [Run]. It does not wait for the device. It fails like an
// operation.
func (g *Graph) Replay() {
	const op = "graph_replay"
	outsideGraph(op)
	switch {
	case g.pool.closed:
		fail(op, "the graph's pool is closed")
	case g.body != nil:
		if err := play(g.body); err != nil {
			pass(op, err)
		}
	default:
		g.count()
		native(op, func(e **C.char) lib.Ctensor { C.lb_graph_replay(g.handle, e); return nil })
	}
}

// pass fails with the error that a nested Run returned.
func pass(op string, err error) {
	if e, ok := err.(*Error); ok {
		panic(failure{e})
	}
	fail(op, err.Error())
}

// Temporary is what the body's own tensors take at most at one time on a CUDA device, in bytes; on a
// CPU 0.
func (g *Graph) Temporary() int64 { return g.temporary }

// Len is the number of graphs.
func (p *GraphPool) Len() int { return len(p.graphs) }

// Bytes is the memory the pool holds on its CUDA device; on a CPU 0. It is part of [Memory]'s
// Reserved.
func (p *GraphPool) Bytes() (int64, error) {
	if p.handle == nil {
		return 0, nil
	}
	var n int64
	err := Run(func(*Scope) error {
		return nativeError("graph_pool", func(e **C.char) { n = int64(C.lb_graph_pool_bytes(p.handle, e)) })
	})
	return n, err
}

// Close frees the graphs; none can be replayed any more. The memory goes back to the driver with the
// next [Device.EmptyCache]. It may be called again.
func (p *GraphPool) Close() error {
	return Run(func(*Scope) error {
		if recording {
			return &Error{Op: "graph_pool", Reason: "a pool cannot be closed inside a graph's body"}
		}
		p.closed = true
		var first error
		keep := func(f func(**C.char)) {
			if err := nativeError("graph_pool", f); err != nil && first == nil {
				first = err
			}
		}
		for _, g := range p.graphs {
			if g.handle != nil {
				keep(func(e **C.char) { C.lb_graph_free(g.handle, e) })
			}
			g.handle, g.body = nil, nil
		}
		p.graphs = nil
		if p.handle != nil {
			keep(func(e **C.char) { C.lb_graph_pool_free(p.handle, e) })
			p.handle = nil
		}
		return first
	})
}
