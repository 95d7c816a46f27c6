package decoder

import "lorabench/internal/torch"

// Sublayer adds a branch to its input, with dropout between:
//
//	y = x + dropout(branch(norm(x)))    norm before, as most models have it
//	y = norm(x + dropout(branch(x)))    norm after, as opt-350m
type Sublayer struct {
	Norm      *Norm
	NormAfter bool
	Branch    Branch
}

// Branch is an [Attention] or an MLP.
type Branch interface {
	// forward returns [T, H] of x [T, H], or [L, H] of the tokens in p.at.
	forward(s *torch.Scope, x *torch.Tensor, p pass, k *Saved) *torch.Tensor
	// backward adds to the trained gradients, given the result's dy ([T, H] or [L, H]). Where wanted it returns x's gradient, added
	// to dx if that is given. x is read only if readsInput.
	backward(s *torch.Scope, x, dy, dx *torch.Tensor, p pass, wanted bool, k *Saved) *torch.Tensor
	readsInput() bool
	trains() bool
	groups() []*Group
}

// pass is the input that all layers share in a forward pass and its backward pass.
type pass struct {
	*Batch
	at       *torch.Tensor // [L] the tokens whose results are wanted of this sublayer; nil is all
	cos, sin *torch.Tensor // [T, D/2] of the rotary positions; nil without
	train    bool
	dropout  float64 // of the branches' results
	read     func()  // the branch calls it once it has read its input
}

type sublayerSaved struct {
	input *torch.Tensor // the branch's input [T, H]; only where its backward pass reads it
	mask  *torch.Tensor // dropout's
}

// forward returns the sublayer's result. below reports that x is the result of a norm whose input is saved: with norms after, x need not
// be saved as well.
func (l *Sublayer) forward(s *torch.Scope, x *torch.Tensor, p pass, k *Saved, below bool) *torch.Tensor {
	r := Record[sublayerSaved](k, l)
	in := x // [T, H]
	if !l.NormAfter {
		in = l.Norm.forward(s, x, k)
	}
	r.input = in
	p.read = func() {
		if l.Branch.readsInput() && !(l.NormAfter && below) {
			k.Save(in)
		}
		if in != x {
			s.Drop(in)
		}
	}
	y := l.Branch.forward(s, in, p, k)
	if p.at != nil {
		x = s.IndexSelect(x, 0, p.at) // [L, H]
	}
	if mask := s.ResidualIn(x, y, r.mask, p.dropout); mask != nil {
		r.mask = mask
		k.SaveRandom(mask)
		s.Drop(mask)
	}
	if p.at != nil {
		s.Drop(x)
	}
	if !l.NormAfter {
		return y
	}
	z := l.Norm.forward(s, y, k)
	s.Drop(y)
	return z
}

// backward returns the gradient of the sublayer's input [T, H], reusing dy's memory where possible; nil where it is not wanted. below
// computes the input again where it is not saved.
func (l *Sublayer) backward(s *torch.Scope, dy *torch.Tensor, p pass, k *Saved, below func(*torch.Scope) *torch.Tensor, wanted bool) *torch.Tensor {
	r := Record[sublayerSaved](k, l)
	if l.NormAfter {
		if dy = l.Norm.backward(s, dy, k); !wanted && !l.Branch.trains() {
			return nil
		}
	}
	d := dy // the gradient that bypasses the branch
	through := wanted || !l.NormAfter && l.Norm.trains()
	if through {
		d = p.spread(s, dy)
	}
	s.Do(func(s *torch.Scope) {
		branch := dy
		if p.dropout > 0 {
			branch = s.DropoutWith(dy, r.mask, 0, p.dropout)
		}
		in := r.input
		if l.Branch.readsInput() && !k.has(in) {
			in = below(s)
		}
		switch {
		case !through && !l.Branch.trains():
		case !through:
			l.Branch.backward(s, in, branch, nil, p, false, k)
		case l.NormAfter: // x is the branch's input
			l.Branch.backward(s, in, branch, d, p, true, k)
		default: // x is the norm's input
			torch.AddIn(d, l.Norm.backward(s, l.Branch.backward(s, in, branch, nil, p, true, k), k))
		}
	})
	if !wanted {
		return nil
	}
	return d
}

// spread scatters d [L, H] to [T, H]: tokens outside p.at have gradient 0.
func (p pass) spread(s *torch.Scope, d *torch.Tensor) *torch.Tensor {
	if p.at == nil {
		return d
	}
	all := s.Zeros(d.DType(), d.Device(), p.IDs.Numel(), d.Dim(1))
	torch.IndexAddIn(all, p.at, d)
	return all
}

func (l *Sublayer) trains() bool { return l.Branch.trains() || l.Norm.trains() }
