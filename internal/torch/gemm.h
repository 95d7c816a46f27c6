// Our own matrix product, where it is faster than libtorch's; see gemm.cpp.
#pragma once
#include "native.h"
#include "native_internal.h"

// The libraries that multiply on a CPU.
enum Product : int { Own = 0, OneDNN = 1, LibTorch = 2 };

// Which library computes what; lb_kernels sets it. Factors in bfloat16 are widened to float32 unless bfloat16_products is set, and
// q, k and v unless bfloat16_attention is.
struct Kernels {
  Product layers, head;
  bool bfloat16_products, bfloat16_attention;
};
Kernels &chosen();

// x W^T + b by a library, in x's type; see matmul.cpp.
at::Tensor product(const at::Tensor &x, const at::Tensor &w, const std::optional<at::Tensor> &b, Product by);

// Reports whether gemm is to multiply such factors with a layer's weights.
bool by_own(const at::Tensor &x);

// Reports whether this processor has what gemm is compiled for.
bool gemm_available();

// C = alpha A B, plus C itself where add is given, else plus bias [N] in each row where that is not null: C [M, N],
// A [M, K], B [K, N], each of A and B also transposed in memory. False, and nothing done, where it is not for these: another
// type, device or processor, or too small.
bool gemm(const at::Tensor &c, const at::Tensor &a, const at::Tensor &b, const float *bias, bool add, double alpha);
