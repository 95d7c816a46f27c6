package bench

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"lorabench/bench/record"
	"lorabench/internal/torch"
)

const (
	statusFile = "/proc/self/status"
	clearFile  = "/proc/self/clear_refs"
)

// resetPeak makes the present use the peak, of the device and of the process, and returns it.
func resetPeak(d torch.Device) (record.Peak, error) {
	debug.FreeOSMemory() // what Go's heap holds from loading is not this run's
	var p record.Peak
	if d.CUDA() {
		if err := d.ResetPeak(); err != nil {
			return p, err
		}
		m, err := d.Memory()
		if err != nil {
			return p, err
		}
		p.GPUAllocated, p.GPUReserved = &m.Allocated, &m.Reserved
	}
	rss, err := resetRSS()
	p.RSS = rss
	return p, err
}

// resetRSS makes the resident set size its own peak: 5 does that (proc(5)). Where the kernel
// refuses, or takes it and does nothing, VmHWM would still be another rank's: then there is no
// figure, nil.
func resetRSS() (*int64, error) {
	if err := os.WriteFile(clearFile, []byte("5"), 0); err != nil {
		return nil, nil
	}
	peak, err := procStatus("VmHWM")
	if err != nil {
		return nil, err
	}
	now, err := procStatus("VmRSS")
	if err != nil {
		return nil, err
	}
	const slack = 8 << 20 // what may come and go between the two readings
	if *peak > *now+slack {
		return nil, nil
	}
	return now, nil
}

// readPeak is the peak since resetPeak, which returned initial.
func readPeak(d torch.Device, initial record.Peak) (record.Peak, error) {
	var p record.Peak
	if d.CUDA() {
		m, err := d.Memory()
		if err != nil {
			return p, err
		}
		p.GPUAllocated, p.GPUReserved = &m.AllocatedPeak, &m.ReservedPeak
	}
	if initial.RSS != nil {
		var err error
		if p.RSS, err = procStatus("VmHWM"); err != nil {
			return p, err
		}
	}
	return p, nil
}

// procStatus reads a field of /proc/self/status, in bytes.
func procStatus(field string) (*int64, error) {
	b, err := os.ReadFile(statusFile)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(b) {
		if v, ok := bytes.CutPrefix(line, []byte(field+":")); ok {
			kib, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(v), []byte("kB")))), 10, 64)
			n := kib * 1024
			return &n, err
		}
	}
	return nil, fmt.Errorf("%s has no %s", statusFile, field)
}
