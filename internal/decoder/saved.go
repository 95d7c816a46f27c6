package decoder

import "lorabench/internal/torch"

// Saved is what the parts of a layer keep of its forward pass for its backward pass, as autograd's ctx does, and of frozen
// parts only what the gradient of their input needs. It owns what it is given. A nil Saved keeps nothing: there will be no backward pass.
type Saved struct {
	values *torch.Scope // can be computed again: checkpointing frees it
	random *torch.Scope // masks, which drawn again would be others; and with checkpointing the layer's input
	parts  map[any]any
	input  *torch.Tensor // the layer's input [T, H]; only with checkpointing
}

// NewSaved keeps until Free.
func NewSaved() *Saved {
	return &Saved{values: torch.NewScope(), random: torch.NewScope(), parts: map[any]any{}}
}

// Record returns a part's own record in k, made at the first call: which of its tensors are saved, by name.
func Record[T any](k *Saved, part any) *T {
	if k == nil {
		return new(T)
	}
	r, ok := k.parts[part].(*T)
	if !ok {
		r = new(T)
		k.parts[part] = r
	}
	return r
}

// Save takes tensors that backward reads, whoever owned them.
func (k *Saved) Save(ts ...*torch.Tensor) {
	if k == nil {
		return
	}
	for _, t := range ts {
		k.values.Take(t)
	}
}

// SaveRandom is Save for what cannot be computed again.
func (k *Saved) SaveRandom(t *torch.Tensor) {
	if k != nil {
		k.random.Take(t)
	}
}

// has reports whether backward can still read t.
func (k *Saved) has(t *torch.Tensor) bool { return t != nil && k.values.Owns(t) }

// keepInput keeps a layer's input in place of all that can be computed from it.
func (k *Saved) keepInput(x *torch.Tensor) {
	k.input = x
	k.random.Take(x)
	k.values.Free()
}

// bytes is what is saved; 0 of nil.
func (k *Saved) bytes() int64 {
	if k == nil {
		return 0
	}
	return k.values.Held() + k.random.Held()
}

// Free frees everything; nil has nothing.
func (k *Saved) Free() {
	if k != nil {
		k.values.Free()
		k.random.Free()
	}
}
