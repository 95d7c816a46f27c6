package decoder

import (
	"lorabench/data"
	"lorabench/internal/torch"
)

// Batch is a micro-batch on the device: T tokens of B sequences, L of them with a label.
type Batch struct {
	torch.Sequences
	IDs        *torch.Tensor // [T] int64
	Positions  *torch.Tensor // [T] int64, rows of the positions' table
	LabelIndex *torch.Tensor // [L] int64, the tokens that have a label
	Target     *torch.Tensor // [L] int64, the label of each one's next token; negative is none
	Weight     *torch.Tensor // [L] each label's weight in the loss

	frequencies *torch.Tensor // [D/2] float32, of rotary positions; nil without
}

// Size counts a batch's tokens, labels and sequences.
type Size struct{ Tokens, Labels, Sequences int }

// SizeOf returns the size of b.
func SizeOf(b *data.MicroBatch) Size { return Size{len(b.IDs), len(b.LabelIndex), len(b.Records)} }

// numbers counts what fill writes for a batch of size z.
func (m *Model) numbers(z Size) torch.Numbers {
	return torch.Numbers{Int64: 2*z.Tokens + 2*z.Labels, Int32: z.Sequences + 1, Float32: z.Labels + len(m.Rotary.frequencies())}
}

// fill packs b into u, so that one copy uploads it: token ids [T], positions [T], label indexes [L], targets [L], cumulative
// lengths [B+1], weights [L], and the rotary frequencies. Each is padded to z: the tokens that pad form a sequence of their
// own, which has no label. fill returns the cumulative lengths for the host.
func (m *Model) fill(u *torch.Upload, b *data.MicroBatch, weights []float32, z Size) (cum []int64) {
	ints := u.Int64
	put := func(n int, v []int64, plus, rest int64) {
		for i, x := range v {
			ints[i] = x + plus
		}
		for i := len(v); i < n; i++ {
			ints[i] = rest
		}
		ints = ints[n:]
	}
	put(z.Tokens, b.IDs, 0, max(0, m.Embedding.Pad))
	put(z.Tokens, b.Positions, m.PositionOffset, m.PositionOffset)
	put(z.Labels, b.LabelIndex, 0, 0)
	for i := range z.Labels {
		ints[i] = data.Ignore
		if i < len(b.LabelIndex) {
			ints[i] = b.Targets[b.LabelIndex[i]]
		}
	}
	cum = make([]int64, z.Sequences+1)
	for i := range cum {
		if cum[i] = int64(z.Tokens); i < len(b.CuSeqlens) {
			cum[i] = b.CuSeqlens[i]
		}
		u.Int32[i] = int32(cum[i])
	}
	copy(u.Float32[z.Labels:], m.Rotary.frequencies())
	for i := range z.Labels {
		switch {
		case i >= len(b.LabelIndex):
			u.Float32[i] = 0
		case weights == nil:
			u.Float32[i] = 1
		default:
			u.Float32[i] = weights[i]
		}
	}
	return cum
}

// cut returns a Batch of views into flat, the tensor that fill's numbers were copied to.
func (m *Model) cut(s *torch.Scope, flat *torch.Tensor, z Size) *Batch {
	ints, cum, floats := s.Unpack(flat, m.numbers(z))
	at := int64(0)
	next := func(n int) *torch.Tensor {
		at += int64(n)
		return s.Narrow(ints, 0, at-int64(n), int64(n))
	}
	b := &Batch{IDs: next(z.Tokens), Positions: next(z.Tokens), LabelIndex: next(z.Labels), Target: next(z.Labels)}
	b.Weight = s.Cast(s.Narrow(floats, 0, 0, int64(z.Labels)), lossType(m.DType()))
	if n := int64(len(m.Rotary.frequencies())); n > 0 {
		b.frequencies = s.Narrow(floats, 0, int64(z.Labels), n)
	}
	if flat.Device().CUDA() {
		b.OnDevice = cum
	}
	return b
}

