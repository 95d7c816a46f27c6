package opt

import (
	"math"

	"lorabench/internal/torch"
)

// kept is what a decoder layer keeps from its forward pass for its backward pass, nothing that a
// frozen layer's gradient does not need: of T tokens and hidden size H, 7 T H values, and masks, which
// are bits on a CPU. PyTorch's autograd over the same layer keeps 16 to 18 T H. In the last layer, what
// comes after attention is of the N tokens that have a label, instead of T.
type kept struct {
	drawn  *torch.Scope // owns the masks, and with checkpointing the layer's input
	values *torch.Scope // owns the rest, which can be computed again from these

	input *torch.Tensor // the layer's input [T, H]; only with checkpointing

	in       *torch.Tensor // what q, k and v read [T, H]; only where something there is trained
	qkv      *torch.Tensor // [T, 3H]
	attended *torch.Tensor // [T, H]
	labelled *torch.Tensor // its rows that have a label [N, H]; only in the last layer, where out_proj is trained
	lse      *torch.Tensor
	mid      *torch.Tensor // what fc1 reads [T, H]; only where something there is trained
	act      *torch.Tensor // fc2's input [T, F]; only where something there is trained
	before   *torch.Tensor // the activation's input [T, F]; only GELU's
	zero     *torch.Tensor // where ReLU gave 0, of [T, F]
	norms    [2]normKept
	masks    [2]*torch.Tensor // of the two dropouts, of [T, H]
	groups   [4]Kept          // q k v, out_proj, fc1, fc2
}

// normKept is what a layer norm keeps.
type normKept struct{ x, mean, rstd *torch.Tensor }

func newKept() *kept { return &kept{drawn: torch.NewScope(), values: torch.NewScope()} }

// forget frees what can be computed again.
func (k *kept) forget() {
	k.values.Free()
	for i := range k.groups {
		k.groups[i].Values = nil
	}
}

func (k *kept) free() {
	k.values.Free()
	k.drawn.Free()
}

// own moves what forward made in s to where it is kept.
func (k *kept) own(s *torch.Scope) {
	for _, t := range []*torch.Tensor{k.in, k.qkv, k.attended, k.labelled, k.lse, k.mid, k.act, k.before, k.zero, k.norms[0].x, k.norms[0].mean,
		k.norms[0].rstd, k.norms[1].x, k.norms[1].mean, k.norms[1].rstd, k.groups[0].Values, k.groups[1].Values, k.groups[2].Values, k.groups[3].Values} {
		if t != nil {
			s.Move(t, k.values)
		}
	}
	for _, t := range []*torch.Tensor{k.masks[0], k.masks[1], k.groups[0].Drawn, k.groups[1].Drawn, k.groups[2].Drawn, k.groups[3].Drawn} {
		if t != nil {
			s.Move(t, k.drawn)
		}
	}
}

func (n norm) forward(s *torch.Scope, x *torch.Tensor, k *normKept) *torch.Tensor {
	y, mean, rstd := s.LayerNorm(x, n.weight, n.bias, LayerNormEps)
	if k == nil {
		s.Drop(mean)
		s.Drop(rstd)
	} else {
		*k = normKept{x, mean, rstd}
	}
	return y
}

func (n norm) backward(s *torch.Scope, dy *torch.Tensor, k *normKept) *torch.Tensor {
	return s.LayerNormBackward(dy, k.x, k.mean, k.rstd, n.weight, n.bias, n.weightGrad, n.biasGrad)
}

func (n norm) trains() bool { return n.weightGrad != nil || n.biasGrad != nil }

// forward is one decoder layer, x [T, H] to [T, H], or to [N, H] where at [N] says which tokens are
// wanted: nothing after attention is computed for the others. Where k is not nil it keeps what backward
// needs; masks that k has already are applied again.
func (l *layer) forward(s *torch.Scope, m *Model, x *torch.Tensor, b *Batch, at *torch.Tensor, train bool, k *kept) *torch.Tensor {
	drop := m.dropout(train)
	keeping := k != nil
	if !keeping {
		k = &kept{}
	}
	// done frees what the rest of the forward pass does not read and backward does not need.
	done := func(t *torch.Tensor, needed bool) {
		if !keeping || !needed {
			s.Drop(t)
		}
	}
	norm := func(n norm, i int, x *torch.Tensor) *torch.Tensor {
		if !keeping {
			return n.forward(s, x, nil)
		}
		return n.forward(s, x, &k.norms[i])
	}
	group := func(g *Group, i int, x *torch.Tensor) *torch.Tensor {
		if !keeping {
			return g.forward(s, x, train, nil)
		}
		return g.forward(s, x, train, &k.groups[i])
	}
	residual := func(i int, x, y *torch.Tensor) *torch.Tensor {
		if mask := s.ResidualIn(x, y, k.masks[i], drop); mask != nil {
			k.masks[i] = mask
		}
		return y
	}

	in := x
	if m.DoLayerNormBefore {
		in = norm(l.attnNorm, 0, x)
	}
	qkv := group(l.qkv, 0, in)
	if m.DoLayerNormBefore {
		done(in, l.qkv.trains())
	}
	attended, lse := s.Attention(qkv, b.Sequences, m.NumAttentionHeads, 1/math.Sqrt(float64(m.HeadDim())))
	done(qkv, true)
	done(lse, true)
	wanted := attended
	if at != nil {
		wanted, x = s.IndexSelect(attended, 0, at), s.IndexSelect(x, 0, at)
	}
	r := group(l.out, 1, wanted)
	done(attended, true)
	r = residual(0, x, r)
	if at != nil {
		done(wanted, l.out.trains())
		s.Drop(x)
	}

	mid, rest := r, r // what fc1 reads, and what its result is added to
	if m.DoLayerNormBefore {
		mid = norm(l.finalNorm, 1, r)
	} else {
		mid = norm(l.attnNorm, 0, r)
		rest = mid
		done(r, true)
	}
	h := group(l.fc1, 2, mid)
	if m.DoLayerNormBefore {
		done(mid, l.fc1.trains())
	}
	if m.ActivationFunction == "gelu" {
		k.before = h
		h = s.GELU(h)
		done(k.before, true)
	} else {
		k.zero = s.ReLUIn(h, keeping)
	}
	y := group(l.fc2, 3, h)
	done(h, l.fc2.trains())
	y = residual(1, rest, y)
	if m.DoLayerNormBefore {
		done(r, true)
	} else {
		done(mid, l.fc1.trains())
		z := norm(l.finalNorm, 1, y)
		done(y, true)
		y = z
	}
	if keeping {
		k.qkv, k.attended, k.lse = qkv, attended, lse
		k.labelled = kept1(wanted, at != nil && l.out.trains())
		k.in = kept1(in, l.qkv.trains())
		k.mid = kept1(mid, l.fc1.trains())
		k.act = kept1(h, l.fc2.trains())
		k.own(s)
	} else {
		for _, mask := range k.masks {
			if mask != nil {
				s.Drop(mask)
			}
		}
	}
	return y
}

