package gpu

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lorabench/bench/record"
)

// machine is a library and a process, made up.
type machine struct {
	gpus []card
	on   map[string][]process // by UUID
	me   self
	env  map[string]string
	err  error
}

func (m *machine) cards() ([]card, error) { return append([]card(nil), m.gpus...), m.err }

func (m *machine) processes(c card) ([]process, error) {
	ps, ok := m.on[c.uuid]
	if !ok {
		return nil, fmt.Errorf("gpu: %s: no such GPU", c.uuid)
	}
	return ps, nil
}

func (m *machine) processName(pid int) string { return fmt.Sprintf("/usr/bin/nvml-%d", pid) }

func newMachine() *machine {
	m := &machine{
		gpus: []card{{"GPU-aa1", "H100", [3]uint32{0, 9, 0}}, {"GPU-aa2", "H100", [3]uint32{0, 4, 0}}},
		on: map[string][]process{
			"GPU-aa1":  {{7, 100}, {8, 300}},
			"GPU-aa2":  {{1, 50}},
			"MIG-cc/1": {{1, 50}, {9, 0}},
		},
		env: map[string]string{},
	}
	m.me = self{pid: 1, cuda: true,
		env:  func(k string) (string, bool) { v, ok := m.env[k]; return v, ok },
		comm: func(pid int) string { return map[int]string{1: "me", 7: "python", 8: "Xorg"}[pid] }}
	return m
}

