#if !__has_include(<ATen/ATen.h>)
#error "libtorch is not linked yet: run `make setup` once in the root of lorabench"
#endif
#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <limits.h>
#include <malloc.h>
#include <torch/version.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "native.h"
#include "native_internal.h"

namespace {

c10::DeviceAllocator *cuda_allocator() { return c10::getDeviceAllocator(c10::DeviceType::CUDA); }

// glibc gives each large block a mapping of its own and gives it back at once: every activation of
// every step would be mapped and zeroed page by page again. One heap instead that keeps what is
// freed; EmptyCache trims it between runs. One arena, since only the main one can grow at will.
__attribute__((constructor)) void keep_freed_memory() {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
}

} // namespace

extern "C" {

void lb_adamw(void *p, void *g, void *m, void *v, void *step, void *rate, double beta1, double beta2, double eps,
              double decay, char **err) {
  guard(err, [&] {
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
    auto norms = at::_foreach_norm(ts, 2);
    out = new at::Tensor(n == 1 ? norms[0] : at::stack(norms).norm());
  });
  return out;
}

// There is no autograd here: a model writes its backward pass out. For the rest of the thread's life.
void lb_thread(void) { static thread_local c10::InferenceMode mode(true); }

const char *lb_version(void) { return TORCH_VERSION; }
void lb_seed(int64_t seed, char **err) {
  guard(err, [&] { at::manual_seed(seed); });
}

static at::Generator generator(int device) {
  return at::globalContext().defaultGenerator(device < 0 ? c10::Device(at::kCPU) : c10::Device(at::kCUDA, device));
}

void *lb_random_state(int device, char **err) {
  void *out = nullptr;
  guard(err, [&] {
    auto g = generator(device);
    std::lock_guard<std::mutex> lock(g.mutex());
    out = made(g.get_state());
  });
  return out;
}

void lb_set_random_state(int device, void *state, char **err) {
  guard(err, [&] {
    auto g = generator(device);
    std::lock_guard<std::mutex> lock(g.mutex());
    g.set_state(T(state));
  });
}

int lb_threads(void) { return at::get_num_threads(); }
void lb_set_threads(int n, char **err) {
  guard(err, [&] { at::set_num_threads(n); });
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

void lb_cuda_memory_info(int device, int64_t *free, int64_t *total, char **err) {
  guard(err, [&] {
    auto [f, t] = cuda_allocator()->getMemoryInfo(device);
    *free = f;
    *total = t;
  });
}

void *lb_event(int device, char **err) {
  std::unique_ptr<c10::Event> e;
  guard(err, [&] {
    c10::impl::VirtualGuardImpl cuda(c10::DeviceType::CUDA);
    e = std::make_unique<c10::Event>(c10::DeviceType::CUDA, c10::EventFlag::BACKEND_DEFAULT); // PyTorch's default has no time
    e->record(cuda.getStream(c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(device))));
  });
  return *err ? nullptr : e.release();
}

double lb_elapsed(void *from_, void *to_, char **err) {
  std::unique_ptr<c10::Event> from(static_cast<c10::Event *>(from_)), to(static_cast<c10::Event *>(to_));
  double ms = 0;
  guard(err, [&] {
    to->synchronize();
    ms = from->elapsedTime(*to);
  });
  return ms;
}

void *lb_host_memory(int64_t bytes, int pinned, char **err) {
  void *out = nullptr;
  guard(err, [&] { out = new at::Tensor(at::empty({bytes}, at::TensorOptions().dtype(at::kByte).pinned_memory(pinned != 0))); });
  return out;
}

void lb_copy_async(void *dst, void *src, char **err) {
  guard(err, [&] { T(dst).copy_(T(src), /*non_blocking=*/true); });
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

void lb_trim(int64_t over) {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  auto unused = mallinfo2().fordblks;
#else
  auto unused = static_cast<uint32_t>(mallinfo().fordblks); // wraps around at 4 GiB
#endif
  if (over == 0 || unused > static_cast<uint64_t>(over))
    malloc_trim(0);
}

} // extern "C"
