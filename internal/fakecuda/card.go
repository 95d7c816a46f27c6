package fakecuda

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// ContextBytes is what the stand-in subtracts from a card for the driver's context: an assumption, not a measurement.
const ContextBytes = 560 << 20 // context_memory of src/cudart/memory.cpp

// Ample is the memory of a card on which nothing runs out.
const Ample = 1 << 40

// Card is the simulated device of one child process.
type Card struct {
	Memory     int64  // bytes; 0: 85,017,493,504, an H100's 80 GB
	Counters   string // file that the child counts in, for ReadCounters; "": it counts for itself alone
	Norms      bool   // the host reads 0.747 where the card's memory is all zeros: DoRA refuses rows of norm 0
	Graph      int64  // bytes that the driver uses for each graph, outside the allocator, in whole 2 MiB; 0: none
	FailMalloc int    // the cudaMalloc of more than 0 bytes that is refused as out of memory, counted from 1; 0: none
}

// Env returns what a child's environment needs besides its own; dir is [Dir]'s. The child must be a program without set-user-ID
// bits, as LD_PRELOAD demands. Its own children inherit the card: give each that uses CUDA another Counters.
func (c Card) Env(dir string) []string {
	libs, _ := filepath.Glob(filepath.Join(dir, "lib*.so*")) // the pattern is right, and an empty folder fails in the child
	env := []string{
		"LD_PRELOAD=" + strings.Join(libs, ":"),
		"LORABENCH_DRIVER=" + filepath.Join(dir, driverFile),
		countersVariable + "=" + c.Counters,
		"FAKECUDA_MEMORY=" + strconv.FormatInt(c.Memory, 10),
		"FAKECUDA_GRAPH_MEMORY=" + strconv.FormatInt(c.Graph, 10),
		"FAKECUDA_FAIL_MALLOC=" + strconv.Itoa(c.FailMalloc),
		"FAKECUDA_NORMS=0",
	}
	if c.Norms {
		env[len(env)-1] = "FAKECUDA_NORMS=1"
	}
	return env
}

// ParseMemory reads a card's memory, in GiB, GB or MiB.
func ParseMemory(v string) (int64, error) {
	for _, unit := range []struct {
		name  string
		bytes float64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"GB", 1e9}} {
		number, found := strings.CutSuffix(v, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if bytes := n * unit.bytes; err == nil && bytes > ContextBytes && bytes <= Ample {
			return int64(bytes), nil
		}
	}
	return 0, fmt.Errorf("%q is no size of a card: want more than %d MiB and at most %d GiB, as in 24GiB, 24GB or 24576MiB", v,
		ContextBytes>>20, Ample>>30)
}
