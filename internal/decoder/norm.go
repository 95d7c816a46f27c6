package decoder

import "lorabench/internal/torch"

// Norm is a layer norm (Ba et al. 2016, arXiv:1607.06450), or with RMS a root mean square norm (arXiv:1910.07467), over the last dimension.
type Norm struct {
	Weight, Bias *torch.Tensor // nil where the model has none
	Eps          float64
	RMS          bool

	weightGrad, biasGrad *torch.Tensor // nil where frozen
}

type normSaved struct{ x, mean, rstd *torch.Tensor } // [T, H], [T, 1], [T, 1]; RMS has no mean

func (n *Norm) forward(s *torch.Scope, x *torch.Tensor, k *Saved) *torch.Tensor {
	var y, mean, rstd *torch.Tensor
	if n.RMS {
		y, rstd = s.RMSNorm(x, n.Weight, n.Eps)
	} else {
		y, mean, rstd = s.LayerNorm(x, n.Weight, n.Bias, n.Eps)
	}
	*Record[normSaved](k, n) = normSaved{x, mean, rstd}
	k.Save(x, mean, rstd)
	s.Drop(mean, rstd)
	return y
}

// again computes forward's result from the input it saved: cheaper than keeping both.
func (n *Norm) again(s *torch.Scope, k *Saved) *torch.Tensor {
	return n.forward(s, Record[normSaved](k, n).x, nil)
}

func (n *Norm) backward(s *torch.Scope, dy *torch.Tensor, k *Saved) *torch.Tensor {
	r := Record[normSaved](k, n)
	if n.RMS {
		return s.RMSNormBackward(dy, r.x, r.rstd, n.Weight, n.weightGrad)
	}
	return s.LayerNormBackward(dy, r.x, r.mean, r.rstd, n.Weight, n.Bias, n.weightGrad, n.biasGrad)
}

// trains reports whether the norm trains; a nil norm does not.
func (n *Norm) trains() bool { return n != nil && (n.weightGrad != nil || n.biasGrad != nil) }
