package decoder

import "lorabench/internal/torch"

// Embedding looks up rows of Tokens, projects them to the hidden size where their width differs, and adds rows of Positions where the
// model learns those.
type Embedding struct {
	Tokens    *torch.Tensor // [V, E]
	In        *Group        // [H, E]; nil where E is H
	Positions *torch.Tensor // [P, H]; nil with rotary positions
	Pad       int64         // the token whose row gets no gradient, as torch.nn.Embedding's padding_idx has it; negative is none

	tokensGrad, positionsGrad *torch.Tensor
}

type embeddingSaved struct{ x *torch.Tensor } // what In read [T, E]

// forward returns [T, H].
func (e *Embedding) forward(s *torch.Scope, b *Batch, train bool, k *Saved) *torch.Tensor {
	return s.Layer(func(s *torch.Scope) *torch.Tensor {
		x := s.IndexSelect(e.Tokens, 0, b.IDs) // [T, E]
		if e.In != nil {
			if !e.In.trains() {
				k = nil
			}
			k.Save(x)
			Record[embeddingSaved](k, e).x = x
			x = e.In.forward(s, x, train, k) // [T, H]
		}
		if e.Positions != nil {
			torch.AddIn(x, s.IndexSelect(e.Positions, 0, b.Positions))
		}
		return x
	})
}

// backward adds to the gradients of what is trained, from the result's d [T, H].
func (e *Embedding) backward(s *torch.Scope, b *Batch, d *torch.Tensor, k *Saved) {
	if e.positionsGrad != nil {
		torch.IndexAddIn(e.positionsGrad, b.Positions, d)
	}
	if e.In != nil {
		d = e.In.backward(s, Record[embeddingSaved](k, e).x, d, nil, e.tokensGrad != nil, k)
	}
	if e.tokensGrad != nil {
		if e.Pad >= 0 {
			torch.ZeroRowsIn(d, b.IDs, e.Pad)
		}
		torch.IndexAddIn(e.tokensGrad, b.IDs, d)
	}
}

// ClearPad makes the padding token's row 0.
func (e *Embedding) ClearPad(s *torch.Scope) {
	if e.Pad >= 0 {
		torch.ZeroIn(s.Narrow(e.Tokens, 0, e.Pad, 1))
	}
}

func (e *Embedding) trains() bool {
	return e.tokensGrad != nil || e.positionsGrad != nil || e.In != nil && e.In.trains()
}

// Head is a norm, where the model ends in one, a projection to the embedding's size, where that differs from the hidden size, and the
// scores of all tokens:
//
//	logits = Weight Out norm(x)    [L, H] to [L, E] to [L, V]
type Head struct {
	Norm   *Norm         // nil is none
	Out    *Group        // [E, H]; nil where E is H
	Weight *torch.Tensor // [V, E], the embedding's Tokens where they are tied

	weightGrad *torch.Tensor
}

// project returns what Weight is multiplied with: [L, E] of x [L, H].
func (h *Head) project(s *torch.Scope, x *torch.Tensor, train bool, k *Saved) *torch.Tensor {
	if h.Out == nil {
		return x
	}
	return h.Out.forward(s, x, train, k)
}

// loss adds the loss of x [L, H], the decoder's output at labelled tokens, to sum and returns the gradient of x; nil where nothing
// below trains.
func (h *Head) loss(s *torch.Scope, b *Batch, x, sum *torch.Tensor, wanted bool) *torch.Tensor {
	k := NewSaved()
	defer k.Free()
	y := x
	if h.Norm != nil {
		y = h.Norm.forward(s, x, k)
		s.Take(x) // freed with s: nothing reads it after the loss
	}
	through := wanted || h.Norm.trains()
	e := h.project(s, y, true, k)
	d := s.CrossEntropySum(e, h.Weight, b.Target, b.Weight, sum, h.weightGrad, through || h.Out != nil && h.Out.trains(), h.rows())
	if h.Out != nil && d != nil {
		d = h.Out.backward(s, y, d, nil, through, k)
	}
	if h.Norm != nil && through {
		d = h.Norm.backward(s, d, k)
	}
	if !wanted {
		return nil
	}
	return d
}

// chunk returns the bytes that one chunk of logits may use. On a CPU a chunk fits its caches together with half of the embeddings; on
// CUDA chunks are larger, so that the GPU has enough to do.
func chunk(on torch.Device) int64 {
	if on.CUDA() {
		return 256 << 20
	}
	return 32 << 20
}

// rows returns the number of labels in a chunk.
func (h *Head) rows() int64 {
	return max(16, chunk(h.Weight.Device())/(h.Weight.Dim(0)*lossType(h.Weight.DType()).Size()))
}

// bytes returns the memory that loss uses for n labels besides x: a chunk's logits and their gradient, and the gradients of its results.
func (h *Head) bytes(n, hidden int64) int64 {
	each, e, w := lossType(h.Weight.DType()).Size(), h.Weight.DType().Size(), h.Weight.Dim(1)
	if e < each {
		each += e // logits in the base's type beside float32
	}
	rows := min(n, h.rows())
	all := torch.Rounded(rows*h.Weight.Dim(0)*each, h.Weight.Device()) + n*e*w + rows*e*w
	if h.Out != nil {
		all += n * e * w
	}
	if h.Norm != nil {
		all += n * e * hidden
	}
	return all
}

// lossType returns the type that losses are summed in: float32, and float64 for a float64 model.
func lossType(d torch.DType) torch.DType {
	if d == torch.Float64 {
		return torch.Float64
	}
	return torch.Float32
}
