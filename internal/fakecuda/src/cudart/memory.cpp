// The card's memory, and pinned memory of the host: API "Memory Management", "Unified Addressing".
//
// Addresses of the card cannot be read by the host, as on a GPU without managed memory; what they hold lies `apart` bytes
// further. No address is given out twice, so that a use of freed memory is always seen. The system gives pages at their first
// use, so a card of 80 GB costs only what is really written.
#include "runtime.h"

#include <string.h>
#include <sys/mman.h>

#include <algorithm>

namespace fake {
namespace {

constexpr size_t page = 2 << 20;                // what the driver gives out
constexpr uintptr_t apart = 1ull << 43;         // 8 TiB of addresses, for all allocations of the process
constexpr size_t context_memory = 560ull << 20; // about what a context, its modules and cuBLAS's kernels take

const size_t total = setting("FAKECUDA_MEMORY", 0) ? setting("FAKECUDA_MEMORY", 0) : 85017493504; // an H100's 80 GB

// Counts down to the cudaMalloc that is refused. A program that sets the variable anew begins to count anew.
bool refused() {
  static uint64_t asked = 0, left = 0;
  if (auto now = setting("FAKECUDA_FAIL_MALLOC", 0); now != asked)
    asked = left = now;
  return left && --left == 0;
}

struct Block {
  size_t size;
  bool host; // pinned memory of the host
};
std::map<uintptr_t, Block> &blocks = *new std::map<uintptr_t, Block>;
uintptr_t base = ~0ull / 2, next; // where the card's addresses begin, and the first that is still unused, once reserved
size_t in_use = 0;

uintptr_t number(const void *p) { return reinterpret_cast<uintptr_t>(p); }

const std::pair<const uintptr_t, Block> *find(const void *p) {
  auto i = blocks.upper_bound(number(p));
  if (i == blocks.begin())
    return nullptr;
  --i;
  return number(p) < i->first + i->second.size ? &*i : nullptr;
}

// Maps what lies behind n bytes at an address: zeros that can be written, or nothing at all.
bool map_behind(uintptr_t at, size_t n, int access) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  return mmap(reinterpret_cast<void *>(at + apart), n, access, flags, -1, 0) != MAP_FAILED;
}

// Reserves addresses where nothing is yet: Go's heap may lie anywhere, programs and libraries lie above.
bool reserve() {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  for (uintptr_t at = 0x400000000000; at > 0x100000000000; at -= apart)
    if (mmap(reinterpret_cast<void *>(at), 2 * apart, PROT_NONE, flags, -1, 0) != MAP_FAILED)
      return base = next = at;
  fake_trap("a card on a system that limits addresses (ulimit -v, vm.overcommit_memory=2)");
}

void note_use() {
  counter("memory now")->bytes = in_use;
  auto *peak = counter("memory peak");
  peak->bytes = std::max<uint64_t>(peak->bytes, in_use);
}

bool release(void *p) {
  auto i = blocks.find(number(p));
  if (i == blocks.end() || i->second.host)
    return false;
  map_behind(i->first, i->second.size, PROT_NONE);
  in_use -= i->second.size;
  blocks.erase(i);
  note_use();
  return true;
}

} // namespace

bool on_device(const void *p) { return number(p) - base < apart; }
char *behind(const void *p) { return reinterpret_cast<char *>(number(p) + (on_device(p) ? apart : 0)); }

bool inside(const void *p, size_t n) {
  auto *b = find(p);
  return b && !b->second.host && number(p) + n <= b->first + b->second.size;
}
bool pinned(const void *p) {
  auto *b = find(p);
  return b && b->second.host;
}

void *allocate(size_t bytes) {
  [[maybe_unused]] static bool once = reserve();
  size_t n = (bytes + page - 1) / page * page;
  if (in_use + n + context_memory > total)
    return nullptr;
  if (next + n > base + apart)
    fake_trap("more than 8 TiB of allocations in one process");
  if (!map_behind(next, n, PROT_READ | PROT_WRITE))
    return nullptr;
  blocks[next] = {n, false};
  in_use += n;
  note_use();
  return reinterpret_cast<void *>(std::exchange(next, next + n));
}

} // namespace fake

using namespace fake;

API int fake_inside(const void *p, size_t n) {
  LOCK;
  return inside(p, n);
}
API int fake_device(const void *p) { return on_device(p); }

API cudaError_t cudaMalloc(void **p, size_t n) {
  LOCK;
  *p = nullptr;
  if (auto e = unsafe("cudaMalloc"))
    return e;
  counter("api cudaMalloc")->direct++;
  if (n && (refused() || !(*p = allocate(n))))
    return fail("cudaMalloc", cudaErrorMemoryAllocation);
  return cudaSuccess;
}

API cudaError_t cudaFree(void *p) {
  LOCK;
  if (auto e = unsafe("cudaFree"))
    return e;
  counter("api cudaFree")->direct++;
  return !p || release(p) ? cudaSuccess : fail("cudaFree", cudaErrorInvalidValue);
}

API cudaError_t cudaMemGetInfo(size_t *left, size_t *all) {
  LOCK;
  *all = total;
  *left = total - std::min(total, context_memory + in_use);
  return cudaSuccess;
}

API cudaError_t cudaHostAlloc(void **p, size_t n, unsigned) {
  LOCK;
  if (auto e = unsafe("cudaHostAlloc"))
    return e;
  void *m = mmap(nullptr, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (m == MAP_FAILED)
    return fail("cudaHostAlloc", cudaErrorMemoryAllocation);
  blocks[number(*p = m)] = {n, true};
  auto *c = counter("api cudaHostAlloc");
  c->direct++, c->bytes += n;
  return cudaSuccess;
}

API cudaError_t cudaHostRegister(void *p, size_t n, unsigned) {
  LOCK;
  if (find(p))
    return fail("cudaHostRegister", cudaErrorHostMemoryAlreadyRegistered);
  blocks[number(p)] = {n, true};
  return cudaSuccess;
}

API cudaError_t cudaHostUnregister(void *p) {
  LOCK;
  auto i = blocks.find(number(p));
  if (i == blocks.end() || !i->second.host)
    return fail("cudaHostUnregister", cudaErrorHostMemoryNotRegistered);
  blocks.erase(i);
  return cudaSuccess;
}

API cudaError_t cudaFreeHost(void *p) {
  LOCK;
  if (auto e = unsafe("cudaFreeHost"))
    return e;
  auto i = blocks.find(number(p));
  if (!p)
    return cudaSuccess;
  if (i == blocks.end() || !i->second.host)
    return fail("cudaFreeHost", cudaErrorInvalidValue);
  munmap(p, i->second.size);
  blocks.erase(i);
  return cudaSuccess;
}

API cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *a, const void *p) {
  LOCK;
  memset(a, 0, sizeof *a);
  auto *b = find(p);
  bool device = b && !b->second.host;
  a->device = b ? 0 : -2; // cudaInvalidDeviceId
  a->type = device ? cudaMemoryTypeDevice : b ? cudaMemoryTypeHost : cudaMemoryTypeUnregistered;
  a->devicePointer = b ? const_cast<void *>(p) : nullptr;
  a->hostPointer = device ? nullptr : const_cast<void *>(p);
  return cudaSuccess;
}
