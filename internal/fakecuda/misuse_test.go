package fakecuda_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lorabench/internal/fakecuda"
	"lorabench/internal/fakecuda/fakecudatest"
)

// TestMisuse runs testdata/misuse.cpp, which calls CUDA wrongly, case by case.
func TestMisuse(t *testing.T) {
	dir := fakecudatest.Require(t)
	program := filepath.Join(t.TempDir(), "misuse")
	require.NoError(t, fakecuda.Compile(dir, "testdata/misuse.cpp", program))
	const (
		unsupported = ": cudaErrorStreamCaptureUnsupported"
		invalidated = "cudaStreamEndCapture: cudaErrorStreamCaptureInvalidated"
		freed       = "cudaGraphLaunch: cudaErrorIllegalAddress (uses memory that was freed after the capture)"
		product     = "Sgemm: CUBLAS_STATUS_INVALID_VALUE "
	)
	for _, c := range []struct {
		name, why string
		want      []string // the stand-in's Errors
	}{
		{"nothing wrong", "right use is not noted", nil},
		{"malloc in capture", "an allocation may wait for the device", []string{"cudaMalloc" + unsupported, invalidated}},
		{"malloc in relaxed capture", "the caller says that it knows", nil},
		{"malloc with the mode exchanged", "as libtorch's allocator does for its pool", nil},
		{"stream synchronised in capture", "it has nothing to wait for", []string{invalidated, "cudaStreamSynchronize" + unsupported}},
		{"other stream synchronised in capture", "a call that may wait", []string{invalidated, "cudaStreamSynchronize" + unsupported}},
		{"device synchronised in relaxed capture", "it would wait for the capture", []string{"cudaDeviceSynchronize" + unsupported, invalidated}},
		{"captured event queried", "it is never done", []string{"cudaEventQuery: cudaErrorCapturedEvent", invalidated}},
		{"use after invalidation", "every use fails until the end",
			[]string{"cudaLaunchKernel: cudaErrorStreamCaptureInvalidated", invalidated, "cudaStreamSynchronize" + unsupported}},
		{"event from outside", "a graph cannot wait for it", []string{invalidated, "cudaStreamWaitEvent: cudaErrorStreamCaptureIsolation"}},
		{"event from outside, external", "the flag allows it", nil},
		{"two captures merged", "an event of another capture", []string{invalidated, "cudaStreamWaitEvent: cudaErrorStreamCaptureMerge"}},
		{"malloc beside a global capture", "no thread may wait for the device", []string{"cudaMalloc" + unsupported, invalidated}},
		{"malloc beside a capture of a thread", "it forbids its own thread alone", nil},
		{"ended by another thread", "only a relaxed one may be", []string{"cudaStreamEndCapture: cudaErrorStreamCaptureWrongThread"}},
		{"not joined", "the origin does not wait for the second stream", []string{"cudaStreamEndCapture: cudaErrorStreamCaptureUnjoined"}},
		{"legacy stream, blocking capture", "it would wait for the capture",
			[]string{"cudaLaunchKernel: cudaErrorStreamCaptureImplicit", invalidated}},
		{"legacy stream, other capture", "allowed, but no part of the graph",
			[]string{"work on the legacy stream while another stream captures"}},
		{"capture of the legacy stream", "not possible", []string{"cudaStreamBeginCapture" + unsupported}},
		{"pageable copy in capture", "replays read host memory that may be gone", []string{"copy of pageable memory captured"}},
		{"replay over freed memory", "a card would read it without a word", []string{freed}},
		{"replay after another allocation", "which a card may put at the same address", []string{freed}},
		{"product on the host", "an illegal address on a card", []string{product + "(A is not inside one allocation of the device)"}},
		{"product over the end", "its last element is outside", []string{product + "(A is not inside one allocation of the device)"}},
		{"leading dimension", "below the rows", []string{product + "(A has a leading dimension below its rows)"}},
		{"copy over the end", "the last bytes are outside", []string{"cudaMemcpy: cudaErrorInvalidValue (outside one allocation)"}},
		{"copy in the wrong direction", "the kind is checked", []string{"cudaMemcpy: cudaErrorInvalidMemcpyDirection"}},
		{"set of freed memory", "it is nobody's", []string{"cudaMemsetAsync: cudaErrorInvalidValue (outside one allocation)"}},
		{"freed twice", "it is nobody's", []string{"cudaFree: cudaErrorInvalidValue"}},
		{"too many threads", "1,024 a block", []string{"cudaLaunchKernel: cudaErrorInvalidConfiguration (block of kernel)"}},
		{"grid too high", "65,535 blocks in y", []string{"cudaLaunchKernel: cudaErrorInvalidConfiguration (grid of kernel)"}},
		{"too much shared memory", "48 KiB without asking", []string{"cudaLaunchKernel: cudaErrorInvalidValue (shared memory of kernel)"}},
		{"kernel that is not registered", "no such kernel", []string{"cudaLaunchKernel: cudaErrorInvalidDeviceFunction"}},
		{"stream that is destroyed", "no such stream", []string{"cudaLaunchKernel: cudaErrorInvalidResourceHandle"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "counters")
			cmd := exec.Command(program, c.name)
			cmd.Env = append(os.Environ(), fakecuda.Card{Counters: path}.Env(dir)...)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			counters, err := fakecuda.ReadCounters(path)
			require.NoError(t, err)
			require.Equal(t, c.want, counters.Errors(), c.why)
		})
	}
}

// TestTrap: what the stand-in lacks ends the process with its name, instead of a crash somewhere else.
func TestTrap(t *testing.T) {
	dir := fakecudatest.Require(t)
	source, program := filepath.Join(t.TempDir(), "trap.cpp"), filepath.Join(t.TempDir(), "trap")
	require.NoError(t, os.WriteFile(source, []byte(`extern "C" int cudnnCreate(void **);
int main() { void *h; return cudnnCreate(&h); }
`), 0o644))
	require.NoError(t, fakecuda.Compile(dir, source, program))
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), fakecuda.Card{}.Env(dir)...)
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "fakecuda: the stand-in does not implement cudnnCreate")
}
