package lora_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/fakecuda"
	"lorabench/internal/fakecuda/fakecudatest"
	"lorabench/internal/torch"
	"lorabench/internal/train"
	"lorabench/lora"
)

// TestAStepWithoutMemoryChangesNothing fails each of a step's first 200 allocations in turn: an error, no tensor left behind, and the
// next step is the one that it would have been.
func TestAStepWithoutMemoryChangesNothing(t *testing.T) {
	m := loadOn(t, torch.CPU, post)
	a, err := lora.NewAdapter(m, qv, 3)
	require.NoError(t, err)
	defer a.Close()
	const tries = 200
	tr, err := train.NewTrainer(m, a.Params, train.DefaultOptions(train.Schedule{LR: 1e-2, Steps: 2}))
	require.NoError(t, err)
	defer tr.Close()
	take(t, tr, 1)
	take(t, tr, 1)
	want, err := tr.Log()
	require.NoError(t, err)

	require.NoError(t, a.Restore())
	tr.Reset()
	take(t, tr, 1)
	before := torch.Live()
	failed := 0
	for n := 1; n <= tries; n++ {
		torch.FailAllocation(n)
		err := tr.Step(steps4(t))
		left := torch.FailAllocation(0)
		if left > 0 {
			break // a step has fewer
		}
		require.ErrorContains(t, err, "can't allocate memory", "allocation %d", n)
		require.Equal(t, before, torch.Live(), "allocation %d", n)
		require.Equal(t, 1, tr.Taken())
		failed++
	}
	require.Equal(t, tries, failed, "a step has fewer allocations")
	take(t, tr, 1)
	got, err := tr.Log()
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// onCard is the variable that a child process has, which trains on the stand-in card.
const onCard = "LORABENCH_TEST_CARD"

// TestACardWithoutMemory does the same on a stand-in card, where libtorch, keeping nothing, asks the driver for every tensor. Its kernels
// compute nothing, so there are no losses to compare.
func TestACardWithoutMemory(t *testing.T) {
	if os.Getenv(onCard) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestACardWithoutMemory$", "-test.v")
		cmd.Env = append(append(os.Environ(), fakecuda.Card{}.Env(fakecudatest.Require(t))...), onCard+"=1", "PYTORCH_NO_CUDA_MEMORY_CACHING=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: TestACardWithoutMemory")
		return
	}
	on, err := torch.OpenDevice("cuda")
	require.NoError(t, err)
	m := loadOn(t, on, post)
	a, err := lora.NewAdapter(m, qv, 3)
	require.NoError(t, err)
	defer a.Close()
	tr, err := train.NewTrainer(m, a.Params, train.DefaultOptions(train.Schedule{LR: 1e-2, Steps: 3}))
	require.NoError(t, err)
	defer tr.Close()
	take(t, tr, 1)
	before := torch.Live()
	for n := 1; n <= 200; n++ {
		require.NoError(t, os.Setenv("FAKECUDA_FAIL_MALLOC", strconv.Itoa(n)))
		require.ErrorContains(t, tr.Step(steps4(t)), "out of memory", "allocation %d", n)
		require.Equal(t, before, torch.Live(), "allocation %d", n)
		require.Equal(t, 1, tr.Taken())
	}
	require.NoError(t, os.Setenv("FAKECUDA_FAIL_MALLOC", "0"))
	take(t, tr, 1)

	path, more := filepath.Join(t.TempDir(), "state.safetensors"), 0
	require.NoError(t, tr.Save(path, 7), "a card's memory, and its generator's state, come to the host")
	take(t, tr, 1)
	require.NoError(t, tr.Load(path, &more))
	require.Equal(t, 7, more)
	require.Equal(t, 2, tr.Taken())
	require.Equal(t, before, torch.Live())
}
