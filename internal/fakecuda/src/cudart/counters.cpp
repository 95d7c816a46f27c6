// Counters in a file that is mapped, so that they can be read while the process runs and outlive one that ends without exit
// handlers, as Go's do; and the runtime's errors.
#include "runtime.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>

namespace fake {

// Globals are never destroyed: libtorch still calls CUDA while the process ends.
std::recursive_mutex &mutex = *new std::recursive_mutex;

namespace {

constexpr size_t places = 4096;
std::unordered_map<std::string, Counter *> &by_name = *new std::unordered_map<std::string, Counter *>;
thread_local cudaError_t last = cudaSuccess;

Counter *open_table() {
  const char *path = getenv("FAKECUDA_COUNTERS");
  int fd = path && *path ? open(path, O_RDWR | O_CREAT | O_TRUNC, 0644) : -1;
  size_t bytes = places * sizeof(Counter);
  if (path && *path && (fd < 0 || ftruncate(fd, bytes)))
    fake_trap("FAKECUDA_COUNTERS in a file that cannot be written");
  void *p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
  if (p == MAP_FAILED)
    fake_trap("FAKECUDA_COUNTERS in a file that cannot be mapped");
  return static_cast<Counter *>(p);
}

} // namespace

uint64_t setting(const char *name, uint64_t otherwise) {
  const char *value = getenv(name);
  return value && *value ? strtoull(value, nullptr, 10) : otherwise;
}

Counter *counter(const std::string &name) {
  LOCK;
  static Counter *table = open_table(); // at the first use: a child that never touches CUDA empties nobody's file
  auto &c = by_name[name];
  if (c)
    return c;
  if (by_name.size() > places)
    fake_trap("a counter more than the file has places for");
  c = &table[by_name.size() - 1];
  // The reader stops at a name's first byte that is 0, so it comes last.
  memcpy(c->name + 1, name.data() + 1, std::min(name.size(), sizeof c->name - 1) - 1);
  __atomic_store_n(c->name, name[0], __ATOMIC_RELEASE);
  return c;
}

cudaError_t fail(const std::string &where, cudaError_t error, const char *why) {
  if (error == cudaSuccess)
    return error;
  last = error;
  counter("error " + where + ": " + cudaGetErrorName(error) + (*why ? std::string(" (") + why + ")" : ""))->direct++;
  return error;
}

} // namespace fake

API void fake_trap(const char *name) {
  fprintf(stderr, "fakecuda: the stand-in does not implement %s\n", name);
  abort();
}
API void fake_refused(const char *name) { fake::counter(std::string("error ") + name)->direct++; }

// API "Error Handling".
API cudaError_t cudaGetLastError() { return std::exchange(fake::last, cudaSuccess); }
API cudaError_t cudaPeekAtLastError() { return fake::last; }

API const char *cudaGetErrorName(cudaError_t e) {
  switch (e) {
#define NAME(x) case x: return #x;
    NAME(cudaSuccess) NAME(cudaErrorInvalidValue) NAME(cudaErrorMemoryAllocation) NAME(cudaErrorInvalidConfiguration)
    NAME(cudaErrorInvalidSymbol) NAME(cudaErrorInvalidMemcpyDirection) NAME(cudaErrorInvalidDeviceFunction) NAME(cudaErrorInvalidDevice)
    NAME(cudaErrorInvalidResourceHandle) NAME(cudaErrorIllegalAddress) NAME(cudaErrorIllegalState) NAME(cudaErrorNotReady)
    NAME(cudaErrorStreamCaptureUnsupported) NAME(cudaErrorStreamCaptureInvalidated) NAME(cudaErrorStreamCaptureMerge)
    NAME(cudaErrorStreamCaptureUnmatched) NAME(cudaErrorStreamCaptureUnjoined) NAME(cudaErrorStreamCaptureIsolation)
    NAME(cudaErrorStreamCaptureImplicit) NAME(cudaErrorCapturedEvent) NAME(cudaErrorStreamCaptureWrongThread)
    NAME(cudaErrorHostMemoryNotRegistered) NAME(cudaErrorHostMemoryAlreadyRegistered) NAME(cudaErrorMissingConfiguration)
    NAME(cudaErrorNotSupported)
#undef NAME
  default: return "cudaErrorUnknown";
  }
}

API const char *cudaGetErrorString(cudaError_t e) {
  switch (e) {
  case cudaErrorInvalidValue: return "invalid argument";
  case cudaErrorMemoryAllocation: return "out of memory";
  case cudaErrorIllegalAddress: return "an illegal memory access was encountered";
  case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
  case cudaErrorStreamCaptureInvalidated: return "operation failed due to a previous error during capture";
  default: return cudaGetErrorName(e);
  }
}
