package bench

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/internal/fakecuda"
	"lorabench/internal/fakecuda/fakecudatest"
)

// The reference run's shape with made weights, on data of the repository.
var trueShape = []string{"-model=hash:testdata/opt-350m/config.json", "-tokenizer=testdata/small", "-data=" + smallData}

// The repository's own model, which is small enough for a table of settings.
var smallShape = []string{"-model=" + smallModel, "-data=" + smallData}

// onStandIn runs this package's benchmark of so many steps in a child process on a stand-in card, and returns its runs,
// what it printed, and whether it failed.
func onStandIn(t *testing.T, card fakecuda.Card, steps int, args ...string) ([]fakecuda.Run, string, error) {
	t.Helper()
	dir := fakecudatest.Require(t)
	card.Counters = filepath.Join(t.TempDir(), "counters")
	report := filepath.Join(t.TempDir(), "report")
	self, err := os.Executable()
	require.NoError(t, err)
	args = append([]string{"-test.run=^$", "-test.bench=Rank", fmt.Sprintf("-test.benchtime=%dx", steps), "-device=cuda"}, args...)
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), append(card.Env(dir), fakecuda.ReportVariable+"="+report)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	failed := cmd.Run()
	counters, err := fakecuda.ReadCounters(card.Counters)
	require.NoError(t, err, out.String())
	require.Empty(t, counters.Errors(), "the stand-in refused calls\n%s", out.String())
	if failed != nil {
		return nil, out.String(), failed
	}
	runs, err := fakecuda.ReadRuns(report)
	require.NoError(t, err, out.String())
	for _, line := range strings.Split(out.String(), "\n") {
		require.NotRegexp(t, `^Benchmark.*/(op|sec|GB)`, line, "a result from a stand-in")
	}
	return runs, out.String(), nil
}

// waitless checks that no step waited for the device: not by a synchronisation, not by a copy from pageable memory, and
// not on the default stream.
func waitless(t *testing.T, r fakecuda.Run) {
	t.Helper()
	require.Zero(t, r.Steps.PageableCopies().Direct, "copies between the card and pageable memory")
	require.Zero(t, r.Steps.LegacyStream(), "work on the default stream")
	require.EqualValues(t, 1, r.Steps.Waits(), "waits for the device: one, after the last step, before the clock stops")
}

// TestStandInSettings trains the small model on a stand-in card with each setting that changes what a GPU is given, with
// graphs and launch by launch. No result comes of it.
func TestStandInSettings(t *testing.T) {
	for _, c := range []struct {
		why   string
		args  []string
		waits bool // the setting itself reads from the device between steps
	}{
		{"the default", nil, false},
		{"half the weights' memory", []string{"-dtype=bf16"}, false},
		{"an adapter in float32 beside them", []string{"-dtype=bf16", "-adapter-dtype=float32"}, false},
		{"other products", []string{"-tf32"}, false},
		{"norms of rows", []string{"-dora"}, false},
		{"norms beside bfloat16", []string{"-dora", "-dtype=bf16"}, false},
		{"layers computed again", []string{"-checkpoint"}, false},
		{"every weight trains", []string{"-ranks=full"}, false},
		{"a row is a micro-batch", []string{"-row-tokens=0"}, false},
		{"adapters everywhere", []string{"-targets=q_proj,k_proj,v_proj,out_proj,fc1,fc2"}, false},
		{"the other recipe", []string{"-recipe=assigned"}, false},
		{"evaluation in between", []string{"-eval-every=2"}, true},
		{"PyTorch's snapshot", []string{"-memory-snapshot"}, false},
	} {
		for _, graphs := range []string{"on", "off"} {
			t.Run(strings.Join(append([]string{c.why, "graphs " + graphs}, c.args...), " "), func(t *testing.T) {
				dir := t.TempDir()
				args := append(append([]string{"-ranks=4", "-eval=16", "-out=" + dir, "-graphs=" + graphs}, smallShape...), c.args...)
				runs, out, err := onStandIn(t, fakecuda.Card{Norms: true}, 5, args...)
				require.NoError(t, err, out)
				require.Len(t, runs, 1, out)
				recorded(t, runs[0], graphs == "on")
				if !c.waits {
					waitless(t, runs[0])
				}
				written, err := os.ReadDir(dir)
				require.NoError(t, err)
				for _, f := range written {
					require.Equal(t, ".pickle", filepath.Ext(f.Name()), "a stand-in's run leaves no record or result")
				}
			})
		}
	}
}

// recorded checks that graphs were recorded before the clock, if any, and that every category of memory was measured.
func recorded(t *testing.T, r fakecuda.Run, graphs bool) {
	t.Helper()
	require.Empty(t, r.Record.GraphsFailed)
	require.Equal(t, graphs, r.Record.Graphs > 0, "graphs")
	require.Equal(t, graphs, r.All.Captures() > 0, "captures")
	require.Equal(t, graphs, r.Steps.GraphLaunches() > 0, "replays")
	require.Zero(t, r.Steps.Captures(), "captures while the clock runs")
	require.NotNil(t, r.Record.PeakMemory.GPUAllocated)
	for _, m := range r.Record.Memory {
		require.NotNil(t, m.Measured, m.Name)
		require.GreaterOrEqual(t, *m.Measured, int64(0), m.Name)
	}
}

