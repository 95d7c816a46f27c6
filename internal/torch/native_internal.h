// What the C++ files of this folder share.
#pragma once
#include <ATen/ATen.h>
#include <string.h>

#include <exception>

inline at::Tensor &T(void *p) { return *static_cast<at::Tensor *>(p); }
inline void *made(at::Tensor t) { return new at::Tensor(std::move(t)); }

// x in float32 where it is bfloat16 on a CPU and not native, else x itself. On a CPU without instructions for bfloat16 libtorch
// multiplies such numbers one by one, over forty times slower than float32's.
inline at::Tensor widened(const at::Tensor &x, bool native) {
  return !native && x.is_cpu() && x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
}

// Notes what is in use now for the peak, if somebody watches; see usage.cpp.
void note_usage();

// guard turns a C++ exception into a malloc'ed message.
template <class F> void guard(char **err, F f) {
  try {
    f();
  } catch (const std::exception &e) {
    *err = strdup(e.what());
  }
}
