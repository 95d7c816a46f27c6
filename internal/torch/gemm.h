// Our own matrix product, where it is faster than libtorch's; see gemm.cpp.
#pragma once
#include "native.h"
#include "native_internal.h"

// C = alpha A B, plus C itself where add is given, else plus bias [N] in each row where that is not null: C [M, N],
// A [M, K], B [K, N], each of A and B also transposed in memory. False, and nothing done, where it is not for these: another
// type, device or processor, or too small.
bool gemm(const at::Tensor &c, const at::Tensor &a, const at::Tensor &b, const float *bias, bool add, double alpha);
