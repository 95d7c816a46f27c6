package torch

// #include "native.h"
import "C"

// OwnGEMM chooses who multiplies float32 matrices on this processor: lorabench's own kernel, which is the
// default and only there on AMD's with AVX2 and without AVX-512, or libtorch's libraries. It returns what
// was chosen before. Off is for comparing the two.
func OwnGEMM(on bool) bool { return C.lb_gemm(C.int(flag(on))) != 0 }

// HasOwnGEMM tells whether products go to lorabench's own kernel where it takes their shape.
func HasOwnGEMM() bool { return C.lb_gemm_available() != 0 }

// HasBFloat16 reports whether products of bfloat16 are faster than float32's: on CUDA, and on a CPU with
// instructions for them.
func (d Device) HasBFloat16() bool { return d.CUDA() || C.lb_bfloat16_available() != 0 }

// BFloat16Instructions switches a CPU's instructions for bfloat16 on, which is the default where there are any, or
// off, for tests of what other processors compute. It returns what was chosen before.
func BFloat16Instructions(on bool) bool { return C.lb_bfloat16(C.int(flag(on))) != 0 }
