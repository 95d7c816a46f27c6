package torch

// #include "native.h"
import "C"

import (
	"fmt"
	"slices"
	"strings"
)

// Kernels names what computes on a CPU where several libraries can. They differ in speed, and in the last digits. Layers
// and Head are own, onednn or libtorch, BFloat16 and Attention float32 or bfloat16.
type Kernels struct {
	Layers    string // products with weights of layers and adapters
	Head      string // products with the head's weight
	BFloat16  string // what products of bfloat16 are computed in: its instructions, or float32 by Layers and Head
	Attention string // what attention of bfloat16 is computed in
}

// The libraries that multiply: lorabench's own kernel, for processors with AVX2; oneDNN for large products and libtorch's choice
// for others; and libtorch's choice alone, which is MKL's or OpenBLAS's.
const (
	Own      = "own"
	OneDNN   = "onednn"
	LibTorch = "libtorch"
)

var (
	libraries = []string{Own, OneDNN, LibTorch}
	types     = []string{"float32", "bfloat16"}
)

// Available returns what this processor has: libraries for Layers and Head, types for BFloat16 and Attention.
func Available() (libraries, types []string) {
	k := C.lb_kernels_available()
	if k.layers != 0 {
		libraries = append(libraries, Own)
	}
	if k.head != 0 {
		libraries = append(libraries, OneDNN)
	}
	libraries, types = append(libraries, LibTorch), []string{"float32"}
	if k.bfloat16_products != 0 {
		types = append(types, "bfloat16")
	}
	return libraries, types
}

// SetKernels changes what computes on the CPU, in all threads, and returns what did before. It must not be called during an operation.
func SetKernels(k Kernels) (before Kernels) {
	index := func(names []string, name string) C.int { return C.int(max(0, slices.Index(names, name))) }
	was := C.lb_kernels_set(C.struct_lb_kernels{layers: index(libraries, k.Layers), head: index(libraries, k.Head),
		bfloat16_products: index(types, k.BFloat16), bfloat16_attention: index(types, k.Attention)})
	return Kernels{libraries[was.layers], libraries[was.head], types[was.bfloat16_products], types[was.bfloat16_attention]}
}

// CurrentKernels returns what computes now.
func CurrentKernels() Kernels {
	k := SetKernels(Kernels{})
	SetKernels(k)
	return k
}

// fields lists the fields by their names in text.
func (k *Kernels) fields() (names []string, values []*string) {
	return []string{"layers", "head", "bf16", "attention"}, []*string{&k.Layers, &k.Head, &k.BFloat16, &k.Attention}
}

// String returns the text that [ParseKernels] reads, e.g. layers=own,head=own,bf16=float32,attention=float32.
func (k Kernels) String() string {
	var parts []string
	names, values := k.fields()
	for i, v := range values {
		parts = append(parts, names[i]+"="+*v)
	}
	return strings.Join(parts, ",")
}

// ParseKernels returns current with what text changes: name=value parts separated by commas. A name that does not exist, or a value that
// this processor does not have, is an error.
func ParseKernels(text string, current Kernels) (Kernels, error) {
	k := current
	names, values := k.fields()
	libraries, types := Available()
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(part, "=")
		i := slices.Index(names, name)
		if i < 0 {
			return current, fmt.Errorf("%q: want %s, each with = and a value", part, strings.Join(names, ", "))
		}
		has := libraries
		if values[i] == &k.BFloat16 || values[i] == &k.Attention {
			has = types
		}
		if !slices.Contains(has, value) {
			return current, fmt.Errorf("%s is %q: this processor has %s", name, value, strings.Join(has, ", "))
		}
		*values[i] = value
	}
	return k, nil
}

// HasBFloat16 reports whether the device has instructions for products of bfloat16.
func (d Device) HasBFloat16() bool {
	return d.CUDA() || C.lb_kernels_available().bfloat16_products != 0
}
