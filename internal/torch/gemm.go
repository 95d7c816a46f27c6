package torch

// #include "native.h"
import "C"

// OwnGEMM chooses who multiplies float32 matrices on this processor: lorabench's own kernel, which is the
// default and only there on AMD's with AVX2 and without AVX-512, or libtorch's libraries. It returns what
// was chosen before. Off is for comparing the two.
func OwnGEMM(on bool) bool { return C.lb_gemm(C.int(flag(on))) != 0 }

// HasOwnGEMM tells whether products go to lorabench's own kernel where it takes their shape.
func HasOwnGEMM() bool { return C.lb_gemm_available() != 0 }