func kept1(t *torch.Tensor, needed bool) *torch.Tensor {
	if needed {
		return t
	}
	return nil
}

// backward is the gradient of the layer's input [T, H], in dy's place where it can be, from that of its
// result; at is forward's. below tells whether anybody wants it: where not, it stops at the lowest part
// that is trained and returns nil.
func (l *layer) backward(s *torch.Scope, m *Model, dy *torch.Tensor, b *Batch, at *torch.Tensor, k *kept, below bool) *torch.Tensor {
	drop := m.dropout(true)
	pre := m.DoLayerNormBefore
	undrop := func(i int, d *torch.Tensor) *torch.Tensor {
		if drop == 0 {
			return d
		}
		return s.DropoutWith(d, k.masks[i], 0, drop)
	}
	// What lies below each part and is trained, from the bottom up.
	wantQKV := below || pre && l.attnNorm.trains()
	wantOut := wantQKV || l.qkv.trains()
	wantMid := wantOut || l.out.trains() || !pre && l.attnNorm.trains()
	wantFC1 := wantMid || pre && l.finalNorm.trains()
	wantFC2 := wantFC1 || l.fc1.trains()

	d := dy // of y, the second sum
	if !pre {
		d = l.finalNorm.backward(s, dy, &k.norms[1])
	}
	s.Do(func(s *torch.Scope) {
		branch := undrop(1, d)
		dh := l.fc2.backward(s, k.act, branch, nil, wantFC2, &k.groups[3])
		if !wantFC2 {
			return
		}
		if m.ActivationFunction == "gelu" {
			dh = s.GELUBackward(dh, k.before)
		} else {
			torch.ReLUBackwardIn(dh, k.zero)
		}
		switch {
		case !wantFC1:
			l.fc1.backward(s, k.mid, dh, nil, false, &k.groups[2])
		case pre: // through the norm, and beside it
			dmid := l.fc1.backward(s, k.mid, dh, nil, true, &k.groups[2])
			torch.AddIn(d, l.finalNorm.backward(s, dmid, &k.norms[1]))
		default: // the sum took fc1's own input
			l.fc1.backward(s, k.mid, dh, d, true, &k.groups[2])
		}
	})
	if !wantMid {
		return nil
	}
	if !pre {
		d = l.attnNorm.backward(s, d, &k.norms[0])
	}
	// spread gives the tokens without a label their gradient, 0.
	spread := func(s *torch.Scope, d *torch.Tensor) *torch.Tensor {
		if at == nil {
			return d
		}
		all := s.Zeros(d.DType(), d.Device(), k.attended.Shape()...)
		torch.IndexAddIn(all, at, d)
		return all
	}
	din := d // of the layer's input
	if wantQKV {
		din = spread(s, d)
	}
	s.Do(func(s *torch.Scope) {
		branch, read := undrop(0, d), k.attended
		if at != nil {
			read = k.labelled
		}
		dattended := l.out.backward(s, read, branch, nil, wantOut, &k.groups[1])
		if !wantOut {
			return
		}
		dqkv := s.AttentionBackward(spread(s, dattended), k.qkv, k.attended, k.lse, b.Sequences, m.NumAttentionHeads, 1/math.Sqrt(float64(m.HeadDim())))
		switch {
		case !wantQKV:
			l.qkv.backward(s, k.in, dqkv, nil, false, &k.groups[0])
		case pre:
			normed := l.qkv.backward(s, k.in, dqkv, nil, true, &k.groups[0])
			torch.AddIn(din, l.attnNorm.backward(s, normed, &k.norms[0]))
		default:
			l.qkv.backward(s, k.in, dqkv, din, true, &k.groups[0])
		}
	})
	if !below {
		return nil
	}
	return din
}

// trains tells whether a gradient is wanted anywhere in the layer.
func (l *layer) trains() bool {
	return l.qkv.trains() || l.out.trains() || l.fc1.trains() || l.fc2.trains() || l.attnNorm.trains() || l.finalNorm.trains()
}
