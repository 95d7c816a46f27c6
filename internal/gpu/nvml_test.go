package gpu

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

// fakeLibrary compiles testdata/nvml.c as a driver's version, which macros describe.
func fakeLibrary(t *testing.T, macros ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	cc := strings.Fields(cmp.Or(os.Getenv("CC"), "cc"))
	args := append(cc[1:], "-shared", "-fPIC", "-o", path, filepath.Join("testdata", "nvml.c"))
	for _, m := range macros {
		args = append(args, "-D"+m)
	}
	out, err := exec.Command(cc[0], args...).CombinedOutput()
	require.NoError(t, err, "the C compiler, which the package itself needs too: %s", out)
	return path
}

func openFake(t *testing.T, macros ...string) nv {
	t.Helper()
	v, err := openNVML(fakeLibrary(t, macros...))
	require.NoError(t, err)
	t.Cleanup(v.close)
	return v
}

// today is what drivers have since 535.104.
var today = []string{"V2", "V3=24", "DETAIL"}

func TestCards(t *testing.T) {
	got, err := openFake(t, today...).cards()
	require.NoError(t, err)
	require.Equal(t, []card{
		{"GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "NVIDIA H100 80GB HBM3", [3]uint32{0x10000, 0xc1, 0x1f}},
		{"GPU-1111", "NVIDIA A100-SXM4-40GB", [3]uint32{0, 0x41, 0}},
	}, got)
}

func TestProcesses(t *testing.T) {
	var many []process
	for i := range 100 {
		many = append(many, process{4000000 + i, 80<<30 + int64(i)})
	}
	for _, c := range []struct {
		macros []string
		why    string
	}{
		{today, "_v3 with _v2's entries"},
		{[]string{"V2"}, "450.66 to 495, and 535.98: no _v3"},
		{[]string{"V2", "V3=24"}, "510 to 530: both are the same"},
		{[]string{"V2", "V3=32"}, "535.43 to 535.86: entries of _v3 are longer than those of nvml.h today"},
	} {
		v := openFake(t, c.macros...)
		got, err := v.processes(card{uuid: "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"})
		require.NoError(t, err, c.why)
		assert.Equal(t, many, got, "%s: a list that grows between two calls", c.why)
		got, err = v.processes(card{uuid: "GPU-1111"})
		require.NoError(t, err, c.why)
		assert.Equal(t, []process{{21, 5 << 20}, {22, 7 << 20}, {23, 0}}, got, "%s: each once, with the larger of two amounts if any is known", c.why)
		got, err = v.processes(card{uuid: "MIG-cc/1/0"})
		require.NoError(t, err, c.why)
		assert.Equal(t, []process{{4000000, 80 << 30}}, got, "%s: a part, of which the other lists do not know", c.why)
		_, err = v.processes(card{uuid: "GPU-2222"})
		assert.EqualError(t, err, "gpu: GPU-2222: Not Found", c.why)
	}
}

func TestProcessName(t *testing.T) {
	v := openFake(t, today...)
	require.Equal(t, "/usr/bin/python3", v.processName(4000000))
	require.Equal(t, strings.Repeat("x", 256), v.processName(4000001), "cut off, and without an end")
	require.Empty(t, v.processName(5))
}

// TestOthersByTheLibrary goes all the way from CUDA's number to the holders.
func TestOthersByTheLibrary(t *testing.T) {
	me := self{pid: 22, cuda: true,
		env:  func(k string) (string, bool) { return "PCI_BUS_ID", k == "CUDA_DEVICE_ORDER" },
		comm: func(int) string { return "" }}
	v := openFake(t, today...)
	got, err := others(0, v, me)
	require.NoError(t, err)
	require.Equal(t, []record.Holder{{PID: 21, Bytes: 5 << 20}, {PID: 23}}, got, "NVML's second GPU is first on the bus")
	got, err = others(1, v, me)
	require.NoError(t, err)
	require.Len(t, got, 100)
	require.Equal(t, record.Holder{PID: 4000000, Name: "python3", Bytes: 80 << 30}, got[99])
}

func TestLibraryFails(t *testing.T) {
	cards := func(v nv) error { _, err := v.cards(); return err }
	processes := func(v nv) error { _, err := v.processes(card{uuid: "GPU-1111"}); return err }
	for _, c := range []struct {
		macros []string
		ask    func(nv) error
		err    string
		why    string
	}{
		{append(today, "LOST"), cards, "gpu: GPU 1 of 2: GPU is lost", "a card cannot be asked"},
		{append(today, "ENDLESS"), processes, "gpu: Compute processes on GPU-1111: Insufficient Size", "it always wants more room"},
		{nil, processes, "gpu: Compute processes on GPU-1111: the library does not have that function: a driver of version 450.66 or newer does", "too old for the lists"},
		{[]string{"BARE"}, cards, "gpu: counting the GPUs: the library does not have that function: a driver of version 450.66 or newer does", "something else of that name"},
	} {
		assert.EqualError(t, c.ask(openFake(t, c.macros...)), c.err, c.why)
	}
}

func TestLibraryDoesNotStart(t *testing.T) {
	for _, c := range []struct {
		macros []string
		err    string
		why    string
	}{
		{[]string{"INIT=9"}, "does not start: Driver Not Loaded: nvidia-smi should say the same", "the library's own words"},
		{[]string{"INIT=77"}, "does not start: NVML's error 77", "it has no words for it"},
		{[]string{"INIT=9", "BARE"}, "does not start: NVML's error 9", "it has no words at all"},
	} {
		path := fakeLibrary(t, c.macros...)
		_, err := openNVML(path)
		assert.ErrorContains(t, err, c.err, c.why)
		assert.False(t, mapped(t, path), "%s: it is closed", c.why)
	}
}

func TestClose(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	path := fakeLibrary(t, append(today, `LOG="`+log+`"`)...)
	for range 2 {
		v, err := openNVML(path)
		require.NoError(t, err)
		require.True(t, mapped(t, path))
		v.close()
		require.False(t, mapped(t, path), "nothing of it stays")
	}
	said, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Equal(t, "init\nshutdown\ninit\nshutdown\n", string(said))
}

// mapped tells whether the library at path is loaded.
func mapped(t *testing.T, path string) bool {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	return strings.Contains(string(maps), path)
}

func TestLibraryNames(t *testing.T) {
	require.Equal(t, []string{"libnvidia-ml.so.1", "libnvidia-ml.so"}, libraryNames, "the driver's own first")
	path := fakeLibrary(t, today...)
	v, err := openNVML(path+".missing", path)
	require.NoError(t, err, "the second name is there")
	v.close()
}

func TestWithoutTheLibrary(t *testing.T) {
	const said = "libnvidia-ml.so.1, cannot be opened: it comes with the driver"
	_, err := openNVML("libnvidia-ml-that-is-not-there.so.1", "libnvidia-ml-nor-that.so")
	require.ErrorContains(t, err, said)
	require.ErrorContains(t, err, "libnvidia-ml-that-is-not-there.so.1: cannot open")
	require.ErrorContains(t, err, "libnvidia-ml-nor-that.so: cannot open", "each name's reason")

	broken := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	require.NoError(t, os.WriteFile(broken, []byte("no library"), 0o644))
	_, err = openNVML(broken)
	require.ErrorContains(t, err, said)
	require.ErrorContains(t, err, broken+": file too short")
}
