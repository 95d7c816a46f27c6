package lora

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"lorabench/data"
	"lorabench/internal/decoder"
	"lorabench/internal/torch"
)

// Check is a property that an adapter must have, and what was found.
type Check struct {
	Name  string
	OK    bool
	Found string
}

// Checks reports whether the rank reaches the weights: whether an adapter of this configuration on this
// model has the parameters its rank asks for, does nothing before it is trained, and changes what it
// should, and only that, once B is not 0. Logits are compared on the micro-batch.
func Checks(m *decoder.Model, c Config, b *data.MicroBatch) ([]Check, error) {
	var out []Check
	base, err := logitsOf(m, b)
	if err != nil {
		return nil, err
	}
	a, err := NewAdapter(m, c, 1)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	out = append(out, a.shapes())
	fresh, err := logitsOf(m, b)
	if err != nil {
		return nil, err
	}
	out = append(out, Check{"B = 0 equals base", farthest(base, fresh) == 0, fmt.Sprintf("logits differ by %.1e at most", farthest(base, fresh))})
	if err := a.fill(); err != nil {
		return nil, err
	}
	adapted, err := logitsOf(m, b)
	if err != nil {
		return nil, err
	}
	out = append(out, Check{"B not 0 changes the model", farthest(base, adapted) > 0, fmt.Sprintf("logits differ by %.1e at most", farthest(base, adapted))})
	if err := a.Merge(); err != nil {
		return nil, err
	}
	merged, err := logitsOf(m, b)
	if err != nil {
		return nil, err
	}
	apart, largest := farthest(adapted, merged), farthest(adapted, make([]float32, len(adapted)))
	within := 1e-4
	if m2, err := dtypeOf(m); err != nil || m2 != torch.Float32 {
		within = 5e-2 // the merged weight is rounded to the base's type
	}
	out = append(out, Check{"merged equals unmerged", apart <= within*largest, fmt.Sprintf("logits differ by %.1e of %.1f", apart, largest)})
	ranks, err := a.effectiveRanks()
	return append(out, ranks...), err
}

func dtypeOf(m *decoder.Model) (d torch.DType, err error) {
	err = torch.Run(func(*torch.Scope) error { d = m.DType(); return nil })
	return d, err
}

func logitsOf(m *decoder.Model, b *data.MicroBatch) (v []float32, err error) {
	err = torch.Run(func(s *torch.Scope) error {
		v = s.Floats(m.Logits(s, m.Hidden(s, b, false), false))
		return nil
	})
	return v, err
}

// farthest returns the largest difference; NaN if one is NaN.
func farthest(a, b []float32) float64 {
	d := 0.0
	for i, x := range a {
		d = max(d, math.Abs(float64(x)-float64(b[i])))
	}
	return d
}

// shapes compares the parameters with r (in + out) for each target, and out more with DoRA.
func (a *Adapter) shapes() Check {
	want := int64(0)
	ok := true
	for _, p := range a.pairs {
		want += p.r * (p.linear.In + p.linear.Out)
		if a.UseDoRA {
			want += p.linear.Out
		}
		_ = torch.Run(func(*torch.Scope) error {
			ok = ok && sameSize(p.a.Shape(), p.r, p.linear.In) && sameSize(p.b.Shape(), p.linear.Out, p.r)
			return nil
		})
	}
	return Check{"counts and shapes match r", ok && want == a.N(), fmt.Sprintf("%d parameters in %d layers, r (in + out) is %d", a.N(), len(a.pairs), want)}
}

func sameSize(shape []int64, rows, columns int64) bool {
	return len(shape) == 2 && shape[0] == rows && shape[1] == columns
}

// fill draws every B, large enough that the change is not mistaken for rounding.
func (a *Adapter) fill() error {
	return torch.Run(func(s *torch.Scope) error {
		for _, p := range a.pairs {
			n := p.b.Shape()
			torch.Copy(p.b, s.FromFloats(decoder.HashValues(p.linear.Name+".lora_B", int(n[0]*n[1]), 1, 0.05), n...))
		}
		return nil
	})
}

// effectiveRanks counts the singular values above rounding of what merging has added to the first and
// the last target's weight: at most r, or the layer's smaller side where that is less, and nearly so
// many.
func (a *Adapter) effectiveRanks() ([]Check, error) {
	if a.UseDoRA {
		return nil, nil // it rescales the whole weight: the change has full rank
	}
	var out []Check
	for i, p := range a.pairs {
		if i > 0 && i < len(a.pairs)-1 {
			continue
		}
		var delta, weight []float32
		err := torch.Run(func(s *torch.Scope) error {
			weight = s.Floats(s.Cast(p.original, torch.Float32))
			delta = s.Floats(s.Cast(p.linear.Weight, torch.Float32))
			return nil
		})
		if err != nil {
			return nil, err
		}
		wide := make([]float64, len(delta))
		for j := range delta {
			wide[j] = float64(delta[j]) - float64(weight[j])
		}
		var svd mat.SVD
		if !svd.Factorize(mat.NewDense(int(p.linear.Out), int(p.linear.In), wide), mat.SVDNone) {
			return nil, fmt.Errorf("%s: the singular values of B A do not converge", p.linear.Name)
		}
		n, values := 0, svd.Values(nil)
		floor := rounding(weight, values)
		for _, v := range values {
			if v > floor {
				n++
			}
		}
		// A random B A of full rank may have a few values as small as rounding.
		want := int(min(p.r, p.linear.In, p.linear.Out))
		out = append(out, Check{"effective rank of B A", n <= want && 10*n >= 9*want, fmt.Sprintf("%s: %d of %d singular values, r is %d", p.linear.Name, n, len(values), p.r)})
	}
	return out, nil
}

// rounding returns how large singular values of a difference of two float32 matrices of this size may be that should be 0: half a unit
// in the last place of each entry, times the root of the sum of both sides, with a margin of 4.
func rounding(weight []float32, values []float64) float64 {
	largest := 0.0
	for _, v := range weight {
		largest = max(largest, math.Abs(float64(v)))
	}
	return 4 * largest * math.Pow(2, -24) * math.Sqrt(float64(len(weight))/float64(len(values))+float64(len(values)))
}
