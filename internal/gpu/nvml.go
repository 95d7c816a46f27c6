package gpu

// #cgo LDFLAGS: -ldl
// #include "nvml.h"
// #include <stdlib.h>
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// libraryNames lists the file names of the management library: that of the driver, and that of some
// packages and of CUDA's development files.
var libraryNames = []string{"libnvidia-ml.so.1", "libnvidia-ml.so"}

// nv is the management library, opened.
type nv struct{ library unsafe.Pointer }

// openNVML opens the first of the names that can be opened.
func openNVML(names ...string) (nv, error) {
	var reasons []string
	for _, name := range names {
		library, reason := load(name)
		if library == nil {
			reasons = append(reasons, reason)
			continue
		}
		v := nv{library}
		if err := v.failure(C.lb_nvml_init(library)); err != nil {
			C.lb_nvml_close(library)
			return nv{}, fmt.Errorf("gpu: NVIDIA's management library, %s, does not start: %w: nvidia-smi should say the same and why", name, err)
		}
		return v, nil
	}
	return nv{}, fmt.Errorf("gpu: NVIDIA's management library, libnvidia-ml.so.1, cannot be opened: it comes with the driver (in a container, with the driver's utility capability); without it nobody can tell which other processes use the GPU: %s", strings.Join(reasons, "; "))
}

func load(name string) (library unsafe.Pointer, reason string) {
	file := C.CString(name)
	defer C.free(unsafe.Pointer(file))
	var why *C.char
	library = C.lb_nvml_open(file, &why)
	if library == nil {
		defer C.free(unsafe.Pointer(why))
		reason = C.GoString(why)
	}
	return library, reason
}

func (v nv) close() {
	C.lb_nvml_shutdown(v.library)
	C.lb_nvml_close(v.library)
}

// failure returns the library's error for a result, nil for success.
func (v nv) failure(ret C.nvmlReturn_t) error {
	switch ret {
	case C.NVML_SUCCESS:
		return nil
	case C.NVML_ERROR_FUNCTION_NOT_FOUND:
		return errors.New("the library does not have that function: a driver of version 450.66 or newer does")
	}
	if text := C.lb_nvml_error(v.library, ret); text != nil {
		return errors.New(C.GoString(text))
	}
	return fmt.Errorf("NVML's error %d", ret)
}

func (v nv) cards() ([]card, error) {
	var n C.uint
	if err := v.failure(C.lb_nvml_count(v.library, &n)); err != nil {
		return nil, fmt.Errorf("gpu: counting the GPUs: %w", err)
	}
	cards := make([]card, n)
	for i := range cards {
		var d C.nvmlDevice_t
		if err := v.failure(C.lb_nvml_by_index(v.library, C.uint(i), &d)); err != nil {
			return nil, fmt.Errorf("gpu: GPU %d of %d: %w", i, n, err)
		}
		uuid, ret := text(func(s *C.char, length C.uint) C.nvmlReturn_t { return C.lb_nvml_uuid(v.library, d, s, length) })
		if err := v.failure(ret); err != nil {
			return nil, fmt.Errorf("gpu: UUID of GPU %d: %w", i, err)
		}
		name, ret := text(func(s *C.char, length C.uint) C.nvmlReturn_t { return C.lb_nvml_name(v.library, d, s, length) })
		if err := v.failure(ret); err != nil {
			return nil, fmt.Errorf("gpu: name of GPU %d: %w", i, err)
		}
		var pci C.nvmlPciInfo_t
		if err := v.failure(C.lb_nvml_pci(v.library, d, &pci)); err != nil {
			return nil, fmt.Errorf("gpu: place on the bus of GPU %d: %w", i, err)
		}
		cards[i] = card{uuid, name, [3]uint32{uint32(pci.domain), uint32(pci.bus), uint32(pci.device)}}
	}
	return cards, nil
}

// text returns the string that write puts into a buffer. The buffer is larger than any that NVML asks for: 96 bytes for a UUID or a
// GPU's name (nvml.h), while a process's name is cut off where the buffer ends.
func text(write func(s *C.char, length C.uint) C.nvmlReturn_t) (string, C.nvmlReturn_t) {
	var b [257]C.char // the last one stays 0
	ret := write(&b[0], C.uint(len(b)-1))
	return C.GoString(&b[0]), ret
}

// notAvailable is NVML_VALUE_NOT_AVAILABLE as an amount of memory.
const notAvailable = ^C.ulonglong(0)

// processes returns those that compute on c, those that draw on it, and clients of its MPS server: each
// list of NVML's leaves out the others', and all of them hold memory.
func (v nv) processes(c card) ([]process, error) {
	uuid := C.CString(c.uuid)
	defer C.free(unsafe.Pointer(uuid))
	var d C.nvmlDevice_t
	if err := v.failure(C.lb_nvml_by_uuid(v.library, uuid, &d)); err != nil {
		return nil, fmt.Errorf("gpu: %s: %w", c.uuid, err)
	}
	var ps []process
	at := map[int]int{}
	for _, kind := range []string{"Compute", "Graphics", "MPSCompute"} {
		infos, ret := v.list(kind, d)
		if kind != "Compute" && (ret == C.NVML_ERROR_NOT_SUPPORTED || ret == C.NVML_ERROR_FUNCTION_NOT_FOUND) {
			continue
		}
		if err := v.failure(ret); err != nil {
			return nil, fmt.Errorf("gpu: %s processes on %s: %w", kind, c.uuid, err)
		}
		for _, info := range infos {
			p := process{pid: int(info.pid)}
			if info.usedGpuMemory != notAvailable {
				p.bytes = int64(info.usedGpuMemory)
			}
			i, again := at[p.pid]
			if !again {
				at[p.pid] = len(ps)
				ps = append(ps, p)
				continue
			}
			ps[i].bytes = max(ps[i].bytes, p.bytes) // each list gives the process's whole memory
		}
	}
	return ps, nil
}

// mostProcesses is more than a GPU can have: a library that asks for a larger buffer never has enough.
const mostProcesses = 1 << 16

// list returns the processes of a kind on d. More may start between two calls, so that the number which
// one call asks for may be too small for the next.
func (v nv) list(kind string, d C.nvmlDevice_t) ([]C.nvmlProcessInfo_t, C.nvmlReturn_t) {
	k := C.CString(kind)
	defer C.free(unsafe.Pointer(k))
	for room := C.uint(32); ; {
		infos := make([]C.nvmlProcessInfo_t, room)
		n := room
		ret := C.lb_nvml_processes(v.library, k, d, &n, &infos[0])
		switch {
		case ret == C.NVML_SUCCESS && n <= room:
			return infos[:n], ret
		case ret != C.NVML_SUCCESS && ret != C.NVML_ERROR_INSUFFICIENT_SIZE:
			return nil, ret
		case room == mostProcesses:
			return nil, C.NVML_ERROR_INSUFFICIENT_SIZE
		}
		room = min(max(2*room, n), mostProcesses)
	}
}

func (v nv) processName(pid int) string {
	name, ret := text(func(s *C.char, length C.uint) C.nvmlReturn_t {
		return C.lb_nvml_process_name(v.library, C.uint(pid), s, length)
	})
	if ret != C.NVML_SUCCESS {
		return ""
	}
	return name
}