func TestOthers(t *testing.T) {
	for _, c := range []struct {
		n      int
		change func(*machine)
		want   []record.Holder
		err    string
		why    string
	}{
		{0, func(*machine) {}, []record.Holder{}, "", "device 0 is first on the bus, whatever NVML's order; this process does not count"},
		{1, func(*machine) {}, []record.Holder{{PID: 8, Name: "Xorg", Bytes: 300}, {PID: 7, Name: "python", Bytes: 100}}, "", "the largest first"},
		{2, func(*machine) {}, nil, "CUDA device 2: this process sees 2 of 2 GPUs", "no such device"},
		{-1, func(*machine) {}, nil, "CUDA device -1", "the CPU is none"},
		{0, func(m *machine) { m.env["CUDA_VISIBLE_DEVICES"] = "1" }, []record.Holder{{PID: 8, Name: "Xorg", Bytes: 300}, {PID: 7, Name: "python", Bytes: 100}}, "", "numbered anew by the variable"},
		{1, func(m *machine) { m.env["CUDA_VISIBLE_DEVICES"] = "1" }, nil, `sees 1 of 2 GPUs (CUDA_VISIBLE_DEVICES is "1")`, "hidden by the variable"},
		{0, func(m *machine) { m.env["CUDA_VISIBLE_DEVICES"] = "" }, nil, `sees 0 of 2 GPUs (CUDA_VISIBLE_DEVICES is "")`, "all hidden"},
		{0, func(m *machine) { m.env["CUDA_VISIBLE_DEVICES"] = "MIG-cc/1" }, []record.Holder{{PID: 9, Name: "nvml-9"}}, "", "a part of a card; NVML knows a name that /proc does not, and no bytes"},
		{0, func(m *machine) { m.env["CUDA_VISIBLE_DEVICES"] = "MIG-dd" }, nil, "MIG-dd: no such GPU", "a part that is not there"},
		{0, func(m *machine) { m.gpus[0].name = "A100" }, []record.Holder{}, "", "different cards: the one that this process holds memory of"},
		{1, func(m *machine) { m.gpus[0].name = "A100"; m.me.pid = 8 }, []record.Holder{{PID: 7, Name: "python", Bytes: 100}}, "", "likewise"},
		{0, func(m *machine) { m.gpus[0].name = "A100"; m.me.pid = 99 }, nil, "set CUDA_DEVICE_ORDER=PCI_BUS_ID", "different cards, and none of them is used by this process"},
		{1, func(m *machine) { m.gpus[0].name = "A100"; m.me.pid = 99; m.env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID" },
			[]record.Holder{{PID: 8, Name: "Xorg", Bytes: 300}, {PID: 7, Name: "python", Bytes: 100}}, "", "different cards in a known order"},
		{0, func(m *machine) {
			m.gpus[0].name = "A100"
			m.me.pid = 99
			m.env["CUDA_VISIBLE_DEVICES"] = "GPU-aa2"
		}, []record.Holder{{PID: 1, Name: "me", Bytes: 50}}, "", "a UUID needs no order"},
		{1, func(m *machine) { m.me.pid, m.me.nested = 99, true }, []record.Holder{{Name: "unknown (seen from a container)"}}, "", "a container: one of the two is this process, nobody knows which"},
		{0, func(m *machine) { m.me.pid, m.me.nested = 99, true }, []record.Holder{}, "", "a container: the only process is this one"},
		{0, func(m *machine) { m.me.pid, m.me.nested, m.me.cuda = 99, true, false }, []record.Holder{{PID: 1, Name: "nvml-1", Bytes: 50}}, "",
			"a container, CUDA not opened yet: it cannot be this one, and its number means another one here"},
		{1, func(m *machine) { m.me.pid, m.me.nested = 7, true }, []record.Holder{{PID: 8, Name: "Xorg", Bytes: 300}}, "", "a container whose driver gives the numbers inside"},
		{0, func(m *machine) { m.on["GPU-aa2"] = nil }, []record.Holder{}, "", "nobody at all"},
		{0, func(m *machine) { m.err = errors.New("gpu: counting the GPUs: lost") }, nil, "counting the GPUs: lost", "the driver fails"},
		{0, func(m *machine) { m.gpus = nil }, nil, "sees 0 of 0 GPUs", "a driver without a card"},
	} {
		m := newMachine()
		c.change(m)
		got, err := others(c.n, m, m.me)
		if c.err != "" {
			assert.ErrorContains(t, err, c.err, c.why)
			continue
		}
		if assert.NoError(t, err, c.why) {
			assert.Equal(t, c.want, got, c.why)
		}
	}
}

func TestThisProcess(t *testing.T) {
	me := thisProcess()
	require.Equal(t, os.Getpid(), me.pid)
	require.NotEmpty(t, me.comm(me.pid), "/proc has this process")
	require.Empty(t, me.comm(-1))
	require.False(t, me.cuda, "nothing here opens CUDA")
}

// TestOthersOnAGPU asks the real library.
func TestOthersOnAGPU(t *testing.T) {
	nv, err := openNVML(libraryNames...)
	if err != nil {
		t.Skipf("needs an NVIDIA GPU: %v", err)
	}
	all, err := nv.cards()
	nv.close()
	require.NoError(t, err)
	if len(all) == 0 {
		t.Skip("needs an NVIDIA GPU: the driver has none")
	}
	t.Setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
	t.Setenv("CUDA_VISIBLE_DEVICES", "0")
	hs, err := Others(0)
	require.NoError(t, err)
	for _, h := range hs {
		t.Logf("%+v", h)
		require.NotEqual(t, os.Getpid(), h.PID, "this process holds no memory of a GPU")
		require.GreaterOrEqual(t, h.Bytes, int64(0))
	}
}

func TestVisibleUUIDs(t *testing.T) {
	for _, c := range []struct {
		why, list string
		set       bool
		want      []string
	}{
		{"all", "", false, []string{"GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-1111"}},
		{"by number", "1", true, []string{"GPU-1111"}},
		{"by the beginning of a UUID", "GPU-89", true, []string{"GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"}},
		{"none", "", true, nil},
	} {
		got, err := visibleUUIDs(openFake(t, today...), func(string) (string, bool) { return c.list, c.set })
		require.NoError(t, err, c.why)
		require.Equal(t, c.want, got, c.why)
	}
}
