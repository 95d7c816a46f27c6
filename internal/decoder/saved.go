package decoder

import "lorabench/internal/torch"

// Saved holds what the parts of a layer keep for their backward passes, as autograd's ctx does; frozen parts keep only what the
// gradient of their input needs. It owns the tensors it is given. A nil Saved keeps nothing, for a forward pass without a backward one.
type Saved struct {
	values *torch.Scope // can be computed again: checkpointing frees these
	random *torch.Scope // masks, which cannot be drawn twice; with checkpointing the layer's input too
	parts  map[any]any
	input  *torch.Tensor // the layer's input [T, H]; only with checkpointing
}

// NewSaved returns an empty Saved. Free it after the backward pass.
func NewSaved() *Saved {
	return &Saved{values: torch.NewScope(), random: torch.NewScope(), parts: map[any]any{}}
}

// Record returns the record of type T that part has in k, made at the first call: it names the part's saved tensors.
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

// Save takes over tensors that backward reads from the scope that owns them.
func (k *Saved) Save(ts ...*torch.Tensor) {
	if k == nil {
		return
	}
	for _, t := range ts {
		k.values.Take(t)
	}
}

// SaveRandom is Save for tensors that cannot be computed again.
func (k *Saved) SaveRandom(t *torch.Tensor) {
	if k != nil {
		k.random.Take(t)
	}
}

// has reports whether backward can still read t.
func (k *Saved) has(t *torch.Tensor) bool { return t != nil && k.values.Owns(t) }

// keepInput keeps a layer's input and frees what can be computed from it.
func (k *Saved) keepInput(x *torch.Tensor) {
	k.input = x
	k.random.Take(x)
	k.values.Free()
}

// bytes returns the size of the saved tensors.
func (k *Saved) bytes() int64 {
	if k == nil {
		return 0
	}
	return k.values.Held() + k.random.Held()
}

// Free frees the saved tensors.
func (k *Saved) Free() {
	if k != nil {
		k.values.Free()
		k.random.Free()
	}
}
