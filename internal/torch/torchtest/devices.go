// Package torchtest lists the devices that tests run on, and how far from the CPU's each one's results may be. It does
// not import package torch, whose own tests use it, too.
package torchtest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Device is a torch.Device.
type Device interface {
	CUDA() bool
	Name() (string, error)
	String() string
}

// Devices are the CPU, the first GPU and, where there are several, the last: on it, code that means the first GPU
// where it should mean its tensor's device fails.
type Devices[D Device] struct {
	open  func(name string) (D, error)
	names []string
	noGPU error
	once  sync.Once
}

// Find lists this machine's devices, given torch.OpenDevice and torch.Cards. Call it to initialise a package's
// variable: libtorch looks for its CUDA half once, at the first operation that concerns all devices (a seed, say), and
// cards opens that half.
func Find[D Device](open func(name string) (D, error), cards func() (int, error)) *Devices[D] {
	ds := &Devices[D]{open: open, names: []string{"cpu"}}
	n, err := cards()
	ds.noGPU = err
	if n > 0 {
		ds.names = append(ds.names, "cuda:0")
	}
	if n > 1 {
		ds.names = append(ds.names, fmt.Sprintf("cuda:%d", n-1))
	}
	return ds
}

// Each runs f as a subtest on every device that computes. A stand-in for a GPU, whose kernels do nothing, is left out.
func (ds *Devices[D]) Each(t *testing.T, f func(t *testing.T, on D)) {
	t.Helper()
	ds.each(t, func(t *testing.T, on D) {
		if standIn(on) {
			t.Skipf("%s is a stand-in: its kernels compute nothing, so there are no values to compare", on)
		}
		f(t, on)
	})
}

// EachWithStandIn is Each for a test that compares no values: it runs on a stand-in as well.
func (ds *Devices[D]) EachWithStandIn(t *testing.T, f func(t *testing.T, on D)) {
	t.Helper()
	ds.each(t, f)
}

func (ds *Devices[D]) each(t *testing.T, f func(t *testing.T, on D)) {
	t.Helper()
	ds.say(t)
	for _, name := range ds.names {
		t.Run(name, func(t *testing.T) {
			on, err := ds.open(name)
			require.NoError(t, err)
			f(t, on)
		})
	}
}

// GPU opens the first GPU, which may be a stand-in, or skips the test.
func (ds *Devices[D]) GPU(t *testing.T) D {
	t.Helper()
	if len(ds.names) == 1 {
		t.Skipf("needs a GPU: %v", ds.noGPU)
	}
	on, err := ds.open(ds.names[1])
	require.NoError(t, err)
	return on
}

// say logs, once in a package, why no GPU is tested.
func (ds *Devices[D]) say(t *testing.T) {
	t.Helper()
	if ds.noGPU != nil {
		ds.once.Do(func() { t.Logf("tests run on the CPU alone: %v", ds.noGPU) })
	}
}

// standIn tells a stand-in CUDA runtime by the name of its device.
func standIn(d Device) bool {
	name, err := d.Name()
	return err == nil && d.CUDA() && strings.Contains(name, "(stand-in)")
}
