// Kernels: what nvcc's host code calls (crt/host_runtime.h), API "Execution Control", "Occupancy". A launch is checked against the
// limits of PG "Compute Capabilities / Technical Specifications" (9.0) and counted; its arguments cannot be known.
#include "runtime.h"

#include <string.h>

#include <algorithm>
#include <unordered_map>

namespace {

using namespace fake;

constexpr int max_shared = 227 << 10; // bytes a block may ask for

struct Kernel {
  std::string name;
  Counter *count = nullptr;       // made at the first launch
  int dynamic_shared = 48 << 10; // allowed without cudaFuncSetAttribute
};

std::unordered_map<const void *, Kernel> &kernels = *new std::unordered_map<const void *, Kernel>; // by host function

struct Configuration { // of a <<< >>> whose call follows
  dim3 grid, block;
  size_t shared;
  cudaStream_t stream;
};
thread_local std::vector<Configuration> configurations;

Kernel *find(const void *f) {
  auto i = kernels.find(f);
  return i == kernels.end() ? nullptr : &i->second;
}

const char *over(dim3 g, dim3 b) {
  if (!g.x || !g.y || !g.z || g.x > 0x7fffffffu || g.y > 65535 || g.z > 65535)
    return "grid";
  uint64_t threads = static_cast<uint64_t>(b.x) * b.y * b.z;
  return !threads || threads > 1024 || b.z > 64 ? "block" : nullptr;
}

cudaError_t launch(const char *where, Kernel *k, dim3 g, dim3 b, size_t shared, cudaStream_t s) {
  LOCK;
  if (!k)
    return fail(where, cudaErrorInvalidDeviceFunction);
  if (!k->count)
    k->count = counter("kernel " + k->name);
  if (auto *what = over(g, b))
    return fail(where, cudaErrorInvalidConfiguration, (std::string(what) + " of " + k->name).c_str());
  if (shared > static_cast<size_t>(k->dynamic_shared))
    return fail(where, cudaErrorInvalidValue, ("shared memory of " + k->name).c_str());
  return submit(where, s, {k->count, 0, nullptr, {}});
}

} // namespace

API void **__cudaRegisterFatBinary(void *) {
  static void *handle[1];
  return handle;
}
API void __cudaRegisterFatBinaryEnd(void **) {}
API void __cudaUnregisterFatBinary(void **) {}
API char __cudaInitModule(void **) { return 1; }
API void __cudaRegisterFunction(void **, const char *host, char *, const char *name, int, uint3 *, uint3 *, dim3 *, dim3 *, int *) {
  LOCK;
  kernels[host].name = name;
}
API cudaError_t __cudaGetKernel(cudaKernel_t *k, const void *f) {
  LOCK;
  *k = reinterpret_cast<cudaKernel_t>(find(f));
  return *k ? cudaSuccess : fail("__cudaGetKernel", cudaErrorInvalidDeviceFunction);
}

API unsigned __cudaPushCallConfiguration(dim3 g, dim3 b, size_t shared, CUstream_st *s) {
  configurations.push_back({g, b, shared, s});
  return 0;
}
API cudaError_t __cudaPopCallConfiguration(dim3 *g, dim3 *b, size_t *shared, void *s) {
  if (configurations.empty())
    return fail("__cudaPopCallConfiguration", cudaErrorMissingConfiguration);
  auto &c = configurations.back();
  *g = c.grid, *b = c.block, *shared = c.shared, *static_cast<cudaStream_t *>(s) = c.stream;
  configurations.pop_back();
  return cudaSuccess;
}

API cudaError_t __cudaLaunchKernel(cudaKernel_t k, dim3 g, dim3 b, void **, size_t shared, cudaStream_t s) {
  return launch("__cudaLaunchKernel", reinterpret_cast<Kernel *>(k), g, b, shared, s);
}
API cudaError_t cudaLaunchKernel(const void *f, dim3 g, dim3 b, void **, size_t shared, cudaStream_t s) {
  LOCK;
  return launch("cudaLaunchKernel", find(f), g, b, shared, s);
}
API cudaError_t cudaLaunchCooperativeKernel(const void *f, dim3 g, dim3 b, void **, size_t shared, cudaStream_t s) {
  LOCK;
  return launch("cudaLaunchCooperativeKernel", find(f), g, b, shared, s);
}
API cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *c, const void *f, void **) {
  LOCK;
  return launch("cudaLaunchKernelExC", find(f), c->gridDim, c->blockDim, c->dynamicSmemBytes, c->stream);
}

API cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *a, const void *f) {
  LOCK;
  auto *k = find(f);
  if (!k)
    return fail("cudaFuncGetAttributes", cudaErrorInvalidDeviceFunction);
  memset(a, 0, sizeof *a);
  a->maxThreadsPerBlock = 1024;
  a->numRegs = 64;
  a->ptxVersion = a->binaryVersion = 90;
  a->maxDynamicSharedSizeBytes = k->dynamic_shared;
  a->preferredShmemCarveout = -1;
  return cudaSuccess;
}
API cudaError_t cudaFuncSetAttribute(const void *f, cudaFuncAttribute what, int value) {
  LOCK;
  auto *k = find(f);
  if (!k)
    return fail("cudaFuncSetAttribute", cudaErrorInvalidDeviceFunction);
  if (what != cudaFuncAttributeMaxDynamicSharedMemorySize)
    return cudaSuccess;
  if (value < 0 || value > max_shared)
    return fail("cudaFuncSetAttribute", cudaErrorInvalidValue, "more shared memory than a block may have");
  k->dynamic_shared = value;
  return cudaSuccess;
}
API cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *n, const void *f, int block, size_t shared, unsigned) {
  LOCK;
  if (!find(f))
    return fail("cudaOccupancyMaxActiveBlocksPerMultiprocessor", cudaErrorInvalidDeviceFunction);
  *n = std::min(32, 2048 / std::max(block, 1)); // blocks and threads a multiprocessor holds
  if (shared)
    *n = std::min<int>(*n, (228 << 10) / (shared + 1024));
  return cudaSuccess;
}
API cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *n, const void *f, int block, size_t shared) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(n, f, block, shared, 0);
}
