package decoder

import (
	"slices"
	"time"

	"lorabench/data"
	"lorabench/internal/torch"
)

// Bounds of a measurement of kernels. Layers are multiplied with until their weights are more than a cache holds. A kernel replaces the
// one in use only if it takes a tenth less time: between close ones noise would choose, and each has last digits of its own.
const (
	measuredTokens = 128
	measuredBytes  = 64 << 20
	measuredPasses = 15
	measuredTime   = 500 * time.Millisecond // for each class of kernels, after two passes
	measuredGain   = 0.9
)

// MeasureKernels returns the fastest kernels for m's shapes on this CPU, starting from those in use: products of m's layers, of its head
// and, in bfloat16, attention, each with a row of 128 tokens, forward and for the gradient. It takes one to two seconds.
func (m *Model) MeasureKernels() (k torch.Kernels, err error) {
	k = torch.CurrentKernels()
	defer torch.SetKernels(k)
	err = torch.Run(func(s *torch.Scope) error {
		w, e := m.measured(s)
		libraries, types := torch.Available()
		half := m.DType() == torch.BFloat16
		var others []torch.Kernels
		for _, library := range libraries {
			other := torch.Kernels{Layers: library, Head: k.Head, BFloat16: k.BFloat16, Attention: k.Attention}
			if half {
				other.BFloat16 = "float32"
			}
			others = append(others, other)
		}
		if half && slices.Contains(types, "bfloat16") {
			others = append(others, torch.Kernels{Layers: k.Layers, Head: k.Head, BFloat16: "bfloat16", Attention: k.Attention})
		}
		k = fastest(s, k, others, w.products)
		if others = nil; !half || k.BFloat16 == "float32" {
			for _, library := range libraries {
				others = append(others, torch.Kernels{Layers: k.Layers, Head: library, BFloat16: k.BFloat16, Attention: k.Attention})
			}
		}
		k = fastest(s, k, others, []func(*torch.Scope){func(s *torch.Scope) { m.headProducts(s, e) }})
		if others = nil; half {
			for _, t := range types {
				others = append(others, torch.Kernels{Layers: k.Layers, Head: k.Head, BFloat16: k.BFloat16, Attention: t})
			}
		}
		k = fastest(s, k, others, w.attention)
		return nil
	})
	return k, err
}

// measured returns the work of the first layers on a row of random numbers, and what the head would multiply with [T, E].
func (m *Model) measured(s *torch.Scope) (*work, *torch.Tensor) {
	n := min(measuredTokens, int(m.MaxPositionEmbeddings))
	if m.Window > 0 {
		n = min(n, int(m.Window))
	}
	b := data.Pack([]data.Sample{{IDs: make([]int32, n), Labels: make([]int32, n)}}, []int{0})
	w := &work{m: m, s: s, batch: m.Upload(s, &b, nil), random: map[int64]*torch.Tensor{}}
	bytes := int64(0)
	for _, l := range m.Layers {
		w.layer(l, false)
		for _, sub := range l {
			for _, g := range sub.Branch.groups() {
				bytes += g.size() * m.DType().Size()
			}
		}
		if bytes >= measuredBytes {
			break
		}
	}
	return w, w.of(m.Head.Weight.Dim(1))
}

// fastest returns the kernels among now and others that do work in the least time, but now unless another gains measuredGain.
func fastest(s *torch.Scope, now torch.Kernels, others []torch.Kernels, work []func(*torch.Scope)) torch.Kernels {
	all := append([]torch.Kernels{now}, slices.DeleteFunc(others, func(k torch.Kernels) bool { return k == now })...)
	if len(all) == 1 {
		return now
	}
	least := make([]time.Duration, len(all))
	began := time.Now()
	for pass := 0; pass < 2 || pass < measuredPasses && time.Since(began) < measuredTime; pass++ {
		for i, k := range all {
			torch.SetKernels(k)
			start := time.Now()
			each(s, work)
			if took := time.Since(start); pass < 2 || took < least[i] { // the first pass loads kernels
				least[i] = took
			}
		}
	}
	best := slices.Index(least, slices.Min(least))
	if float64(least[best]) > measuredGain*float64(least[0]) {
		return now
	}
	return all[best]
}
