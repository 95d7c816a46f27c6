package checkpoint

import "fmt"

// storageRef is a persistent id of torch.save: elements kept in an entry of
// the archive.
type storageRef struct {
	key   string // of the entry data/<key>
	dtype DType
	count int64 // elements
}

// tensorRef holds the arguments of torch._utils._rebuild_tensor_v2: a view of a
// storage. offset and stride count elements.
type tensorRef struct {
	storage storageRef
	offset  int64
	shape   []int64
	stride  []int64
}

// maxDims is numpy's limit, which no weight comes near.
const maxDims = 64

const (
	orderedDict      global = "collections.OrderedDict"
	rebuildTensor    global = "torch._utils._rebuild_tensor_v2"
	rebuildParameter global = "torch._utils._rebuild_parameter"
)

// storageTypes maps torch's storage classes to their element types.
var storageTypes = map[global]DType{
	"torch.FloatStorage":    F32,
	"torch.HalfStorage":     F16,
	"torch.BFloat16Storage": BF16,
	"torch.DoubleStorage":   F64,
	"torch.LongStorage":     I64,
	"torch.IntStorage":      I32,
	"torch.ShortStorage":    I16,
	"torch.CharStorage":     I8,
	"torch.ByteStorage":     U8,
	"torch.BoolStorage":     Bool,
}

// known reports whether a pickle may name g.
func known(g global) bool {
	switch g {
	case orderedDict, rebuildTensor, rebuildParameter:
		return true
	}
	_, ok := storageTypes[g]
	return ok
}

// newStorageRef reads a persistent id:
// ("storage", class, key, location, number of elements).
func newStorageRef(id any) (any, error) {
	t, _ := id.(tuple)
	if len(t) != 5 || t[0] != "storage" {
		return nil, fmt.Errorf("a persistent id that is not a torch storage's")
	}
	class, _ := t[1].(global)
	dtype, ok := storageTypes[class]
	if !ok {
		return nil, fmt.Errorf("a storage of %q, which is not a torch storage class", string(class))
	}
	key, ok := t[2].(string)
	if !ok {
		return nil, fmt.Errorf("a storage's key is %s, not a str", typeName(t[2]))
	}
	count, ok := t[4].(int64)
	if !ok || count < 0 {
		return nil, fmt.Errorf("storage %q has a size that is %s, not a natural number", key, typeName(t[4]))
	}
	return storageRef{key: key, dtype: dtype, count: count}, nil
}

// reduce calls one of the functions a pickle may name.
func reduce(function, arguments any) (any, error) {
	args, ok := arguments.(tuple)
	if !ok {
		return nil, fmt.Errorf("arguments that are %s, not a tuple", typeName(arguments))
	}
	name, ok := function.(global)
	if !ok {
		return nil, fmt.Errorf("a call of %s", typeName(function))
	}
	switch name {
	case orderedDict:
		if len(args) != 0 {
			return nil, fmt.Errorf("%s called with %d arguments, not none", name, len(args))
		}
		return &dict{}, nil
	case rebuildParameter: // data, requires_grad, backward_hooks
		if len(args) == 3 {
			if t, ok := args[0].(*tensorRef); ok {
				return t, nil
			}
		}
		return nil, fmt.Errorf("%s called with other arguments than a tensor, a bool and hooks", name)
	case rebuildTensor:
		t, err := newTensorRef(args)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return t, nil
	}
	return nil, fmt.Errorf("%s is called, which a state dict does not do", name)
}

// newTensorRef reads (storage, storage_offset, size, stride, requires_grad,
// backward_hooks, metadata); metadata may be missing.
func newTensorRef(args tuple) (*tensorRef, error) {
	if len(args) != 6 && len(args) != 7 {
		return nil, fmt.Errorf("%d arguments, not 6 or 7", len(args))
	}
	storage, ok := args[0].(storageRef)
	if !ok {
		return nil, fmt.Errorf("%s in the place of a storage", typeName(args[0]))
	}
	offset, ok := args[1].(int64)
	if !ok || offset < 0 {
		return nil, fmt.Errorf("a storage offset that is %s, not a natural number", typeName(args[1]))
	}
	shape, err := naturals(args[2])
	if err != nil {
		return nil, fmt.Errorf("size: %w", err)
	}
	stride, err := naturals(args[3])
	if err != nil {
		return nil, fmt.Errorf("stride: %w", err)
	}
	if len(shape) > maxDims {
		return nil, fmt.Errorf("%d dimensions; at most %d are read", len(shape), maxDims)
	}
	if len(shape) != len(stride) {
		return nil, fmt.Errorf("%d sizes but %d strides", len(shape), len(stride))
	}
	if len(args) == 7 {
		// A lazy conjugate or negation: the storage does not hold the values.
		if d, ok := args[6].(*dict); args[6] != nil && (!ok || len(d.keys) > 0) {
			return nil, fmt.Errorf("a tensor with a lazy operation on it; save tensor.resolve_conj().resolve_neg()")
		}
	}
	return &tensorRef{storage: storage, offset: offset, shape: shape, stride: stride}, nil
}

func naturals(v any) ([]int64, error) {
	t, ok := v.(tuple)
	if !ok {
		return nil, fmt.Errorf("%s, not a tuple", typeName(v))
	}
	ns := make([]int64, len(t))
	for i, item := range t {
		n, ok := item.(int64)
		if !ok {
			return nil, fmt.Errorf("item %d is %s, not an int", i, typeName(item))
		}
		if n < 0 {
			return nil, fmt.Errorf("item %d is %d; it must not be negative", i, n)
		}
		ns[i] = n
	}
	return ns, nil
}

// stateDict returns the tensors of an unpickled state dict, or of
// {"state_dict": state dict}, as Lightning and others wrap it.
func stateDict(v any) (map[string]*tensorRef, error) {
	const todo = "; in Python, save only the tensors: torch.save(model.state_dict(), path)"
	d, ok := v.(*dict)
	if !ok {
		return nil, fmt.Errorf("the file holds %s, not a dict of tensors"+todo, typeName(v))
	}
	if len(d.keys) == 1 && d.keys[0] == "state_dict" {
		if inner, ok := d.values[0].(*dict); ok {
			d = inner
		}
	}
	tensors := make(map[string]*tensorRef, len(d.keys))
	for i, key := range d.keys {
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("key number %d of the dict is %s, not the name of a tensor"+todo, i, typeName(key))
		}
		if _, ok := tensors[name]; ok {
			return nil, fmt.Errorf("tensor %q is in the dict twice", name)
		}
		if tensors[name], ok = d.values[i].(*tensorRef); !ok {
			if _, ok := d.values[i].(*dict); ok {
				return nil, fmt.Errorf("key %q holds a dict, not a tensor; if that is the weights, save it alone in Python: torch.save(torch.load(path)[%q], new_path)", name, name)
			}
			return nil, fmt.Errorf("key %q holds %s, not a tensor"+todo, name, typeName(d.values[i]))
		}
	}
	return tensors, nil
}
