package bench

import (
	"errors"
	"slices"

	"lorabench/bench/record"
	"lorabench/internal/torch"
	"lorabench/lora"
	"lorabench/opt"
)

// probe tells apart what a row of tokens takes: it watches the steps before the clock, of which one has
// the run's largest row, and keeps the figures of the row that took the most.
type probe struct {
	meter  *torch.Meter
	model  *opt.Model
	failed error

	now, forward, head int64 // of the row being watched
	peak               int64

	row  opt.Row
	took opt.Bytes
	none bool // nothing was seen
}

// watchMemory begins; end must follow. Where the allocator does not tell, nothing is measured.
func watchMemory(on torch.Device, m *opt.Model) (*probe, error) {
	p := &probe{model: m, none: true}
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

func (p *probe) see(stage opt.Stage, row opt.Row) {
	now, peak, err := p.meter.Read()
	if err != nil {
		p.failed = errors.Join(p.failed, err)
		return
	}
	switch stage {
	case opt.Started:
		p.now, p.peak = now, now
		return
	case opt.Forward:
		p.forward = now
	case opt.Head:
		p.head = peak
	}
	if p.peak = max(p.peak, peak); stage != opt.Backward {
		return
	}
	took := opt.Bytes{Activations: p.forward - p.now, Head: max(0, p.head-p.forward)}
	took.Workspace = p.peak - p.now - took.Activations - took.Head
	if p.none || took.Peak() > p.took.Peak() {
		p.row, p.took, p.none = row, took, false
	}
}

// warmProducts makes the library of matrix products allocate the workspace that it keeps, and notes how large it is: once in a
// process, before anything is watched.
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

// categories are the parts of the memory at the run's peak, predicted and measured; they add up to the
// process's resident peak on a CPU, to what is reserved of a GPU on CUDA.
func (r *Run) categories() []record.Category {
	w := r.work
	weights, buffers := w.Base.WeightBytes(), lora.Predict(r.params.N())
	out := make([]record.Category, len(record.Categories))
	for i, name := range record.Categories {
		out[i].Name = name
	}
	of := func(name string) *record.Category { return &out[slices.Index(record.Categories, name)] }
	predict := func(name string, n int64) { of(name).Predicted = &n }
	measure := func(name string, n int64) { of(name).Measured = &n }
	predict(record.Weights, weights)
	predict(record.Adapter, buffers.Adapter)
	predict(record.Gradients, buffers.Gradients)
	predict(record.Optimizer, buffers.Optimizer)
	if !r.probe.none {
		row := r.model.Predict(r.probe.row)
		predict(record.Activations, row.Activations)
		predict(record.Head, row.Head)
		predict(record.Workspace, row.Workspace+w.productBytes)
	}
	took := r.params.Measured()
	if w.weightBytes != nil && took != nil && !r.probe.none {
		measure(record.Weights, *w.weightBytes)
		measure(record.Adapter, took.Adapter)
		measure(record.Gradients, took.Gradients)
		measure(record.Optimizer, took.Optimizer)
		measure(record.Activations, r.probe.took.Activations)
		measure(record.Head, r.probe.took.Head)
		r.rest(measure, *w.weightBytes+took.Adapter+took.Gradients+took.Optimizer)
	}
	return slices.DeleteFunc(out, func(c record.Category) bool { return c.Predicted == nil && c.Measured == nil })
}

// rest is what the peak has besides the weights and buffers, which are fixed bytes.
func (r *Run) rest(measure func(name string, n int64), fixed int64) {
	took := r.probe.took
	if p := r.peak; p.GPUAllocated != nil && p.GPUReserved != nil {
		measure(record.Workspace, *p.GPUAllocated-fixed-took.Activations-took.Head)
		measure(record.Slack, *p.GPUReserved-*p.GPUAllocated)
		return
	}
	measure(record.Workspace, took.Workspace)
	if r.initial.RSS != nil && r.peak.RSS != nil {
		measure(record.Process, *r.initial.RSS-fixed)
		measure(record.Slack, *r.peak.RSS-*r.initial.RSS-took.Peak())
	}
}
