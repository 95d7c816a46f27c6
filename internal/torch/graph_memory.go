package torch

// #include "native.h"
import "C"

import "sync"

// The allocator's peak cannot be trusted with graphs: a body's own tensors are allocated once, in the
// capture, and not at the replays, so a peak that was reset in between would say that a step needs
// almost nothing. Device.Memory adds here what the replays take: what is allocated at a graph's first
// replay after the reset, and the graph's own tensors.
var graphPeaks struct {
	sync.Mutex
	resets int // of any device's peak
	of     map[Device]Memory
}

// stats is what the allocator itself says.
func stats(d Device) (Memory, error) {
	var m C.lb_memory
	err := nativeError("memory_stats", func(e **C.char) { C.lb_cuda_memory(C.int(d), &m, e) })
	return Memory{int64(m.allocated), int64(m.allocated_peak), int64(m.reserved), int64(m.reserved_peak)}, err
}

// startPeak resets the allocator's peak, which it keeps, so that a capture's own can be read.
func startPeak(d Device) (Memory, error) {
	m, err := stats(d)
	if err != nil {
		return m, err
	}
	keepPeak(d, m)
	return m, nativeError("reset_peak_memory_stats", func(e **C.char) { C.lb_cuda_reset_peak(C.int(d), e) })
}

// peakSince is the most that was allocated since startPeak besides what was allocated then.
func peakSince(d Device, start Memory) (int64, error) {
	m, err := stats(d)
	return m.AllocatedPeak - start.Allocated, err
}

// keepPeak notes a peak that the allocator will not tell.
func keepPeak(d Device, m Memory) {
	graphPeaks.Lock()
	defer graphPeaks.Unlock()
	if graphPeaks.of == nil {
		graphPeaks.of = map[Device]Memory{}
	}
	k := graphPeaks.of[d]
	k.AllocatedPeak = max(k.AllocatedPeak, m.AllocatedPeak)
	k.ReservedPeak = max(k.ReservedPeak, m.ReservedPeak)
	graphPeaks.of[d] = k
}

// withGraphs is the allocator's statistics with the peaks that it does not tell.
func withGraphs(d Device, m Memory) Memory {
	graphPeaks.Lock()
	defer graphPeaks.Unlock()
	k := graphPeaks.of[d]
	m.AllocatedPeak = max(m.AllocatedPeak, k.AllocatedPeak)
	m.ReservedPeak = max(m.ReservedPeak, k.ReservedPeak)
	return m
}

// forgetGraphs goes with a reset of the allocator's peak.
func forgetGraphs(d Device) {
	graphPeaks.Lock()
	defer graphPeaks.Unlock()
	delete(graphPeaks.of, d)
	graphPeaks.resets++
}

// count adds the graph to the peak, once for each reset: reading the statistics takes longer than
// the launch that follows.
func (g *Graph) count() {
	graphPeaks.Lock()
	resets := graphPeaks.resets
	graphPeaks.Unlock()
	if g.counted == resets+1 {
		return
	}
	m, err := stats(g.pool.on)
	if err != nil {
		pass("graph_replay", err)
	}
	keepPeak(g.pool.on, Memory{AllocatedPeak: m.Allocated + g.temporary})
	g.counted = resets + 1
}
