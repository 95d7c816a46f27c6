package opt

import "lorabench/internal/torch"

// Stage is how far Gradient has come with a row of tokens.
type Stage int

// The stages in their order: each is at its end but the first.
const (
	Started Stage = iota
	Forward
	Head
	Backward
)

func (m *Model) reached(st Stage, b *Batch) {
	if m.Watch != nil {
		m.Watch(st, Row{Size{int(b.IDs.Numel()), int(b.At.Numel()), len(b.Cum) - 1}, int(b.Sequences.Longest)})
	}
}

// Row is a Batch's size and the longest sequence that its attention is given.
type Row struct {
	Size
	Longest int
}

// Bytes is memory as a configuration predicts it.
type Bytes struct {
	Activations int64 // kept from the forward pass
	Head        int64 // needed by the head and the loss besides
	Workspace   int64 // needed by a layer's backward pass, if that is more than the head's
}

// Peak is the whole.
func (b Bytes) Peak() int64 { return b.Activations + b.Head + b.Workspace }

// WeightBytes is the model's weights' size.
func (m *Model) WeightBytes() int64 {
	all, _ := m.NumParameters()
	return all * m.DType().Size()
}

// Predict is what Gradient takes for a row of T tokens, N of them with a label, from shapes alone: the
// fields of kept, the head's chunk, and the widest of a layer's gradients.
func (m *Model) Predict(row Row) Bytes {
	t, n, e := int64(row.Tokens), int64(row.Labels), m.DType().Size()
	h, w := m.HiddenSize, m.WordEmbedProjDim
	var b Bytes
	lowest := max(m.lowestTrained(), 0)
	for i := lowest; i < len(m.layers); i++ {
		if m.Checkpoint {
			b.Activations += t*h*e + m.masks(i, row.Size)
		} else {
			b.Activations += m.layerKeeps(i, row, i == lowest)
		}
	}
	b.Activations += n * h * e // the last layer's result
	rows := min(n, m.headRows())
	each := m.lossType().Size()
	if e < each {
		each += e // logits in the base's type beside float32
	}
	b.Head = m.block(rows*m.VocabSize*each) + n*e*w + rows*e*w // the logits, the gradient, and a chunk of it
	if m.projOut != nil {
		b.Head += n * e * w
	}
	if m.finalNorm() {
		b.Head += n * e * h
	}
	if lowest < len(m.layers) {
		b.Workspace = max(0, m.layerNeeds(lowest, row)-t*h*e-b.Head)
	}
	return b
}

// tokens is how many a layer computes, and of how many it computes what comes after attention.
func (m *Model) tokens(i int, row Size) (t, n int64) {
	if i == len(m.layers)-1 {
		return int64(row.Tokens), int64(row.Labels)
	}
	return int64(row.Tokens), int64(row.Tokens)
}

// layerKeeps is what layer i keeps of a row without checkpointing: the fields of kept. The lowest layer
// that trains keeps its input, which the others compute from what lies below.
func (m *Model) layerKeeps(i int, row Row, lowest bool) int64 {
	l, e := &m.layers[i], m.DType().Size()
	h, f := m.HiddenSize, m.FFNDim
	t, n := m.tokens(i, row.Size)
	normed := n // what attnNorm normalizes
	if m.DoLayerNormBefore {
		normed = t
	}
	wide := t*h + normed*h + n*h // what attention made, both norms' inputs
	if l.qkv.trains() && (m.DoLayerNormBefore || lowest) {
		wide += t * h
	}
	if l.out.trains() && i == len(m.layers)-1 {
		wide += n * h
	}
	if l.fc1.trains() {
		wide += n * h
	}
	if l.fc2.trains() {
		wide += n * f
	}
	if m.ActivationFunction == "gelu" {
		wide += n * f
	}
	// And q, k and v in one tensor; in float32 attention's log-sum-exp, mean and deviation of both norms.
	all := wide*e + m.block(t*3*h*e) + 4*(m.logSumExp(row)+2*normed+2*n)
	if m.ActivationFunction != "gelu" {
		all += n * f / 8 * m.maskBits()
	}
	m.adapters(i, row.Size, func(a Adapter, tokens int64) { all += a.Keeps(tokens) })
	return all + m.masks(i, row.Size)
}

// logSumExp is the number of elements that attention keeps for its backward pass. The memory-efficient kernel on CUDA
// pads every sequence to the longest, and that to a multiple of 32.
func (m *Model) logSumExp(row Row) int64 {
	if torch.AttentionPads(m.embed, m.HeadDim()) {
		return int64(row.Sequences) * m.NumAttentionHeads * int64((row.Longest+31)/32*32)
	}
	return int64(row.Tokens) * m.NumAttentionHeads
}

// block is what PyTorch's caching allocator counts for n bytes of 10 MiB and more: it takes steps of 2 MiB from the driver
// and splits off only what is over 1 MiB. Smaller tensors share 20 MiB, of which up to 1 MiB goes to the last.
func (m *Model) block(n int64) int64 {
	if over := -n & (2<<20 - 1); m.Device().CUDA() && n >= 10<<20 && over <= 1<<20 {
		return n + over
	}
	return n
}

// adapters calls f with each adapter of layer i and the number of tokens it sees.
func (m *Model) adapters(i int, row Size, f func(a Adapter, tokens int64)) {
	l := &m.layers[i]
	t, n := m.tokens(i, row)
	if l.qkv.Adapter != nil {
		f(l.qkv.Adapter, t)
	}
	for _, g := range []*Group{l.out, l.fc1, l.fc2} {
		if g.Adapter != nil {
			f(g.Adapter, n)
		}
	}
}

// layerNeeds is what the backward pass of a layer takes for a moment: the layer's gradient, and in the
// attention's half that of what attention made and those of q, k and v, in the other half that of fc2's
// input and a product; with what adapters need. Dropout's gradient stands beside the layer's.
func (m *Model) layerNeeds(i int, row Row) int64 {
	l, e := &m.layers[i], m.DType().Size()
	h, f := m.HiddenSize, m.FFNDim
	t, n := m.tokens(i, row.Size)
	both := h
	if m.ModelDropout > 0 {
		both += h
	}
	needs := func(g *Group, tokens int64) int64 {
		if g.Adapter == nil {
			return 0
		}
		return g.Adapter.Needs(tokens)
	}
	attention := t*e*(both+4*h) + max(needs(l.qkv, t), needs(l.out, n), t*e*h)
	mlp := n*e*(both+f) + max(needs(l.fc1, n), needs(l.fc2, n), n*e*h)
	all := max(attention, mlp)
	if m.Checkpoint {
		all += m.layerKeeps(i, row, false)
	}
	return all
}

// masks is what layer i's dropout masks of a row take, its adapters' too.
func (m *Model) masks(i int, row Size) int64 {
	all := int64(0)
	if _, n := m.tokens(i, row); m.ModelDropout > 0 {
		all += 2 * n * m.HiddenSize / 8 * m.maskBits()
	}
	m.adapters(i, row, func(a Adapter, tokens int64) { all += a.Masks(tokens) / 8 * m.maskBits() })
	return all
}

// maskBits is what one element of a mask takes: a byte on CUDA.
func (m *Model) maskBits() int64 {
	if m.Device().CUDA() {
		return 8
	}
	return 1
}
