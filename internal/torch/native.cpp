#if !__has_include(<ATen/ATen.h>)
#error "libtorch is not linked yet: run `make setup` once in the root of lorabench"
#endif
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>
#include <malloc.h>
#include <string.h>
#include <torch/version.h>

#include <string>
#include <vector>

#include "native.h"

namespace {

at::Tensor &T(void *p) { return *static_cast<at::Tensor *>(p); }

template <class F> void guard(char **err, F f) {
  try {
    f();
  } catch (const std::exception &e) {
    *err = strdup(e.what());
  }
}

c10::DeviceAllocator *cuda_allocator() { return c10::getDeviceAllocator(c10::DeviceType::CUDA); }

} // namespace

extern "C" {

// One call of SDPA for each sequence: exact, and without a mask, so that the CPU takes its flash
// kernel and no [T, T] matrix is ever stored. Autograd sees narrow, sdpa and cat.
void *lb_attention(void *q, void *k, void *v, const int64_t *cum, int sequences, double scale, char **err) {
  void *out = nullptr;
  guard(err, [&] {
    auto part = [&](void *t, int i) {
      // [n, heads, D] to [1, heads, n, D]
      return T(t).narrow(0, cum[i], cum[i + 1] - cum[i]).transpose(0, 1).unsqueeze(0);
    };
    std::vector<at::Tensor> rows;
    rows.reserve(sequences);
    for (int i = 0; i < sequences; i++) {
      auto y = at::scaled_dot_product_attention(part(q, i), part(k, i), part(v, i), {}, 0.0, /*is_causal=*/true, scale);
      rows.push_back(y.squeeze(0).transpose(0, 1).flatten(1));
    }
    out = new at::Tensor(rows.size() == 1 ? rows[0] : at::cat(rows));
  });
  return out;
}

void lb_set_grad(void *t, void *g, char **err) {
  guard(err, [&] { T(t).mutable_grad() = g ? T(g) : at::Tensor(); });
}

void lb_adamw(void *p, void *g, void *m, void *v, void *step, void *rate, double beta1, double beta2, double eps,
              double decay, char **err) {
  guard(err, [&] {
    at::NoGradGuard no_grad;
    at::_fused_adamw_({T(p)}, {T(g)}, {T(m)}, {T(v)}, {}, {T(step)}, T(rate), beta1, beta2, decay, eps,
                      /*amsgrad=*/false, /*maximize=*/false);
  });
}

void *lb_norm(void **tensors, int n, char **err) {
  void *out = nullptr;
  guard(err, [&] {
    std::vector<at::Tensor> ts;
    ts.reserve(n);
    for (int i = 0; i < n; i++)
      ts.push_back(T(tensors[i]));
    out = new at::Tensor(at::stack(at::_foreach_norm(ts, 2)).norm());
  });
  return out;
}

const char *lb_version(void) { return TORCH_VERSION; }
void lb_seed(int64_t seed, char **err) {
  guard(err, [&] { at::manual_seed(seed); });
}
int lb_threads(void) { return at::get_num_threads(); }

int lb_flash(int on) {
  auto &context = at::globalContext();
  bool was = context.userEnabledFlashSDP();
  context.setSDPUseFlash(on);
  return was;
}

void lb_cuda_memory(int device, lb_memory *out, char **err) {
  guard(err, [&] {
    auto s = cuda_allocator()->getDeviceStats(device);
    auto a = s.allocated_bytes[0], r = s.reserved_bytes[0]; // 0 is the aggregate of both pools
    *out = {a.current, a.peak, r.current, r.peak};
  });
}

void lb_cuda_reset_peak(int device, char **err) {
  guard(err, [&] { cuda_allocator()->resetPeakStats(device); });
}

void lb_cuda_empty_cache(int, char **err) {
  guard(err, [&] { cuda_allocator()->emptyCache(); });
}

void lb_cuda_synchronize(int device, char **err) {
  guard(err, [&] { at::detail::getCUDAHooks().deviceSynchronize(device); });
}

int lb_cuda_devices(char **err) {
  int n = 0;
  guard(err, [&] {
    n = at::detail::getCUDAHooks().deviceCount();
    // The allocator knows no device before this, and would refuse to tell its statistics.
    if (n > 0)
      at::globalContext().lazyInitDevice(c10::DeviceType::CUDA);
  });
  return n;
}

static void *cuda_part = nullptr;

// libtorch_cuda registers its hooks when it is loaded, and ATen asks for them once: this must come
// before any other question about CUDA.
const char *lb_cuda_open(void) {
  static std::string message;
  if (cuda_part)
    return nullptr;
  cuda_part = dlopen("liblorabench_cuda.so", RTLD_NOW | RTLD_GLOBAL);
  if (cuda_part)
    return nullptr;
  message = dlerror();
  return message.c_str();
}

int lb_cuda_device(int device, char *name, int size, int *capability, char **err) {
  using query = int (*)(int, char *, int, int *);
  auto f = cuda_part ? reinterpret_cast<query>(dlsym(cuda_part, "lorabench_cuda_device")) : nullptr;
  if (!f) {
    *err = strdup("liblorabench_cuda.so is not open");
    return -1;
  }
  return f(device, name, size, capability);
}

void lb_trim(void) { malloc_trim(0); }

} // extern "C"
