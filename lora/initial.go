package lora

import (
	"encoding/json"
	"fmt"
	"strings"

	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"

	"lorabench/internal/torch"
)

// parseInit reads init_lora_weights. Of those that leave the base as it is nothing is left to do once A and B are read, so
// they are "". The others made the base W - scaling B A of the initial A and B, and the file has only what A and B became:
// PEFT computes the initial ones again at each load. It does so from random numbers with pissa_niter: two loads of one
// adapter gave logits 1.9 apart (testdata/parity/adapters).
func parseInit(raw json.RawMessage) (string, error) {
	var is string
	if empty(raw) || string(raw) == "true" {
		return "", nil
	} else if err := json.Unmarshal(raw, &is); err != nil {
		return "", fmt.Errorf("init_lora_weights is %s, want true, false or a name", raw)
	}
	switch {
	case is == "gaussian" || is == "orthogonal" || is == "eva":
		return "", nil
	case is == "pissa" || strings.EqualFold(is, "olora"):
		return strings.ToLower(is), nil
	}
	return "", fmt.Errorf("init_lora_weights is %q, which changed the base in a way that the files do not tell, or trains otherwise: "+
		"convert the adapter in PEFT with save_pretrained(..., path_initial_model_for_weight_conversion=INITIAL_ADAPTER)", is)
}

// subtractInitial takes the initial scaling B A from each adapted weight, for this model alone.
func (a *Adapter) subtractInitial(s *torch.Scope) error {
	for _, p := range a.pairs {
		w := p.linear.Weight
		v := s.Floats(s.Cast(w, torch.Float32))
		if err := p.subtractInitial(v, a.InitLoRAWeights); err != nil {
			return fmt.Errorf("init_lora_weights %s of %s: %w", a.InitLoRAWeights, p.linear.Name, err)
		}
		p.linear.Weight = a.scope.Layer(func(s *torch.Scope) *torch.Tensor {
			return s.To(s.FromFloats(v, w.Shape()...), w.DType(), w.Device())
		})
		p.shared = w
	}
	return nil
}

// subtractInitial makes w [out, in] what init left of it. With Q [out, r] of orthonormal columns, B A is Q Q^T W over scaling
// for PiSSA (Meng et al. 2024, arXiv:2404.02948), whose Q are W's first left singular vectors, and Q Q^T W for OLoRA
// (Büyükakyüz 2024, arXiv:2406.01775), whose Q is that of W = Q R.
func (p *pair) subtractInitial(w []float32, init string) error {
	out, in, r := int(p.linear.Out), int(p.linear.In), int(p.r)
	if r > min(out, in) {
		return fmt.Errorf("r is %d and the weight has a rank of %d at most", r, min(out, in))
	}
	full, factor := mat.NewDense(out, in, nil), 1.0
	for i, v := range w {
		full.RawMatrix().Data[i] = float64(v)
	}
	var q, u, c, initial mat.Dense
	if init == "pissa" {
		var svd mat.SVD
		if !svd.Factorize(full, mat.SVDThinU) {
			return fmt.Errorf("the singular values do not converge")
		}
		svd.UTo(&u)
		q.CloneFrom(u.Slice(0, out, 0, r))
	} else {
		factor = p.scaling
		q.CloneFrom(full.Slice(0, out, 0, r)) // R's other columns follow from Q
		tau, work := make([]float64, r), make([]float64, 64*r)
		lapack64.Geqrf(q.RawMatrix(), tau, work, len(work)) // Householder's, as torch.linalg.qr: columns of zeros do no harm
		lapack64.Orgqr(q.RawMatrix(), tau, work, len(work))
	}
	c.Mul(q.T(), full)
	initial.Mul(&q, &c)
	for i, v := range initial.RawMatrix().Data {
		w[i] = float32(float64(w[i]) - factor*v)
	}
	return nil
}
