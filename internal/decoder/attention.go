package decoder

import "lorabench/internal/torch"

// Attention is causal self-attention between two linear layers: q, k and v side by side, and out.
//
//	q, k, v = QKV x         [T, N D], [T, KV D], [T, KV D]
//	q, k rotated by position where the model has rotary positions
//	y = softmax(q k^T scale) v, per head      [T, N D]
//	Out y                   [T, H]
type Attention struct {
	QKV, Out *Group
	Heads    torch.Heads
	Rotary   bool

	QNorm, KNorm *Norm // of each head of q and k, before the rotation; nil is none
}

type attentionSaved struct {
	qkv    *torch.Tensor // [T, (N + 2 KV) D]
	y, lse *torch.Tensor // [T, N D]
	wanted *torch.Tensor // rows of y that Out reads; saved where Out is trained
}

func (a *Attention) forward(s *torch.Scope, x *torch.Tensor, p pass, k *Saved) *torch.Tensor {
	qkv := a.QKV.forward(s, x, p.train, k)
	p.read()
	a.norm(s, qkv, func(n *Norm, part *torch.Tensor) *torch.Tensor {
		if k != nil {
			part = s.Clone(part) // saved for backward, since qkv is overwritten
		}
		return n.forward(s, part, k)
	})
	a.rotate(s, qkv, p, false)
	y, lse := s.Attention(qkv, p.Sequences, a.Heads)
	k.Save(qkv, y, lse)
	s.Drop(qkv, lse)
	wanted := y
	if p.at != nil {
		wanted = s.IndexSelect(y, 0, p.at) // [L, N D]
	}
	result := a.Out.forward(s, wanted, p.train, k)
	if a.Out.trains() {
		k.Save(wanted)
	}
	s.Drop(y, wanted)
	*Record[attentionSaved](k, a) = attentionSaved{qkv, y, lse, wanted}
	return result
}

func (a *Attention) backward(s *torch.Scope, x, dy, dx *torch.Tensor, p pass, wanted bool, k *Saved) *torch.Tensor {
	r := Record[attentionSaved](k, a)
	through := wanted || a.QKV.trains() || a.QNorm.trains() || a.KNorm.trains()
	d := a.Out.backward(s, r.wanted, dy, nil, through, k)
	if !through {
		return nil
	}
	d = s.AttentionBackward(p.spread(s, d), r.qkv, r.y, r.lse, p.Sequences, a.Heads)
	a.rotate(s, d, p, true)
	a.norm(s, d, func(n *Norm, part *torch.Tensor) *torch.Tensor { return n.backward(s, part, k) })
	return a.QKV.backward(s, x, d, dx, wanted, k)
}

// rotate applies rotary positions to q and k in place; back undoes it.
func (a *Attention) rotate(s *torch.Scope, qkv *torch.Tensor, p pass, back bool) {
	if a.Rotary {
		n := a.Heads.N + a.Heads.KV
		d := qkv.Dim(1) / (n + a.Heads.KV)
		torch.RotateIn(s.Narrow(qkv, 1, 0, n*d), p.cos, p.sin, n, back)
	}
}

// norm replaces q and k by f of them.
func (a *Attention) norm(s *torch.Scope, qkv *torch.Tensor, f func(n *Norm, part *torch.Tensor) *torch.Tensor) {
	if a.QNorm == nil {
		return
	}
	d := qkv.Dim(1) / (a.Heads.N + 2*a.Heads.KV)
	s.Do(func(s *torch.Scope) {
		q, k := s.Narrow(qkv, 1, 0, a.Heads.N*d), s.Narrow(qkv, 1, a.Heads.N*d, a.Heads.KV*d)
		torch.Copy(q, f(a.QNorm, q))
		torch.Copy(k, f(a.KNorm, k))
	})
}

func (a *Attention) readsInput() bool { return a.QKV.trains() }
func (a *Attention) trains() bool {
	return a.QKV.trains() || a.Out.trains() || a.QNorm.trains() || a.KNorm.trains()
}
func (a *Attention) groups() []*Group { return []*Group{a.QKV, a.Out} }
