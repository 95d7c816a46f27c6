package decoder

import "lorabench/internal/torch"

// MLP is Down(act(Up x)): [T, H] to [T, F] to [T, H].
type MLP struct {
	Up, Down *Group
	GELU     bool // with the error function, in place of ReLU
}

type mlpSaved struct {
	act    *torch.Tensor // Down's input [T, F]; only where Down trains
	before *torch.Tensor // GELU's input [T, F]
	zero   *torch.Tensor // [T, F] where ReLU gave 0
}

func (m *MLP) forward(s *torch.Scope, x *torch.Tensor, p pass, k *Saved) *torch.Tensor {
	r := Record[mlpSaved](k, m)
	h := m.Up.forward(s, x, p.train, k)
	p.read()
	if m.GELU {
		r.before = h
		h = s.GELU(h)
		k.Save(r.before)
		s.Drop(r.before)
	} else {
		r.zero = s.ReLUIn(h, k != nil)
		k.Save(r.zero)
	}
	y := m.Down.forward(s, h, p.train, k)
	if r.act = h; m.Down.trains() {
		k.Save(h)
	}
	s.Drop(h)
	return y
}

func (m *MLP) backward(s *torch.Scope, x, dy, dx *torch.Tensor, _ pass, wanted bool, k *Saved) *torch.Tensor {
	r := Record[mlpSaved](k, m)
	through := wanted || m.Up.trains()
	d := m.Down.backward(s, r.act, dy, nil, through, k)
	if !through {
		return nil
	}
	if m.GELU {
		d = s.GELUBackward(d, r.before)
	} else {
		torch.ReLUBackwardIn(d, r.zero)
	}
	return m.Up.backward(s, x, d, dx, wanted, k)
}

func (m *MLP) readsInput() bool { return m.Up.trains() }
func (m *MLP) trains() bool     { return m.Up.trains() || m.Down.trains() }
func (m *MLP) groups() []*Group { return []*Group{m.Up, m.Down} }

// GatedMLP is SwiGLU (Shazeer 2020, arXiv:2002.05202): Down(silu(gate x) up x), gate and up being the two layers of Up.
// [T, H] to [T, 2F] to [T, F] to [T, H].
type GatedMLP struct{ Up, Down *Group }

type gatedSaved struct{ gateUp *torch.Tensor } // [T, 2F]

func (m *GatedMLP) forward(s *torch.Scope, x *torch.Tensor, p pass, k *Saved) *torch.Tensor {
	gateUp := m.Up.forward(s, x, p.train, k)
	p.read()
	h := s.SwiGLU(gateUp)
	k.Save(gateUp)
	s.Drop(gateUp)
	y := m.Down.forward(s, h, p.train, k)
	s.Drop(h)
	Record[gatedSaved](k, m).gateUp = gateUp
	return y
}

func (m *GatedMLP) backward(s *torch.Scope, x, dy, dx *torch.Tensor, _ pass, wanted bool, k *Saved) *torch.Tensor {
	gateUp := Record[gatedSaved](k, m).gateUp
	through := wanted || m.Up.trains()
	d := s.Layer(func(s *torch.Scope) *torch.Tensor {
		var h *torch.Tensor // Down's input, computed again: an elementwise product costs less than keeping it
		if m.Down.trains() {
			h = s.SwiGLU(gateUp)
		}
		return m.Down.backward(s, h, dy, nil, through, k)
	})
	if !through {
		return nil
	}
	return m.Up.backward(s, x, s.SwiGLUBackward(d, gateUp), dx, wanted, k)
}

func (m *GatedMLP) readsInput() bool { return m.Up.trains() }
func (m *GatedMLP) trains() bool     { return m.Up.trains() || m.Down.trains() }
func (m *GatedMLP) groups() []*Group { return []*Group{m.Up, m.Down} }
