// What the C heap has given out, as the caching allocator tells it on CUDA: glibc keeps no peak, so it is
// noted wherever a tensor is made while somebody watches.
#include <malloc.h>

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

extern "C" {

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
