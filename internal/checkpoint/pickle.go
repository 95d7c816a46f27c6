package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The values that unpickle makes, besides nil, bool, int64, float64 and string.
type (
	tuple []any
	list  struct{ items []any }
	// dict is a dict or an OrderedDict, in the order written.
	dict struct{ keys, values []any }
	// global is a class or function of the table globals, by its Python name.
	global string
)

// unpickler is an interpreter of Python pickles that runs no code: it knows the
// opcodes that torch.save emits for a state dict at protocols 2 to 5, and calls
// only the functions of reduce (Python's pickletools documents the opcodes).
//
// gotch's pickle package was refused: it panics on input it does not know and
// prints to standard output.
//
// Memory is bounded by the length of the input: each opcode makes a constant
// number of values, and strings are no longer than their bytes in the input.
type unpickler struct {
	data  []byte
	pos   int
	stack []any
	marks []int // lengths of stack at the MARKs
	memo  map[uint32]any
	err   error // the first; later opcodes are not run
}

// unpickle returns the object that data holds.
func unpickle(data []byte) (any, error) {
	u := &unpickler{data: data, memo: map[uint32]any{}}
	for u.err == nil {
		at := u.pos
		op := u.byte()
		if u.err == nil && op == '.' {
			if v := u.pop(); u.err == nil {
				return v, nil
			}
		}
		if u.err == nil {
			u.step(op)
		}
		if u.err != nil {
			u.err = fmt.Errorf("pickle, byte %d: %w", at, u.err)
		}
	}
	return nil, u.err
}

// step runs one opcode.
func (u *unpickler) step(op byte) {
	switch op {
	case 0x80: // PROTO
		if v := u.byte(); u.err == nil && (v < 2 || v > 5) {
			u.err = fmt.Errorf("protocol %d; only 2 to 5 are read", v)
		}
	case 0x95: // FRAME, a hint for buffering
		u.take(8)
	case 'q': // BINPUT
		u.put(uint32(u.uint(1)))
	case 'r': // LONG_BINPUT
		u.put(uint32(u.uint(4)))
	case 0x94: // MEMOIZE
		u.put(uint32(len(u.memo)))
	case 'h': // BINGET
		u.get(uint32(u.uint(1)))
	case 'j': // LONG_BINGET
		u.get(uint32(u.uint(4)))
	case 'c': // GLOBAL
		module := u.line()
		u.global(module, u.line())
	case 0x93: // STACK_GLOBAL
		u.stackGlobal(u.popN(2))
	case 'Q': // BINPERSID
		if id := u.pop(); u.err == nil {
			u.result(newStorageRef(id))
		}
	case 'R': // REDUCE
		if v := u.popN(2); u.err == nil {
			u.result(reduce(v[0], v[1]))
		}
	case 'b': // BUILD
		u.build()
	default:
		if !u.scalar(op) && !u.container(op) {
			u.err = fmt.Errorf("opcode 0x%02x, which torch.save does not write for a state dict", op)
		}
	}
}

// scalar runs op if it pushes a value of its own, and reports whether it does.
func (u *unpickler) scalar(op byte) bool {
	switch op {
	case 'N':
		u.push(nil)
	case 0x88, 0x89:
		u.push(op == 0x88)
	case 'K':
		u.push(int64(u.byte()))
	case 'M':
		u.push(int64(u.uint(2)))
	case 'J':
		u.push(int64(int32(u.uint(4))))
	case 0x8a: // LONG1
		u.push(u.long(int(u.byte())))
	case 'G': // BINFLOAT, big endian
		if b := u.take(8); u.err == nil {
			u.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
		}
	case 0x8c: // SHORT_BINUNICODE
		u.push(u.text(u.uint(1)))
	case 'X': // BINUNICODE
		u.push(u.text(u.uint(4)))
	case 0x8d: // BINUNICODE8
		u.push(u.text(u.uint(8)))
	default:
		return false
	}
	return true
}

// container runs op if it makes or fills a dict, list or tuple, and reports whether it does.
func (u *unpickler) container(op byte) bool {
	switch op {
	case '}':
		u.push(&dict{})
	case ']':
		u.push(&list{})
	case ')':
		u.push(tuple{})
	case '(':
		u.marks = append(u.marks, len(u.stack))
	case 't':
		u.push(tuple(u.popMark()))
	case 0x85, 0x86, 0x87: // TUPLE1 to TUPLE3
		u.push(tuple(u.popN(int(op) - 0x84)))
	case 's': // SETITEM
		u.setItems(u.popN(2))
	case 'u': // SETITEMS
		u.setItems(u.popMark())
	case 'a': // APPEND
		u.extend(u.popN(1))
	case 'e': // APPENDS
		u.extend(u.popMark())
	default:
		return false
	}
	return true
}

// stackGlobal runs STACK_GLOBAL on two names.
func (u *unpickler) stackGlobal(names []any) {
	if u.err != nil {
		return
	}
	module, ok := names[0].(string)
	name, ok2 := names[1].(string)
	if !ok || !ok2 {
		u.err = fmt.Errorf("STACK_GLOBAL of %s and %s, not of two names", typeName(names[0]), typeName(names[1]))
		return
	}
	u.global(module, name)
}

// build drops the attributes set on a dict: nn.Module.state_dict hangs its
// _metadata, the modules' versions, on the OrderedDict.
func (u *unpickler) build() {
	if u.pop(); u.err != nil {
		return
	}
	v := u.pop()
	if _, ok := v.(*dict); u.err == nil && !ok {
		u.err = fmt.Errorf("BUILD sets attributes of %s; only those of a dict are expected", typeName(v))
	}
	u.push(v)
}

func (u *unpickler) setItems(items []any) {
	d, ok := u.top().(*dict)
	switch {
	case u.err != nil:
	case !ok:
		u.err = fmt.Errorf("SETITEMS on %s, not a dict", typeName(u.top()))
	case len(items)%2 != 0:
		u.err = errors.New("SETITEMS with a key that has no value")
	default:
		for i := 0; i < len(items); i += 2 {
			d.keys = append(d.keys, items[i])
			d.values = append(d.values, items[i+1])
		}
	}
}

func (u *unpickler) extend(items []any) {
	l, ok := u.top().(*list)
	switch {
	case u.err != nil:
	case !ok:
		u.err = fmt.Errorf("APPENDS to %s, not a list", typeName(u.top()))
	default:
		l.items = append(l.items, items...)
	}
}

func (u *unpickler) global(module, name string) {
	if u.err != nil {
		return
	}
	g := global(module + "." + name)
	if !known(g) {
		u.err = fmt.Errorf("the file names %q, which a plain state dict of tensors does not need and which is never run; "+
			"in Python, save only the tensors: torch.save({k: v.cpu() for k, v in model.state_dict().items()}, path), or use safetensors", string(g))
		return
	}
	u.push(g)
}

func (u *unpickler) result(v any, err error) {
	if err != nil {
		u.err = err
		return
	}
	u.push(v)
}

// typeName returns what an error calls a value, with its article. Values themselves are not printed: a
// forged pickle can nest them without end.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64:
		return "an int"
	case float64:
		return "a float"
	case string:
		return "a str"
	case tuple:
		return "a tuple"
	case *list:
		return "a list"
	case *dict:
		return "a dict"
	case global:
		return "a class or function"
	case storageRef:
		return "a storage"
	case *tensorRef:
		return "a tensor"
	}
	return fmt.Sprintf("%T", v)
}
