package opt

import (
	"lorabench/data"
	"lorabench/internal/torch"
)

// Batch is a micro-batch on the device: T tokens of B sequences, N of them with a label.
type Batch struct {
	torch.Sequences
	IDs       *torch.Tensor // [T] int64
	Positions *torch.Tensor // [T] int64, rows of embed_positions
	At        *torch.Tensor // [N] int64, the tokens that have a label
	Target    *torch.Tensor // [N] int64, the label of each one's next token; negative is none
	Weight    *torch.Tensor // [N] what each label counts in the loss
}

// Size is how much of each a Batch has.
type Size struct{ Tokens, Labels, Sequences int }

// SizeOf is a micro-batch's.
func SizeOf(b *data.Micro) Size { return Size{len(b.IDs), len(b.At), len(b.Records)} }

// host is what one copy to the device brings: IDs, positions, At, Target and cumulative lengths.
func (m *Model) host(b *data.Micro, z Size) (ints, cum []int64) {
	ints = make([]int64, 0, 2*z.Tokens+2*z.Labels+z.Sequences+1)
	fill := func(v []int64, n int, rest, plus int64) {
		for _, x := range v {
			ints = append(ints, x+plus)
		}
		for range n - len(v) {
			ints = append(ints, rest+plus)
		}
	}
	// What fills up are sequences of their own that nobody sees and that have no label.
	fill(b.IDs, z.Tokens, m.PadTokenID, 0)
	fill(b.Positions, z.Tokens, 0, positionOffset)
	fill(b.At, z.Labels, 0, 0)
	for _, i := range b.At {
		ints = append(ints, b.Targets[i])
	}
	for range z.Labels - len(b.At) {
		ints = append(ints, data.Ignore)
	}
	fill(b.Cum, z.Sequences+1, int64(z.Tokens), 0)
	return ints, ints[len(ints)-z.Sequences-1:]
}

// cut makes a Batch of the tensor that host's numbers are in.
func cut(s *torch.Scope, flat *torch.Tensor, z Size) *Batch {
	at := int64(0)
	next := func(n int) *torch.Tensor {
		at += int64(n)
		return s.Narrow(flat, 0, at-int64(n), int64(n))
	}
	b := &Batch{IDs: next(z.Tokens), Positions: next(z.Tokens), At: next(z.Labels), Target: next(z.Labels)}
	if flat.Device().CUDA() {
		b.OnDevice = s.Cast(next(z.Sequences+1), torch.Int32)
	}
	return b
}

// Upload checks a micro-batch against the model and copies it to the device, in one piece and without
// waiting. weights [N] is what each label counts; nil is 1. A token id or a position outside the
// model's tables is an error.
func (m *Model) Upload(s *torch.Scope, b *data.Micro, weights []float32) *Batch {
	m.checkInput(b)
	z := SizeOf(b)
	ints, cum := m.host(b, z)
	u := cut(s, s.FromInts(ints, m.Device()), z)
	u.Cum, u.Longest = cum, int64(b.Longest)
	if weights != nil {
		u.Weight = s.Cast(s.Send(s.FromFloats(weights, int64(len(weights))), m.Device()), m.lossType())
	}
	return u
}

// Fixed is a Batch whose tensors stay where they are, so that a CUDA graph can read one micro-batch
// after another from them. It has room for Size, one sequence of which takes what is left over.
type Fixed struct {
	Batch
	Room  Size
	model *Model
	flat  *torch.Tensor // all integers [2T + 2N + B + 1]
}

// NewFixed makes room for micro-batches of up to z.Tokens tokens, z.Labels labels and one sequence less
// than z.Sequences: what is left over is a sequence too, and like the others no longer than longest. s
// owns it.
func (m *Model) NewFixed(s *torch.Scope, z Size, longest int) *Fixed {
	f := &Fixed{Room: z, model: m}
	f.flat = s.Zeros(torch.Int64, m.Device(), int64(2*z.Tokens+2*z.Labels+z.Sequences+1))
	f.Batch = *cut(s, f.flat, z)
	f.Weight = s.Zeros(m.lossType(), m.Device(), int64(z.Labels))
	f.Longest = int64(longest)
	return f
}

// Fill puts a micro-batch that fits into the room; weights as for Upload.
func (f *Fixed) Fill(s *torch.Scope, b *data.Micro, weights []float32) {
	f.model.checkInput(b)
	z := SizeOf(b)
	if z.Tokens > f.Room.Tokens || z.Labels > f.Room.Labels || z.Sequences >= f.Room.Sequences || int64(max(b.Longest, f.Room.Tokens-z.Tokens)) > f.Longest {
		torch.Fail("fill", "a micro-batch of %+v, the longest sequence of %d tokens, does not fit into %+v of at most %d", z, b.Longest, f.Room, f.Longest)
	}
	ints, cum := f.model.host(b, f.Room)
	all := make([]float32, f.Room.Labels)
	copy(all, weights)
	torch.Copy(f.flat, s.FromInts(ints, f.flat.Device()))
	torch.Copy(f.Weight, s.Send(s.FromFloats(all, int64(len(all))), f.flat.Device()))
	if f.OnDevice != nil {
		torch.Copy(f.OnDevice, s.Narrow(f.flat, 0, f.flat.Numel()-int64(len(cum)), int64(len(cum))))
	}
	f.Cum = cum
}

// checkInput catches what libtorch would report without a name on the CPU, and on CUDA only by
// killing the device's context.
func (m *Model) checkInput(b *data.Micro) {
	for i, id := range b.IDs {
		if id < 0 || id >= m.VocabSize {
			torch.Fail("embedding", "token id %d at %d is outside the model's vocabulary of %d: does the tokenizer belong to this model?", id, i, m.VocabSize)
		}
		if p := b.Positions[i]; p < 0 || p >= m.MaxPositionEmbeddings {
			torch.Fail("embedding", "position %d is outside the model's max_position_embeddings of %d: use a smaller -max-length", p, m.MaxPositionEmbeddings)
		}
	}
}

// checkLabels refuses a micro-batch without a label: PyTorch's mean over nothing would be NaN and
// poison the run.
func checkLabels(b *data.Micro) {
	if len(b.At) == 0 {
		torch.Fail("cross_entropy", "records %v: a micro-batch without any label: with loss on the answer only, "+
			"-max-length cuts every answer of it away; raise -max-length or -batch", b.Records)
	}
}
