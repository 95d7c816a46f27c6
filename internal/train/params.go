package train

import (
	"fmt"

	"lorabench/internal/torch"
)

// Params holds the trainable parameters: one flat float32 buffer of n values, one of n gradients,
// and the two of Adam's moments. Each parameter and its gradient is a view, so that zeroing,
// clipping and AdamW are one kernel each, whatever the number of layers.
type Params struct {
	Names   []string
	Tensors []*torch.Tensor // views of the values, in the order of Names

	grads       []*torch.Tensor // views of grad, in the order of Names
	scope       *torch.Scope
	value, grad *torch.Tensor // [n]
	loss        *torch.Tensor // scalar: a step's loss, as its rows add it up
	sums        *torch.Tensor // [n+1]: grad and loss, so that one kernel zeroes both
	m, v        *torch.Tensor // [n]
	step        *torch.Tensor // [1], steps taken
	initial     *torch.Tensor // [n] on the CPU: what Restore goes back to
	measured    *Bytes        // nil if the device's allocator does not report it
}

// NewParams makes buffers for parameters of the given shapes, all zero.
func NewParams(names []string, shapes [][]int64, on torch.Device) (*Params, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("train: nothing to train")
	}
	p := &Params{Names: names, scope: torch.NewScope()}
	total := int64(0)
	for _, sh := range shapes {
		total += size(sh)
	}
	err := torch.Run(func(s *torch.Scope) error {
		at, err := on.InUse()
		var took []int64
		for _, t := range []**torch.Tensor{&p.value, &p.sums, &p.m, &p.v} {
			n := total
			if t == &p.sums {
				n++
			}
			*t = p.scope.Zeros(torch.Float32, on, n)
			if now, e := on.InUse(); e == nil {
				took, at = append(took, now-at), now
			}
		}
		if err == nil && len(took) == 4 {
			p.measured = &Bytes{took[0], took[1], took[2] + took[3]}
		}
		p.grad = p.scope.Narrow(p.sums, 0, 0, total)
		p.loss = p.scope.Layer(func(s *torch.Scope) *torch.Tensor { return s.View(s.Narrow(p.sums, 0, total, 1)) })
		p.step = p.scope.Zeros(torch.Float32, on, 1)
		at = 0
		for _, sh := range shapes {
			n := size(sh)
			view := func(of *torch.Tensor) *torch.Tensor {
				return p.scope.Layer(func(s *torch.Scope) *torch.Tensor { return s.View(s.Narrow(of, 0, at, n), sh...) })
			}
			p.Tensors, p.grads = append(p.Tensors, view(p.value)), append(p.grads, view(p.grad))
			at += n
		}
		return nil
	})
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func size(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}

// Gradient returns the gradient of parameter i, to which the backward pass adds.
func (p *Params) Gradient(i int) *torch.Tensor { return p.grads[i] }

// norm returns the gradient's norm. On a CPU that is the norm of each parameter's: one float32 sum over all of them is
// off by 2e-5 at 800,000 elements, and by more at larger ranks. CUDA's kernel sums pieces of 65,536 elements in any
// case, and the whole buffer is one launch where the pieces of many parameters are several.
func (p *Params) norm(s *torch.Scope) *torch.Tensor {
	if p.grad.Device().CUDA() {
		return s.Norm([]*torch.Tensor{p.grad})
	}
	return s.Norm(p.grads)
}

// Measured returns the buffers' sizes in the device's allocator; nil if it does not report them.
func (p *Params) Measured() *Bytes { return p.measured }

// N returns the number of trainable parameters.
func (p *Params) N() int64 {
	n := int64(0)
	_ = torch.Run(func(*torch.Scope) error { n = p.value.Numel(); return nil })
	return n
}

// Remember copies the present values, to which Restore goes back. The copy is kept on the CPU, where it
// does not count as the device's memory.
func (p *Params) Remember() error {
	return torch.Run(func(s *torch.Scope) error {
		if p.initial == nil {
			p.initial = p.scope.Empty(torch.Float32, torch.CPU, p.value.Numel())
		}
		torch.Copy(p.initial, p.value)
		return nil
	})
}

// Forget frees the remembered values: Restore then leaves values as they are. It is for when nothing will
// be restored any more, because on a CPU the copy counts in the process's memory.
func (p *Params) Forget() {
	_ = torch.Run(func(*torch.Scope) error {
		if p.initial != nil {
			p.scope.Drop(p.initial)
			p.initial = nil
		}
		return nil
	})
}

// Restore puts back the remembered values and clears gradients, moments and the step count: the
// state before the first step, whatever has run since.
func (p *Params) Restore() error {
	return torch.Run(func(s *torch.Scope) error {
		if p.initial != nil {
			torch.Copy(p.value, p.initial)
		}
		for _, t := range []*torch.Tensor{p.sums, p.m, p.v, p.step} {
			torch.ZeroIn(t)
		}
		return nil
	})
}

// Close frees the buffers. The parameters must not be used afterwards.
func (p *Params) Close() {
	_ = torch.Run(func(*torch.Scope) error {
		p.scope.Free()
		return nil
	})
	p.Tensors = nil
}