// Upload checks a micro-batch against the model and copies it to the device, in one piece and without
// waiting. weights [L] are the labels' weights in the loss; nil is 1. A token id or a position outside the
// model's tables is an error.
func (m *Model) Upload(s *torch.Scope, b *data.MicroBatch, weights []float32) *Batch {
	m.CheckInput(b)
	z := SizeOf(b)
	u := s.NewUpload(m.numbers(z), m.Device())
	cum := m.fill(u, b, weights, z)
	batch := m.cut(s, u.Send(s), z)
	batch.CuSeqlens, batch.MaxSeqlen = cum, int64(b.MaxSeqlen)
	return batch
}

// Bucket is a Batch whose tensors stay at one address, so that a CUDA graph can read one micro-batch
// after another from them. It holds batches of up to Size; one of its sequences is the padding.
type Bucket struct {
	Batch
	Size   Size
	model  *Model
	flat   *torch.Tensor // what fill wrote, as bytes
	weight *torch.Tensor // the float32 view of it, which Weight is unless the model is of float64
	sealed bool
}

// NewBucket makes a Bucket for micro-batches of up to z.Tokens tokens, z.Labels labels and z.Sequences-1
// sequences: the padding is a sequence too. s owns it.
func (m *Model) NewBucket(s *torch.Scope, z Size) *Bucket {
	f := &Bucket{Size: z, model: m}
	u := s.NewUpload(m.numbers(z), m.Device())
	m.fill(u, &data.MicroBatch{CuSeqlens: []int64{0}}, nil, z)
	f.flat = u.Send(s)
	f.Batch = *m.cut(s, f.flat, z)
	_, _, floats := s.Unpack(f.flat, m.numbers(z))
	f.weight = s.Narrow(floats, 0, 0, int64(z.Labels))
	return f
}

// Seal fixes MaxSeqlen at the most that any Fill so far needed. A graph that is recorded now keeps its launches,
// and the attention kernel's grid and workspace grow with MaxSeqlen.
func (f *Bucket) Seal() { f.sealed = true }

// Fits reports whether b fits into f.
func (f *Bucket) Fits(b *data.MicroBatch) bool {
	z := SizeOf(b)
	return z.Tokens <= f.Size.Tokens && z.Labels <= f.Size.Labels && z.Sequences < f.Size.Sequences && (!f.sealed || f.longest(b) <= f.MaxSeqlen)
}

// longest returns the tokens of the longest sequence, the padding included.
func (f *Bucket) longest(b *data.MicroBatch) int64 {
	return int64(max(b.MaxSeqlen, f.Size.Tokens-len(b.IDs)))
}

// Fill copies a micro-batch that fits to the device without waiting; weights as for Upload.
func (f *Bucket) Fill(s *torch.Scope, b *data.MicroBatch, weights []float32) {
	f.model.CheckInput(b)
	if !f.Fits(b) {
		torch.Fail("fill", "a micro-batch of %+v, the longest sequence of %d tokens, does not fit into %+v of at most %d", SizeOf(b), f.longest(b), f.Size, f.MaxSeqlen)
	}
	u := s.NewUpload(f.model.numbers(f.Size), f.flat.Device())
	f.CuSeqlens = f.model.fill(u, b, weights, f.Size)
	u.SendTo(f.flat)
	if f.Weight.DType() != torch.Float32 {
		torch.Copy(f.Weight, f.weight)
	}
	if !f.sealed {
		f.MaxSeqlen = max(f.MaxSeqlen, f.longest(b))
	}
}

// CheckInput fails, as an operation does, where a token id or a position is outside the model's tables: libtorch
// would report that without a name on the CPU, and on CUDA only by killing the device's context.
func (m *Model) CheckInput(b *data.MicroBatch) {
	if m.Window > 0 && int64(b.MaxSeqlen) > m.Window {
		torch.Fail("attention", "a sequence of %d tokens is longer than the model's sliding_window of %d, which is not supported: use -max-length=%d",
			b.MaxSeqlen, m.Window, m.Window)
	}
	for i, id := range b.IDs {
		if id < 0 || id >= m.VocabSize {
			torch.Fail("embedding", "token id %d at %d is outside the model's vocabulary of %d: does the tokenizer belong to this model?", id, i, m.VocabSize)
		}
		if p := b.Positions[i]; p < 0 || p >= m.MaxPositionEmbeddings {
			torch.Fail("embedding", "position %d is outside the model's max_position_embeddings of %d: use a smaller -max-length", p, m.MaxPositionEmbeddings)
		}
	}
}
