// What the C heap has given out, as the caching allocator tells it on CUDA: glibc keeps no peak, so it is
// noted wherever a tensor is made while somebody watches.
#include <c10/core/CPUAllocator.h>
#include <malloc.h>

#include <utility>

#include "native.h"
#include "native_internal.h"

static bool watching = false;
static int64_t peak = 0;

static int64_t in_use() {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  auto m = mallinfo2();
  return static_cast<int64_t>(m.uordblks + m.hblkhd);
#else
  return -1; // mallinfo counts in 32 bits
#endif
}

void note_usage() {
  if (watching)
    peak = std::max(peak, in_use());
}

namespace {
// Passes everything to libtorch's own allocator but the allocation that a test wants to fail.
struct FailingAllocator final : c10::Allocator {
  c10::Allocator *own = c10::GetCPUAllocator();
  int64_t left = 0;
  c10::DataPtr allocate(size_t n) override {
    if (n > 0 && left > 0 && --left == 0)
      TORCH_CHECK(false, "DefaultCPUAllocator: can't allocate memory: you tried to allocate ", n, " bytes (a test's failure)");
    return own->allocate(n);
  }
  c10::DeleterFnPtr raw_deleter() const override { return own->raw_deleter(); }
  void copy_data(void *to, const void *from, std::size_t n) const override { own->copy_data(to, from, n); }
};
} // namespace

extern "C" {

int64_t lb_fail_allocation(int64_t n) {
  static auto *failing = new FailingAllocator;
  c10::SetCPUAllocator(n > 0 ? failing : failing->own, /*priority=*/255);
  return std::exchange(failing->left, n);
}

int64_t lb_in_use(void) { return in_use(); }
void lb_watch(int on) { watching = on; }
void lb_note_usage(void) { note_usage(); }

int64_t lb_take_peak(void) {
  note_usage();
  auto was = peak;
  peak = in_use();
  return was;
}

} // extern "C"
