// Matrix products with weights. On a CPU three libraries have them: gemm.cpp, oneDNN, and the BLAS that at::linear
// calls. Which is fastest depends on the processor (on an AMD EPYC with AVX2 oneDNN runs OPT-350m's products at 139
// GFLOP/s where MKL runs 122, and gemm.cpp more), so lb_kernels_set chooses. Shapes that gemm.cpp does not take go to oneDNN
// where they are large, and small ones to at::linear, since oneDNN compiles a kernel for each shape.
#include "gemm.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/cpu/Utils.h>
#include <stdlib.h>
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

namespace {

// Every length of a row is a shape of its own, and what oneDNN keeps for 1,024 of them, or for 64, is
// memory: 64 took 0.2 GiB more than 4 at OPT-350m's shape, and no time less.
__attribute__((constructor)) void few_kernels() { setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "4", /*overwrite=*/0); }

constexpr double large = 1e9; // floating-point operations

// PyTorch's own operation over oneDNN, where this build has it.
const std::optional<c10::OperatorHandle> &onednn() {
  static auto op = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
  return op;
}

bool has_bfloat16() {
  static bool is = [] {
#ifdef __aarch64__
    return (getauxval(AT_HWCAP2) & 1 << 14) != 0; // HWCAP2_BF16, which older headers lack
#else
    auto all = at::cpu::get_cpu_capabilities();
    auto has = [&](const char *name) {
      auto i = all.find(name);
      return i != all.end() && i->second.isBool() && i->second.toBool();
    };
    return has("avx512_bf16") || has("amx_bf16");
#endif
  }();
  return is;
}

// What is used until something was measured. Attention in bfloat16 is left to float32: libtorch's kernel took 27 times longer in
// bfloat16, on a processor with instructions for it.
Kernels unmeasured() {
#if defined(__x86_64__) && defined(__GNUC__)
  bool narrow = !__builtin_cpu_supports("avx512f");
#else
  bool narrow = true;
#endif
  auto product = gemm_available() && narrow ? Own : onednn().has_value() ? OneDNN : LibTorch;
  return {product, product, has_bfloat16(), false};
}

// y = x W^T + b by gemm, if it takes them; else not defined.
at::Tensor own(const at::Tensor &x, const at::Tensor &w, const std::optional<at::Tensor> &b) {
  if (x.dim() != 2 || !x.is_cpu() || b && (b->dim() != 1 || b->size(0) != w.size(0)))
    return {};
  auto bias = b ? b->to(at::kFloat).contiguous() : at::Tensor();
  auto y = at::empty({x.size(0), w.size(0)}, x.options().dtype(at::kFloat));
  return gemm(y, x, w.t(), b ? bias.const_data_ptr<float>() : nullptr, false, 1) ? y.to(x.scalar_type()) : at::Tensor();
}

bool native(const at::Tensor &x) { return x.scalar_type() == at::kBFloat16 && chosen().bfloat16_products; }

} // namespace

Kernels &chosen() {
  static Kernels k = unmeasured();
  return k;
}

bool by_own(const at::Tensor &x) { return chosen().layers == Own && !native(x); }

// x W^T + b: x [.., in], w [out, in].
at::Tensor product(const at::Tensor &x, const at::Tensor &w, const std::optional<at::Tensor> &b, Product by) {
  // Everywhere what at::linear refuses, or it would depend on the processor.
  TORCH_CHECK(x.scalar_type() == w.scalar_type() && (!b || b->scalar_type() == w.scalar_type()), "types differ: ", x.scalar_type(), " and ",
              w.scalar_type());
  if (by == Own && !native(x))
    if (auto y = own(x, w, b); y.defined())
      return y;
  bool whole = chosen().bfloat16_products;
  if (auto wide = widened(x, whole); !wide.is_same(x))
    return product(wide, widened(w, whole), b ? std::optional<at::Tensor>(widened(*b, whole)) : std::nullopt, by).to(x.scalar_type());
  bool to_onednn = by != LibTorch && x.is_cpu() && x.scalar_type() == at::kFloat && w.scalar_type() == at::kFloat && x.dim() == 2 &&
                   x.is_contiguous() && 2.0 * x.numel() * w.size(0) >= large && onednn().has_value();
  if (!to_onednn)
    return at::linear(x, w, b);
  using type = at::Tensor(const at::Tensor &, const at::Tensor &, const std::optional<at::Tensor> &, c10::string_view,
                          c10::List<std::optional<at::Scalar>>, std::optional<c10::string_view>);
  static auto call = onednn()->typed<type>();
  return call.call(x, w, b, "none", c10::List<std::optional<at::Scalar>>(), std::nullopt);
}

extern "C" {

struct lb_kernels lb_kernels_set(struct lb_kernels k) {
  auto was = chosen();
  chosen() = {static_cast<Product>(k.layers), static_cast<Product>(k.head), k.bfloat16_products != 0, k.bfloat16_attention != 0};
  return {was.layers, was.head, was.bfloat16_products, was.bfloat16_attention};
}

struct lb_kernels lb_kernels_available(void) { return {gemm_available(), onednn().has_value(), has_bfloat16(), has_bfloat16()}; }

void *lb_linear(void *x, void *w, void *b, char **err) {
  void *out = nullptr;
  guard(err, [&] { out = made(product(T(x), T(w), b ? std::optional<at::Tensor>(T(b)) : std::nullopt, chosen().layers)); });
  return out;
}

// dy W, dy [T, out], w [out, in]: added to dx where it is given, else new.
void *lb_linear_backward(void *dy_, void *w_, void *dx, char **err) {
  void *out = nullptr;
  guard(err, [&] {
    auto &dy = T(dy_), &w = T(w_);
    if (!dx)
      out = made(product(dy, w.t(), {}, chosen().layers));
    else if (by_own(dy) && gemm(T(dx), dy, w, nullptr, true, 1))
      return;
    else if (dy.is_cpu())
      T(dx).add_(product(dy, w.t(), {}, chosen().layers));
    else
      T(dx).addmm_(dy, w);
  });
  return out;
}

} // extern "C"
