package torch

// int lb_allow_tf32(int on);
import "C"

// AllowTF32 lets matrix products of float32 tensors round their factors to TF32, with 10 bits of
// mantissa instead of 23, on CUDA devices from Ampere on, and returns what was allowed before. The
// tensors stay float32 and sums are kept in float32. PyTorch's default, and so the peer's, is off,
// unless the environment has TORCH_ALLOW_TF32_CUBLAS_OVERRIDE=1; a CPU is not affected. A graph keeps
// what was allowed when it was recorded.
func AllowTF32(on bool) bool { return C.lb_allow_tf32(C.int(flag(on))) != 0 }
