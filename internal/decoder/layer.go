package decoder

import "lorabench/internal/torch"

// Layer is the sublayers of a decoder layer, attention first.
type Layer []*Sublayer

// forward returns [T, H] of x [T, H], which its caller owns, or [L, H] of the tokens in p.at. below reports that x is the result of a
// norm whose input is saved.
func (l Layer) forward(s *torch.Scope, x *torch.Tensor, p pass, k *Saved, below bool) *torch.Tensor {
	for i, sub := range l {
		y := sub.forward(s, x, p, k, below)
		if i > 0 {
			s.Drop(x)
		}
		x, below, p.at = y, k != nil, nil
	}
	return x
}

// backward returns the gradient of the layer's input [T, H]; nil where it is not wanted. below computes that input again.
func (l Layer) backward(s *torch.Scope, dy *torch.Tensor, p pass, k *Saved, below func(*torch.Scope) *torch.Tensor, wanted bool) *torch.Tensor {
	at, first := p.at, dy
	for i := len(l) - 1; i >= 0; i-- {
		more := wanted || l[:i].trains()
		input := below
		if p.at = nil; i > 0 {
			input = func(s *torch.Scope) *torch.Tensor { return l[i-1].Norm.again(s, k) }
		} else {
			p.at = at
		}
		d := l[i].backward(s, dy, p, k, input, more)
		if d != dy && dy != first {
			s.Drop(dy)
		}
		if dy = d; !more {
			return nil
		}
	}
	return dy
}

func (l Layer) trains() bool {
	for _, sub := range l {
		if sub.trains() {
			return true
		}
	}
	return false
}

// normAfter reports whether the layer ends in a norm.
func (l Layer) normAfter() bool { return l[len(l)-1].NormAfter }
