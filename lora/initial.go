package lora

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"

	"lorabench/internal/torch"
)

// parseInit reads init_lora_weights. Those that leave the base as it is need nothing more once A and B are read, so they
// are "". The others changed the base to W - scaling B A of the initial A and B, and the file has only the trained A and
// B: PEFT computes the initial ones again at each load. With pissa_niter it does so from random numbers: two loads of one
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

// subtractInitial subtracts the initial scaling B A from each adapted weight, for this model alone.
func (a *Adapter) subtractInitial(s *torch.Scope) error {
	values, errs := make([][]float32, len(a.pairs)), make([]error, len(a.pairs))
	for i, p := range a.pairs {
		values[i] = s.Floats(s.Cast(p.linear.Weight, torch.Float32))
	}
	var all sync.WaitGroup
	slots := make(chan bool, runtime.GOMAXPROCS(0)) // each needs several times the weight's memory
	for i, p := range a.pairs {
		all.Go(func() {
			slots <- true
			if err := p.subtractInitial(values[i], a.InitLoRAWeights); err != nil {
				errs[i] = fmt.Errorf("init_lora_weights %s of %s: %w", a.InitLoRAWeights, p.linear.Name, err)
			}
			<-slots
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, p := range a.pairs {
		w := p.linear.Weight
		p.linear.Weight = a.scope.Layer(func(s *torch.Scope) *torch.Tensor {
			return s.To(s.FromFloats(values[i], w.Shape()...), w.DType(), w.Device())
		})
		p.shared = w
	}
	return nil
}

// subtractInitial turns w [out, in] into what init left of it. With Q [out, r] of orthonormal columns, B A is Q Q^T W over scaling
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
	var q *mat.Dense
	var err error
	if init == "pissa" {
		q, err = singular(full, r)
	} else {
		q, factor = orthonormal(full, r), p.scaling
	}
	if err != nil {
		return err
	}
	var c, initial mat.Dense
	c.Mul(q.T(), full)
	initial.Mul(q, &c)
	for i, v := range initial.RawMatrix().Data {
		w[i] = float32(float64(w[i]) - factor*v)
	}
	return nil
}

// bases caches singular vectors, by the weight's hash and their number. They take 9 s for a weight of 1024 by 1024 on one
// core, and every run of a study loads the same adapter.
var bases sync.Map

// singular returns the first r left singular vectors of w.
func singular(w *mat.Dense, r int) (*mat.Dense, error) {
	bytes, err := w.MarshalBinary()
	if err != nil {
		return nil, err
	}
	key := fmt.Sprintf("%d %x", r, sha256.Sum256(bytes))
	if q, ok := bases.Load(key); ok {
		return q.(*mat.Dense), nil
	}
	var svd mat.SVD
	if !svd.Factorize(w, mat.SVDThinU) {
		return nil, fmt.Errorf("the singular values do not converge")
	}
	var u mat.Dense
	svd.UTo(&u)
	rows, _ := u.Dims()
	q := mat.DenseCopyOf(u.Slice(0, rows, 0, r))
	bases.Store(key, q)
	return q, nil
}

// orthonormal returns the first r columns of Q in w = Q R, which depend only on those of w. The method is Householder's, as
// torch.linalg.qr's, so that columns of zeros do no harm.
func orthonormal(w *mat.Dense, r int) *mat.Dense {
	rows, _ := w.Dims()
	q := mat.DenseCopyOf(w.Slice(0, rows, 0, r))
	tau, work := make([]float64, r), make([]float64, 64*r)
	lapack64.Geqrf(q.RawMatrix(), tau, work, len(work))
	lapack64.Orgqr(q.RawMatrix(), tau, work, len(work))
	return q
}
