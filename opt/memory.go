package opt

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
		m.Watch(st, Size{int(b.IDs.Numel()), int(b.At.Numel()), len(b.Cum) - 1})
	}
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
func (m *Model) Predict(row Size) Bytes {
	t, n, e := int64(row.Tokens), int64(row.Labels), m.DType().Size()
	h, w := m.HiddenSize, m.WordEmbedProjDim
	var b Bytes
	lowest := max(m.lowestTrained(), 0)
	for i := lowest; i < len(m.layers); i++ {
		if m.Checkpoint {
			b.Activations += t*h*e + m.masks(i, t)
		} else {
			b.Activations += m.layerKeeps(i, t, i == lowest)
		}
	}
	b.Activations += t * h * e // the last layer's result
	rows := min(n, m.headRows())
	each := m.lossType().Size()
	if e < each {
		each += e // logits in the base's type beside float32
	}
	b.Head = rows*m.VocabSize*each + n*e*2*w
	if m.projOut != nil {
		b.Head += n * e * h
	}
	if lowest < len(m.layers) {
		b.Workspace = max(0, m.layerNeeds(lowest, t)-t*h*e-b.Head)
	}
	return b
}

// layerKeeps is what layer i keeps of T tokens without checkpointing: the fields of kept. The lowest layer
// that trains keeps its input, which the others compute from what lies below.
func (m *Model) layerKeeps(i int, t int64, lowest bool) int64 {
	l, e := &m.layers[i], m.DType().Size()
	h, f := m.HiddenSize, m.FFNDim
	wide := 3*h + h + 2*h // q, k, v, what attention made of them, both norms' inputs
	if l.qkv.trains() && (m.DoLayerNormBefore || lowest) {
		wide += h
	}
	if l.fc1.trains() {
		wide += h
	}
	if l.fc2.trains() {
		wide += f
	}
	if m.ActivationFunction == "gelu" {
		wide += f
	}
	n := t*wide*e + 4*t*(m.NumAttentionHeads+4) // and in float32 attention's log-sum-exp, mean and deviation of both norms
	if m.ActivationFunction != "gelu" {
		n += t * f / 8 * m.maskBits()
	}
	for _, g := range []*Group{l.qkv, l.out, l.fc1, l.fc2} {
		if g.Adapter != nil {
			n += g.Adapter.Keeps(t)
		}
	}
	return n + m.masks(i, t)
}

// layerNeeds is what the backward pass of a layer takes for a moment: the layer's gradient, and in the
// attention's half that of what attention made and those of q, k and v, in the other half that of fc2's
// input and a product; with what adapters need. Dropout's gradient stands beside the layer's.
func (m *Model) layerNeeds(i int, t int64) int64 {
	l, e := &m.layers[i], m.DType().Size()
	h, f := m.HiddenSize, m.FFNDim
	both := h
	if m.ModelDropout > 0 {
		both += h
	}
	needs := func(g *Group) int64 {
		if g.Adapter == nil {
			return 0
		}
		return g.Adapter.Needs(t)
	}
	attention := t*e*(both+4*h) + max(needs(l.qkv), needs(l.out), t*e*h)
	mlp := t*e*(both+f) + max(needs(l.fc1), needs(l.fc2), t*e*h)
	n := max(attention, mlp)
	if m.Checkpoint {
		n += m.layerKeeps(i, t, false)
	}
	return n
}

// masks is what layer i's dropout masks of T tokens take, its adapters' too.
func (m *Model) masks(i int, t int64) int64 {
	n := int64(0)
	if m.ModelDropout > 0 {
		n += 2 * t * m.HiddenSize / 8 * m.maskBits()
	}
	l := &m.layers[i]
	for _, g := range []*Group{l.qkv, l.out, l.fc1, l.fc2} {
		if g.Adapter != nil {
			n += g.Adapter.Masks(t) / 8 * m.maskBits()
		}
	}
	return n
}

// maskBits is what one element of a mask takes: a byte on CUDA.
func (m *Model) maskBits() int64 {
	if m.Device().CUDA() {
		return 8
	}
	return 1
}
