package fakecuda

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Counter counts one kernel, product, call or refusal. Work is direct, recorded by a capture (and not done), or replayed by a
// graph's launch.
type Counter struct {
	Direct, Captured, Replayed uint64
	Bytes                      uint64
}

// Done counts the work that the card was given: direct and replayed.
func (c Counter) Done() uint64 { return c.Direct + c.Replayed }

func (c Counter) add(d Counter) Counter {
	return Counter{c.Direct + d.Direct, c.Captured + d.Captured, c.Replayed + d.Replayed, c.Bytes + d.Bytes}
}

// Counters are a child's, by name: "kernel " and a mangled name, "product ", "api ", "wait ", ...
type Counters map[string]Counter

const (
	nameSize    = 480
	counterSize = nameSize + 4*8 // struct Counter of src/cudart/runtime.h
)

// ReadCounters reads the file that [Card].Counters names, also while the child runs.
func ReadCounters(path string) (Counters, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the stand-in's counters (did the child open a CUDA device?): %w", err)
	}
	if len(data)%counterSize != 0 {
		return nil, fmt.Errorf("%s has %d bytes, no multiple of %d: these are not the stand-in's counters", path, len(data), counterSize)
	}
	counters := Counters{}
	for line := range slices.Chunk(data, counterSize) {
		name, _, _ := bytes.Cut(line[:nameSize], []byte{0})
		if len(name) == 0 {
			break
		}
		number := func(i int) uint64 { return binary.NativeEndian.Uint64(line[nameSize+8*i:]) }
		counters[string(name)] = Counter{number(0), number(1), number(2), number(3)}
	}
	return counters, nil
}

// Sub returns what was counted since earlier. Memory is not counted but measured: it stays c's.
func (c Counters) Sub(earlier Counters) Counters {
	difference := Counters{}
	for name, n := range c {
		if e := earlier[name]; !strings.HasPrefix(name, "memory ") {
			n = Counter{n.Direct - e.Direct, n.Captured - e.Captured, n.Replayed - e.Replayed, n.Bytes - e.Bytes}
		}
		difference[name] = n
	}
	return difference
}

func (c Counters) sum(prefix string) Counter {
	var all Counter
	for name, n := range c {
		if strings.HasPrefix(name, prefix) {
			all = all.add(n)
		}
	}
	return all
}

// Kernels sums the launches of all kernels but products.
func (c Counters) Kernels() Counter { return c.sum("kernel ") }

// Products sums the matrix products.
func (c Counters) Products() Counter { return c.sum("product ") }

// FLOPs sums the floating-point operations of products: 2 m n k each.
func (c Counters) FLOPs() Counter { return c["flops"] }

// GraphLaunches counts graphs that were launched.
func (c Counters) GraphLaunches() uint64 { return c["graph launch"].Direct }

// Captures counts captures that ended in a graph.
func (c Counters) Captures() uint64 { return c["graph capture"].Direct }

// Waits counts calls that wait for the device: synchronisations of a stream, an event or the device, and copies that are not
// asynchronous. Queries do not wait.
func (c Counters) Waits() uint64 { return c.sum("wait ").Direct }

// PageableCopies sums copies between the card and host memory that is not pinned, for which CUDA may make the host wait.
func (c Counters) PageableCopies() Counter { return c.sum("pageable ") }

// LegacyStream counts work on the default stream, which waits for the other streams and which no graph can record.
func (c Counters) LegacyStream() uint64 { return c["legacy stream"].Direct }

// Memory returns the bytes that the driver has given out, now and at most.
func (c Counters) Memory() (now, peak uint64) { return c["memory now"].Bytes, c["memory peak"].Bytes }

// outOfMemory are the refusals that mean a full card: of an allocation, and of the memory for a graph.
var outOfMemory = []string{"error cudaMalloc: cudaErrorMemoryAllocation", "error cudaGraphInstantiateWithFlags: cudaErrorMemoryAllocation"}

// OutOfMemory counts what was refused because the card was full, or by Card.FailMalloc.
func (c Counters) OutOfMemory() uint64 { return c[outOfMemory[0]].Direct + c[outOfMemory[1]].Direct }

// Errors names every other call that was refused or is suspicious, and how often where more than once, sorted. A full card is
// no misuse.
func (c Counters) Errors() []string {
	var errors []string
	for name, n := range c {
		text, found := strings.CutPrefix(name, "error ")
		if !found {
			text, found = strings.CutPrefix(name, "note ")
		}
		if found && n.Direct > 0 && !slices.Contains(outOfMemory, name) {
			if n.Direct > 1 {
				text = fmt.Sprintf("%s, %d times", text, n.Direct)
			}
			errors = append(errors, text)
		}
	}
	slices.Sort(errors)
	return errors
}
