package bench

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
	"lorabench/internal/fakecuda"
)

// TestStandInFamilies trains Llama-3.2-1B's and Qwen3-0.6B's shape, with made weights, with each setting that changes what a GPU
// is given. Steps are small, since launches do not grow with a row: two records of some 60 tokens. Of tensors of 1 to 10 MiB,
// which is what these rows make, the allocator gives the last one in 20 MiB up to 1 MiB beside its own: activations may be off by
// 3 %.
func TestStandInFamilies(t *testing.T) {
	for _, model := range []string{"llama-3.2-1b", "qwen3-0.6b"} {
		for _, c := range []struct {
			why   string
			ranks string
			args  []string
		}{
			{"the default", "8,256", []string{"-graphs=on"}},
			{"launch by launch", "8,256", []string{"-graphs=off"}},
			{"half the weights' memory", "8,256", []string{"-graphs=on", "-dtype=bf16"}},
			{"layers computed again", "8,256", []string{"-graphs=on", "-dtype=bf16", "-checkpoint"}},
			// One rank: the stand-in makes up norms only of memory that is all zeros, and a second run's has been used before.
			{"norms of rows", "8", []string{"-graphs=on", "-dtype=bf16", "-dora"}},
		} {
			t.Run(strings.Join(append([]string{model, c.why, "-ranks=" + c.ranks}, c.args...), " "), func(t *testing.T) {
				t.Parallel()
				trainsFamily(t, model, c.ranks, c.args...)
			})
		}
	}
}

func trainsFamily(t *testing.T, model, ranks string, args ...string) {
	const steps, within = 5, 0.03
	args = append([]string{"-model=hash:testdata/" + model + "/config.json", "-tokenizer=testdata/small", "-data=" + smallData,
		"-ranks=" + ranks, "-eval=0", "-batch=2", "-accum=1", "-max-length=256"}, args...)
	runs, out, err := onStandIn(t, fakecuda.Card{Norms: true}, steps, args...)
	require.NoError(t, err, out)
	require.Len(t, runs, strings.Count(ranks, ",")+1, out)
	for i, r := range runs {
		graphs := r.Record.Settings.Graphs == "on"
		recorded(t, r, graphs)
		waitless(t, r)
		if r.Record.Settings.DoRA { // in rows as short as these, V and G of one layer are more than the head's logits, and not predicted
			r.Record.Memory = slices.DeleteFunc(r.Record.Memory, func(c record.Category) bool { return c.Name == record.Workspace })
		}
		predicted(t, r, within)
		kernels, products, launches := r.Steps.Kernels(), r.Steps.Products(), r.Steps.GraphLaunches()
		t.Logf("%s: peak %.2f GiB; a step launches %.1f graphs, %.1f kernels and %.1f products, and in graphs %.1f and %.1f", r.Record.Name,
			float64(*r.Record.PeakMemory.GPUAllocated)/(1<<30), float64(launches)/steps, float64(kernels.Direct)/steps,
			float64(products.Direct)/steps, float64(kernels.Replayed)/steps, float64(products.Replayed)/steps)
		if graphs {
			require.EqualValues(t, steps, launches, "graphs launched: a step is one row")
			require.LessOrEqual(t, kernels.Direct+products.Direct, uint64(16*steps), "kernels beside the graphs")
		}
		if i > 0 {
			grows(t, runs[i-1], r, steps)
		}
	}
}

// grows checks that rank 256 uses more memory than rank 8 and multiplies more, in as many launches but for two a step: the norm of
// the gradients and AdamW take so many elements at a time, and their tensors are too large for one launch each.
func grows(t *testing.T, small, large fakecuda.Run, steps uint64) {
	t.Helper()
	require.Greater(t, *large.Record.PeakMemory.GPUAllocated, *small.Record.PeakMemory.GPUAllocated, "peak")
	require.Greater(t, large.Steps.FLOPs().Done(), small.Steps.FLOPs().Done(), "operations")
	require.Equal(t, small.Steps.GraphLaunches(), large.Steps.GraphLaunches(), "graphs")
	require.Equal(t, small.Steps.Products().Done(), large.Steps.Products().Done(), "products")
	require.Equal(t, small.Steps.Kernels().Replayed, large.Steps.Kernels().Replayed, "kernels in graphs")
	require.Equal(t, small.Steps.Kernels().Direct+2*steps, large.Steps.Kernels().Direct, "kernels beside the graphs")
}
