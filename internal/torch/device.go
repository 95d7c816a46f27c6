package torch

// #include "native.h"
import "C"

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Device is CPU or the index of a CUDA device.
type Device int32

// CPU is the host.
const CPU Device = -1

// CUDA tells whether d is a CUDA device.
func (d Device) CUDA() bool { return d >= 0 }

func (d Device) String() string {
	if d.CUDA() {
		return fmt.Sprintf("cuda:%d", int32(d))
	}
	return "cpu"
}

// driverEnv names a file that is looked at instead of the driver's own, in the format of /proc/driver/nvidia/version, so
// that a process under internal/fakecuda finds a driver on a machine without one.
const driverEnv = "LORABENCH_DRIVER"

// driverFiles returns files that an NVIDIA driver makes; one of them is enough. The first has the version.
func driverFiles() []string {
	if f := os.Getenv(driverEnv); f != "" {
		return []string{f}
	}
	return []string{"/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg"}
}

// DriverPresent reports whether this machine has an NVIDIA driver.
func DriverPresent() bool {
	for _, f := range driverFiles() {
		if _, err := os.Stat(f); err == nil {
			return true
		}
	}
	return false
}

// DriverVersion returns the NVIDIA driver's version, e.g. "580.95.05", or "" where it cannot be read.
func DriverVersion() string {
	b, err := os.ReadFile(driverFiles()[0])
	if err != nil {
		return ""
	}
	for _, f := range strings.Fields(string(b)) {
		if strings.Count(f, ".") >= 1 && f[0] >= '0' && f[0] <= '9' {
			return f
		}
	}
	return ""
}

var openCUDA = sync.OnceValue(func() error {
	if !DriverPresent() {
		return fmt.Errorf("no NVIDIA driver on this machine (none of %s)", strings.Join(driverFiles(), ", "))
	}
	if msg := C.lb_cuda_open(); msg != nil {
		return fmt.Errorf("libtorch's CUDA half cannot be opened: %s; `make setup` installs the full libtorch on a machine with a driver", C.GoString(msg))
	}
	var n C.int
	if err := nativeError("device_count", func(e **C.char) { n = C.lb_cuda_devices(e) }); err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("libtorch sees no CUDA device (driver too old for CUDA 13, or CUDA_VISIBLE_DEVICES hides them all)")
	}
	return nil
})

// OpenDevice turns a name into a device that works: cpu, cuda, cuda:N, or auto, which is cuda:0
// where this machine has an NVIDIA driver. A driver whose CUDA does not work is an error, never a
// silent fall back to the CPU. Call it before any other operation.
func OpenDevice(name string) (Device, error) {
	switch {
	case name == "cpu":
		return CPU, nil
	case name == "auto" && !DriverPresent():
		return CPU, nil
	case name == "auto" || name == "cuda":
		name = "cuda:0"
	}
	index, ok := strings.CutPrefix(name, "cuda:")
	n, err := strconv.Atoi(index)
	if !ok || err != nil || n < 0 {
		return CPU, fmt.Errorf("device %q: want cpu, cuda, cuda:N or auto", name)
	}
	if err := openCUDA(); err != nil {
		return CPU, fmt.Errorf("device %s: %w; -device=cpu runs without a GPU", name, err)
	}
	var have C.int
	if err := nativeError("device_count", func(e **C.char) { have = C.lb_cuda_devices(e) }); err != nil {
		return CPU, err
	}
	if n >= int(have) {
		return CPU, fmt.Errorf("device %s: this machine has %d CUDA devices", name, int(have))
	}
	return Device(n), UseStream(Device(n))
}

// Name is the GPU's name and compute capability, e.g. "NVIDIA H100 80GB HBM3 (9.0)", or "cpu".
func (d Device) Name() (string, error) {
	if !d.CUDA() {
		return "cpu", nil
	}
	name, capability, err := d.properties()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s (%d.%d)", name, capability/10, capability%10), nil
}

// properties returns a CUDA device's name and compute capability (major*10 + minor).
func (d Device) properties() (string, int, error) {
	var name [256]C.char
	var capability, code C.int
	err := nativeError("device_name", func(e **C.char) {
		code = C.lb_cuda_device(C.int(d), &name[0], C.int(len(name)), &capability, e)
	})
	if err == nil && code != 0 {
		err = fmt.Errorf("torch: device_name: CUDA error %d", int(code))
	}
	return C.GoString(&name[0]), int(capability), err
}

// standIns remembers StandIn's answers: Device to bool.
var standIns sync.Map

// StandIn reports whether d is the card of internal/fakecuda, which computes nothing: no time, loss or score from it is a
// result. The card says so at the end of its name.
func (d Device) StandIn() bool {
	if !d.CUDA() {
		return false
	}
	if is, ok := standIns.Load(d); ok {
		return is.(bool)
	}
	name, _, err := d.properties()
	if err != nil {
		return false // a device that cannot be asked fails at its first operation
	}
	is := strings.HasSuffix(name, " (stand-in)")
	standIns.Store(d, is)
	return is
}

// Synchronize waits until the device has done all it was given; the CPU always has.
func (d Device) Synchronize() error {
	if !d.CUDA() {
		return nil
	}
	return nativeError("synchronize", func(e **C.char) { C.lb_cuda_synchronize(C.int(d), e) })
}
