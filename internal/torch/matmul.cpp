// Matrix products with weights. On a CPU they are gemm.cpp's where it has them; of the others in float32
// large ones go to oneDNN, the rest to MKL, which is at::linear's choice for all: on an AMD EPYC with AVX2
// oneDNN runs OPT-350m's products at 139 GFLOP/s where MKL runs 122 (2 threads). Small ones stay, since
// oneDNN compiles a kernel for each shape. Those in bfloat16 are libtorch's where the processor has
// instructions for them, else float32's, rounded once.
#include "gemm.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/cpu/Utils.h>
#include <stdlib.h>

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

bool find_bfloat16() {
  auto all = at::cpu::get_cpu_capabilities();
  auto has = [&](const char *name) {
    auto i = all.find(name);
    return i != all.end() && i->second.isBool() && i->second.toBool();
  };
  auto which = all.find("architecture"); // others, ARM's say, are not known here: libtorch's choice stands
  return which == all.end() || which->second.toStringRef() != "x86_64" || has("avx512_bf16") || has("amx_bf16");
}

bool &has_bfloat16() {
  static bool has = find_bfloat16();
  return has;
}

// y = x W^T + b by gemm, if it takes them; else not defined.
at::Tensor own(const at::Tensor &x, const at::Tensor &w, const std::optional<at::Tensor> &b) {
  if (x.dim() != 2 || !x.is_cpu() || b && (b->dim() != 1 || b->size(0) != w.size(0)))
    return {};
  auto bias = b ? b->to(at::kFloat).contiguous() : at::Tensor();
  auto y = at::empty({x.size(0), w.size(0)}, x.options().dtype(at::kFloat));
  return gemm(y, x, w.t(), b ? bias.const_data_ptr<float>() : nullptr, false, 1) ? y.to(x.scalar_type()) : at::Tensor();
}

} // namespace

at::Tensor widened(const at::Tensor &x) {
  return x.is_cpu() && !has_bfloat16() && x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x;
}

// x W^T + b: x [.., in], w [out, in].
at::Tensor product(const at::Tensor &x, const at::Tensor &w, const std::optional<at::Tensor> &b) {
  // Everywhere what at::linear refuses, or it would depend on the processor.
  TORCH_CHECK(x.scalar_type() == w.scalar_type() && (!b || b->scalar_type() == w.scalar_type()), "types differ: ", x.scalar_type(), " and ",
              w.scalar_type());
  if (auto y = own(x, w, b); y.defined())
    return y;
  if (auto wide = widened(x); !wide.is_same(x))
    return product(wide, widened(w), b ? std::optional<at::Tensor>(widened(*b)) : std::nullopt).to(x.scalar_type());
  bool ours = x.is_cpu() && x.scalar_type() == at::kFloat && w.scalar_type() == at::kFloat && x.dim() == 2 && x.is_contiguous() &&
              2.0 * x.numel() * w.size(0) >= large && onednn().has_value();
  if (!ours)
    return at::linear(x, w, b);
  using type = at::Tensor(const at::Tensor &, const at::Tensor &, const std::optional<at::Tensor> &, c10::string_view,
                          c10::List<std::optional<at::Scalar>>, std::optional<c10::string_view>);
  static auto call = onednn()->typed<type>();
  return call.call(x, w, b, "none", c10::List<std::optional<at::Scalar>>(), std::nullopt);
}

extern "C" {

int lb_bfloat16_available(void) { return has_bfloat16(); }

int lb_bfloat16(int on) {
  bool was = has_bfloat16();
  has_bfloat16() = on && find_bfloat16();
  return was;
}

void *lb_linear(void *x, void *w, void *b, char **err) {
  void *out = nullptr;
  guard(err, [&] { out = made(product(T(x), T(w), b ? std::optional<at::Tensor>(T(b)) : std::nullopt)); });
  return out;
}

// dy W, dy [T, out], w [out, in]: added to dx where it is given, else new.
void *lb_linear_backward(void *dy_, void *w_, void *dx, char **err) {
  void *out = nullptr;
  guard(err, [&] {
    auto &dy = T(dy_), &w = T(w_);
    if (!dx)
      out = made(product(dy, w.t(), {}));
    else if (gemm(T(dx), dy, w, nullptr, true, 1))
      return;
    else if (dy.is_cpu())
      T(dx).add_(product(dy, w.t(), {}));
    else
      T(dx).addmm_(dy, w);
  });
  return out;
}

} // extern "C"
