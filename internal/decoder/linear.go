package decoder

import "lorabench/internal/torch"

// Linear is y = x Weight^T + Bias.
type Linear struct {
	Name    string // the module's name, e.g. model.decoder.layers.0.self_attn.q_proj
	Weight  *torch.Tensor
	Bias    *torch.Tensor // nil where the model has none
	In, Out int64

	weightGrad, biasGrad *torch.Tensor // where training sums the gradients; nil where frozen
}

// Group is linear layers that read the same input x [T, in]. Their results stand side by side in y
// [T, out], out being the sum of theirs: one matrix product where their weights lie next to each
// other in memory, as those that this package loads do.
type Group struct {
	Linears []*Linear
	Adapter Adapter // nil is none
}

// Adapter changes what a Group computes and learns from the gradient.
type Adapter interface {
	// Forward adds the adapter's result for x [T, in] to y [T, out], in place. train switches its
	// dropout on. Masks that an earlier forward pass over the same input saved in k are applied again.
	Forward(s *torch.Scope, x, y *torch.Tensor, train bool, k *Saved)
	// Backward adds to the adapter's gradients, given y's gradient dy [T, out], and adds the adapter's part
	// of x's gradient to dx [T, in], unless that is nil.
	Backward(s *torch.Scope, x, dy, dx *torch.Tensor, k *Saved)
}

// forward returns y = x W^T + b with the adapter's part added: [T, out] of x [T, in].
func (g *Group) forward(s *torch.Scope, x *torch.Tensor, train bool, k *Saved) *torch.Tensor {
	y := g.base(s, x)
	if g.Adapter != nil {
		g.Adapter.Forward(s, x, y, train, k)
	}
	return y
}

func (g *Group) base(s *torch.Scope, x *torch.Tensor) *torch.Tensor {
	if len(g.Linears) == 1 {
		return s.Linear(x, g.Linears[0].Weight, g.Linears[0].Bias)
	}
	return s.Layer(func(s *torch.Scope) *torch.Tensor {
		w, b := g.weight(s)
		if w != nil {
			return s.Linear(x, w, b)
		}
		var ys []*torch.Tensor
		for _, l := range g.Linears {
			ys = append(ys, s.Linear(x, l.Weight, l.Bias))
		}
		return s.Cat(ys, 1)
	})
}

// weight returns the stacked weights and biases; nil where they do not lie next to each other, as after one of them
// was merged with an adapter.
func (g *Group) weight(s *torch.Scope) (w, b *torch.Tensor) {
	var ws, bs []*torch.Tensor
	for _, l := range g.Linears {
		ws, bs = append(ws, l.Weight), append(bs, l.Bias)
	}
	if w = s.Stacked(ws...); w == nil || bs[0] == nil {
		return w, nil
	}
	if b = s.Stacked(bs...); b == nil {
		return nil, nil
	}
	return w, b
}

// backward adds to the gradients of what is trained here and returns x's gradient [T, in] where it is
// wanted: added to dx where that is given, else new. x is read only where trains says so.
func (g *Group) backward(s *torch.Scope, x, dy, dx *torch.Tensor, wanted bool, k *Saved) *torch.Tensor {
	if wanted {
		dx = g.input(s, dy, dx)
	}
	s.Do(func(s *torch.Scope) {
		for i, l := range g.Linears {
			if l.weightGrad == nil && l.biasGrad == nil {
				continue
			}
			part := g.Part(s, dy, i)
			if l.weightGrad != nil {
				torch.AddMM(l.weightGrad, part, x, true, false, 1, 1)
			}
			if l.biasGrad != nil {
				torch.AddIn(l.biasGrad, s.SumRows(part))
			}
		}
		if g.Adapter != nil {
			g.Adapter.Backward(s, x, dy, dx, k)
		}
	})
	return dx
}

// input returns dy W, added to dx where that is given.
func (g *Group) input(s *torch.Scope, dy, dx *torch.Tensor) *torch.Tensor {
	return s.Layer(func(s *torch.Scope) *torch.Tensor {
		if w, _ := g.weight(s); w != nil {
			return s.LinearBackward(dy, w, dx)
		}
		for i, l := range g.Linears {
			dx = s.LinearBackward(g.Part(s, dy, i), l.Weight, dx)
		}
		return dx
	})
}

// Part returns layer i's columns of y [T, out] or of its gradient, without a copy.
func (g *Group) Part(s *torch.Scope, y *torch.Tensor, i int) *torch.Tensor {
	at := int64(0)
	for _, l := range g.Linears[:i] {
		at += l.Out
	}
	return s.Narrow(y, 1, at, g.Linears[i].Out)
}

// size returns the number of elements of the group's weights.
func (g *Group) size() int64 {
	n := int64(0)
	for _, l := range g.Linears {
		n += l.In * l.Out
	}
	return n
}

// out returns the width of the group's result.
func (g *Group) out() (n int64) {
	for _, l := range g.Linears {
		n += l.Out
	}
	return n
}

// trains reports whether the adapter or any weight or bias is trained.
func (g *Group) trains() bool {
	if g.Adapter != nil {
		return true
	}
	for _, l := range g.Linears {
		if l.weightGrad != nil || l.biasGrad != nil {
			return true
		}
	}
	return false
}
