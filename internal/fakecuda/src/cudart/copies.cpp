// Copies and sets: API "Memory Management", "API synchronization behavior".
//
// What a card does while the host goes on is not the host's time, and no kernel computes anything here: copies within the card
// and sets of `big` bytes and more are counted and not done.
#include "runtime.h"

#include <string.h>

#include <algorithm>

namespace fake {
namespace {

const bool norms = setting("FAKECUDA_NORMS", 0);

// Copies from the card to the host. With FAKECUDA_NORMS the host reads 0.747 (0x3f3f3f3f, in bfloat16 too) where everything is
// zero: DoRA refuses weights whose rows have norm 0, and norms are computed by kernels, which do nothing here.
void to_host(char *dst, const char *src, size_t n) {
  memcpy(dst, src, n);
  if (norms && std::all_of(dst, dst + n, [](char c) { return !c; }))
    memset(dst, 0x3f, n);
}

cudaMemcpyKind kind_of(const void *dst, const void *src) {
  if (on_device(dst))
    return on_device(src) ? cudaMemcpyDeviceToDevice : cudaMemcpyHostToDevice;
  return on_device(src) ? cudaMemcpyDeviceToHost : cudaMemcpyHostToHost;
}

cudaError_t copy(const char *where, void *dst, const void *src, size_t n, cudaMemcpyKind kind, cudaStream_t to, bool async) {
  static const char *const names[] = {" H2H", " H2D", " D2H", " D2D"};
  LOCK;
  if (!n)
    return cudaSuccess;
  auto is = kind_of(dst, src);
  if (kind != cudaMemcpyDefault && kind != is)
    return fail(where, cudaErrorInvalidMemcpyDirection);
  if ((on_device(dst) && !inside(dst, n)) || (on_device(src) && !inside(src, n)))
    return fail(where, cudaErrorInvalidValue, "outside one allocation");
  auto *c = counter(std::string("api ") + where + names[is]);
  c->direct++, c->bytes += n;
  if (!async) { // works on the legacy stream and waits for it
    if (auto e = unsafe(where))
      return e;
    counter(std::string("wait ") + where)->direct++;
  }
  const void *host = is == cudaMemcpyHostToDevice ? src : dst;
  if (is != cudaMemcpyDeviceToDevice && !pinned(host)) { // "may be synchronous with respect to host"
    auto *p = counter(std::string("pageable") + names[is]);
    p->direct++, p->bytes += n;
    auto *s = stream(to);
    if (s && s->capture)
      counter("note copy of pageable memory captured")->direct++;
  }
  Work work;
  for (const void *p : {const_cast<const void *>(dst), src})
    if (on_device(p))
      work.uses.push_back(p);
  work.run = [=] {
    if (is == cudaMemcpyDeviceToHost)
      to_host(static_cast<char *>(dst), behind(src), n);
    else if (is != cudaMemcpyDeviceToDevice || n < big)
      memmove(behind(dst), behind(src), n);
  };
  return submit(where, to, std::move(work));
}

} // namespace
} // namespace fake

using namespace fake;

API cudaError_t cudaMemcpy(void *dst, const void *src, size_t n, cudaMemcpyKind kind) {
  return copy("cudaMemcpy", dst, src, n, kind, nullptr, false);
}
API cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t n, cudaMemcpyKind kind, cudaStream_t s) {
  return copy("cudaMemcpyAsync", dst, src, n, kind, s, true);
}
API cudaError_t cudaMemcpyPeerAsync(void *dst, int, const void *src, int, size_t n, cudaStream_t s) {
  return copy("cudaMemcpyPeerAsync", dst, src, n, cudaMemcpyDefault, s, true);
}
API cudaError_t cudaMemcpy2DAsync(void *dst, size_t dpitch, const void *src, size_t spitch, size_t width, size_t height,
                                  cudaMemcpyKind kind, cudaStream_t s) {
  LOCK;
  for (size_t i = 0; i < height; i++)
    if (auto e = copy("cudaMemcpy2DAsync", static_cast<char *>(dst) + i * dpitch, static_cast<const char *>(src) + i * spitch, width,
                      kind, s, true))
      return e;
  return cudaSuccess;
}

API cudaError_t cudaMemsetAsync(void *p, int value, size_t n, cudaStream_t s) {
  LOCK;
  if (n && !inside(p, n))
    return fail("cudaMemsetAsync", cudaErrorInvalidValue, "outside one allocation");
  counter("api cudaMemsetAsync")->direct++;
  Work work;
  work.uses = {p};
  work.run = [=] {
    if (n < big)
      memset(behind(p), value, n);
  };
  return submit("cudaMemsetAsync", s, std::move(work));
}
API cudaError_t cudaMemset(void *p, int value, size_t n) {
  LOCK;
  if (auto e = unsafe("cudaMemset"))
    return e;
  return cudaMemsetAsync(p, value, n, nullptr);
}

// Variables of device code get memory when their address is first asked for.
namespace {
struct Variable {
  size_t size;
  void *at = nullptr;
};
std::map<const void *, Variable> &variables = *new std::map<const void *, Variable>;
} // namespace

API void __cudaRegisterVar(void **, char *host, char *, const char *, int, size_t size, int, int) {
  LOCK;
  variables[host] = {size};
}
API cudaError_t cudaGetSymbolAddress(void **p, const void *symbol) {
  LOCK;
  auto i = variables.find(symbol);
  if (i == variables.end())
    return fail("cudaGetSymbolAddress", cudaErrorInvalidSymbol);
  auto &v = i->second;
  if (!v.at && !(v.at = allocate(v.size)))
    return fail("cudaGetSymbolAddress", cudaErrorMemoryAllocation);
  *p = v.at;
  return cudaSuccess;
}
API cudaError_t cudaMemcpyToSymbol(const void *symbol, const void *src, size_t n, size_t offset, cudaMemcpyKind kind) {
  LOCK;
  void *p;
  if (auto e = cudaGetSymbolAddress(&p, symbol))
    return e;
  return copy("cudaMemcpyToSymbol", static_cast<char *>(p) + offset, src, n, kind, nullptr, false);
}