// TestStandInTrueShape trains OPT-350m's shape at the reference run's ranks for its 1,000 steps, with graphs.
func TestStandInTrueShape(t *testing.T) {
	const steps = 1000
	runs, out, err := onStandIn(t, fakecuda.Card{}, steps, append([]string{"-eval=0", "-graphs=on"}, trueShape...)...)
	require.NoError(t, err, out)
	require.Len(t, runs, 3)
	peak := int64(0)
	for _, r := range runs {
		require.Positive(t, r.Record.Graphs)
		waitless(t, r)
		predicted(t, r, 0.02)
		require.Zero(t, r.Steps.Captures())
		launches := r.Steps.GraphLaunches()
		require.LessOrEqual(t, launches, uint64(3*steps), "graphs launched")
		require.LessOrEqual(t, r.Steps.Kernels().Direct+r.Steps.Products().Direct, uint64(16*steps), "kernels beside the graphs")
		require.Greater(t, *r.Record.PeakMemory.GPUAllocated, peak, "%s uses more memory than the rank before", r.Record.Name)
		peak = *r.Record.PeakMemory.GPUAllocated
		t.Logf("%s: %d graphs, a step %.2f launches of graphs and %.1f of other kernels; peak %.2f GiB", r.Record.Name, r.Record.Graphs,
			float64(launches)/steps, float64(r.Steps.Kernels().Direct)/steps, float64(peak)/(1<<30))
	}
}

// TestStandInLaunches bounds what the host launches in a step without graphs, at OPT-350m's shape.
func TestStandInLaunches(t *testing.T) {
	const steps = 10
	runs, out, err := onStandIn(t, fakecuda.Card{}, steps, append([]string{"-eval=0", "-graphs=off", "-ranks=8,256"}, trueShape...)...)
	require.NoError(t, err, out)
	require.Len(t, runs, 2)
	for _, r := range runs {
		waitless(t, r)
		predicted(t, r, 0.02)
		kernels, products := r.Steps.Kernels().Direct, r.Steps.Products().Direct
		require.LessOrEqual(t, kernels, uint64(900*steps), "kernels")
		require.LessOrEqual(t, products, uint64(540*steps), "products")
		require.Positive(t, products)
		t.Logf("%s: a step %d kernels and %d products of %.2f TFLOP", r.Record.Name, kernels/steps, products/steps, float64(r.Steps.FLOPs().Done())/steps/1e12)
	}
}

// TestStandInOrder holds that a rank's memory depends on nothing that ran before it: in every order and alone, to the byte.
func TestStandInOrder(t *testing.T) {
	for _, c := range []struct {
		why    string
		shape  []string
		orders []string
	}{
		{"every order", smallShape, []string{"2", "8", "64", "2,8,64", "2,64,8", "8,2,64", "8,64,2", "64,2,8", "64,8,2"}},
		{"OPT-350m's shape", trueShape, []string{"8,256", "256,8"}},
	} {
		t.Run(c.why, func(t *testing.T) { sameInEveryOrder(t, c.shape, c.orders) })
	}
}

func sameInEveryOrder(t *testing.T, shape, orders []string) {
	type figures struct {
		initial, peak record.Peak
		memory        []record.Category
	}
	want := map[string]figures{}
	for _, ranks := range orders {
		runs, out, err := onStandIn(t, fakecuda.Card{}, 4, append([]string{"-ranks=" + ranks, "-eval=16"}, shape...)...)
		require.NoError(t, err, out)
		require.Len(t, runs, strings.Count(ranks, ",")+1)
		for _, r := range runs {
			got := figures{r.Record.InitialMemory, r.Record.PeakMemory, r.Record.Memory}
			got.initial.RSS, got.peak.RSS = nil, nil // the host's
			if first, ok := want[r.Record.Name]; ok {
				require.Equal(t, first, got, "%s in -ranks=%s", r.Record.Name, ranks)
			}
			want[r.Record.Name] = got
		}
	}
	ranks := slices.SortedFunc(maps.Keys(want), record.Compare)
	for i := 1; i < len(ranks); i++ {
		require.Less(t, *want[ranks[i-1]].peak.GPUAllocated, *want[ranks[i]].peak.GPUAllocated, ranks[i])
	}
}

// TestStandInFullCard trains OPT-350m's shape on cards of falling size. Graphs need no more of the allocator than the
// work itself, so the driver takes 32 MiB for each here. Where that does not fit the run goes on without graphs and
// says so; where they were asked for by name, or the work does not fit, it fails and says that memory ran out.
func TestStandInFullCard(t *testing.T) {
	const graph = 32 << 20
	for _, c := range []struct {
		why    string
		card   int64 // MiB
		args   []string
		graphs bool
		failed string
	}{
		{"a card of 8 GB", 8 << 10, nil, true, ""},
		{"one that is too small for graphs", 3600, nil, false, ""},
		{"graphs by name", 3600, []string{"-graphs=on"}, false, "preparing CUDA graphs: "},
		{"one that is too small for a step", 3000, nil, false, "out of memory"},
		{"one that is too small for the weights", 1200, nil, false, "out of memory"},
	} {
		t.Run(c.why, func(t *testing.T) {
			args := append(append([]string{"-eval=0", "-ranks=256"}, trueShape...), c.args...)
			runs, out, err := onStandIn(t, fakecuda.Card{Memory: c.card << 20, Graph: graph}, 100, args...)
			if c.failed != "" {
				require.Error(t, err)
				require.Contains(t, out, c.failed)
				require.Contains(t, out, "out of memory")
				return
			}
			require.NoError(t, err, out)
			r := runs[0].Record
			require.Equal(t, c.graphs, r.Graphs > 0, r.GraphsFailed)
			require.EqualValues(t, graph*r.Graphs, r.GraphsBytes, "taken outside the allocator")
			if !c.graphs {
				require.Contains(t, r.GraphsFailed, "out of memory")
			}
			waitless(t, runs[0])
		})
	}
}
