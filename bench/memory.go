package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"lorabench/bench/record"
	"lorabench/internal/decoder"
	"lorabench/internal/torch"
	"lorabench/internal/train"
)

const statusFile, clearFile = "/proc/self/status", "/proc/self/clear_refs"

// resetPeak resets the peak of the device and of the process to what they use now, and returns it.
func resetPeak(d torch.Device) (p record.Peak, err error) {
	debug.FreeOSMemory() // what loading left on Go's heap is not this run's
	if d.CUDA() {
		if err := d.ResetPeak(); err != nil {
			return p, err
		}
	}
	if p, err = devicePeak(d); err == nil {
		p.RSS, err = resetRSS()
	}
	return p, err
}

// resetRSS resets the peak resident set size to the current one, by writing 5 (proc(5)), and returns it. Where the kernel refuses, or
// accepts it and does nothing, VmHWM would still be another rank's: resetRSS returns nil.
func resetRSS() (*int64, error) {
	if err := os.WriteFile(clearFile, []byte("5"), 0); err != nil {
		return nil, nil
	}
	peak, err := procStatus("VmHWM")
	if err != nil {
		return nil, err
	}
	now, err := procStatus("VmRSS")
	const slack = 8 << 20 // what may come and go between the two readings
	if err != nil || *peak > *now+slack {
		return nil, err
	}
	return now, nil
}

// readPeak returns the peak since resetPeak, which returned initial.
func readPeak(d torch.Device, initial record.Peak) (p record.Peak, err error) {
	if p, err = devicePeak(d); err == nil && initial.RSS != nil {
		p.RSS, err = procStatus("VmHWM")
	}
	return p, err
}

func devicePeak(d torch.Device) (p record.Peak, err error) {
	if d.CUDA() {
		var m torch.Memory
		m, err = d.Memory()
		p.GPUAllocated, p.GPUReserved = &m.AllocatedPeak, &m.ReservedPeak
	}
	return p, err
}

// procStatus reads a field of /proc/self/status, in bytes.
func procStatus(field string) (*int64, error) {
	b, err := os.ReadFile(statusFile)
	if err != nil {
		return nil, err
	}
	_, value, _ := bytes.Cut(b, []byte("\n"+field+":"))
	var n int64 // KiB
	if _, err := fmt.Sscan(string(value), &n); err != nil {
		return nil, fmt.Errorf("%s has no %s: %w", statusFile, field, err)
	}
	n *= 1024
	return &n, nil
}

// probe attributes a step's memory to categories: it watches the steps before the clock starts, one of which has the run's largest row,
// and keeps the figures of the row that used the most.
type probe struct {
	meter  *torch.Meter
	model  *decoder.Model
	failed error

	now, forward, head int64 // of the row being watched
	peak               int64
	holds              decoder.Bytes // sizes of what the row saves and the head computes
	took               decoder.Bytes
	seen               bool // false where the allocator does not count
}

// watchMemory makes the model report to a new probe until the probe's end is called.
func watchMemory(on torch.Device, m *decoder.Model) (*probe, error) {
	p := &probe{model: m}
	var err error
	if p.meter, err = torch.NewMeter(on); errors.Is(err, torch.ErrNoMeter) {
		return p, nil
	}
	m.Watch = p.see
	return p, err
}

func (p *probe) end() error {
	p.model.Watch = nil
	if p.meter != nil {
		p.meter.Close()
	}
	return p.failed
}

func (p *probe) see(stage decoder.Stage, row decoder.Bytes) {
	now, peak, err := p.meter.Read()
	if err != nil {
		p.failed = errors.Join(p.failed, err)
		return
	}
	switch stage {
	case decoder.Started:
		p.now, p.peak = now, now
		return
	case decoder.Forward:
		p.forward = now
	case decoder.Scored:
		p.head = peak
	}
	if p.peak = max(p.peak, peak); stage != decoder.Backward {
		return
	}
	took := decoder.Bytes{Activations: p.forward - p.now, Head: max(0, p.head-p.forward)}
	took.Workspace = p.peak - p.now - took.Activations - took.Head
	if !p.seen || took.Peak() > p.took.Peak() {
		p.holds, p.took, p.seen = row, took, true
	}
}

// warmProducts makes cuBLAS allocate the workspace that it keeps until the process ends, before anything is watched, and counts its bytes.
func (w *Workload) warmProducts() error {
	if !w.device.CUDA() {
		return nil
	}
	before, err := w.device.InUse()
	if err != nil {
		return err
	}
	if err := w.device.WarmProducts(); err != nil {
		return err
	}
	after, err := w.device.InUse()
	w.productBytes += after - before
	return err
}

// categories returns the parts of the memory at the run's peak, predicted and measured. They add up to the process's peak resident set
// size on a CPU, and to the memory reserved on the GPU on CUDA.
func (r *Run) categories() (out []record.Category) {
	w, row := r.work, r.probe.holds
	row.Workspace += w.productBytes
	predicted := parts(w.Base.WeightBytes(), train.Predict(r.params.N()), row)
	if row.Workspace == 0 { // only that of CUDA's products is known beforehand
		delete(predicted, record.Workspace)
	}
	var measured map[string]int64
	if took := r.params.Measured(); !r.probe.seen {
		for _, name := range []string{record.Activations, record.Head, record.Workspace} {
			delete(predicted, name)
		}
	} else if took != nil && w.weightBytes != nil {
		measured = parts(*w.weightBytes, *took, r.probe.took)
		r.attributeRest(measured, *w.weightBytes+took.Adapter+took.Gradients+took.Optimizer)
	}
	for _, name := range record.Categories {
		c := record.Category{Name: name}
		if n, ok := predicted[name]; ok {
			c.Predicted = &n
		}
		if n, ok := measured[name]; ok {
			c.Measured = &n
		}
		if c.Predicted != nil || c.Measured != nil {
			out = append(out, c)
		}
	}
	return out
}

func parts(weights int64, b train.Bytes, row decoder.Bytes) map[string]int64 {
	return map[string]int64{record.Weights: weights, record.Adapter: b.Adapter, record.Gradients: b.Gradients, record.Optimizer: b.Optimizer,
		record.Activations: row.Activations, record.Head: row.Head, record.Workspace: row.Workspace}
}

// attributeRest attributes the rest of the peak, beyond the row's memory and the fixed bytes of weights and buffers.
func (r *Run) attributeRest(m map[string]int64, fixed int64) {
	row, initial, peak := r.probe.took, r.initial, r.peak
	switch {
	case peak.GPUAllocated != nil && peak.GPUReserved != nil:
		m[record.Workspace] = *peak.GPUAllocated - fixed - row.Activations - row.Head
		m[record.Slack] = *peak.GPUReserved - *peak.GPUAllocated
	case initial.RSS != nil && peak.RSS != nil:
		m[record.Process] = *initial.RSS - fixed
		m[record.Slack] = *peak.RSS - *initial.RSS - row.Peak()
	}
}
