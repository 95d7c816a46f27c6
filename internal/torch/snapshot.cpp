// Passes PyTorch's memory snapshot on; see cuda/part.h.
#include "snapshot.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/part.h"

static const char missing[] = "liblorabench_cuda.so is not open, or is of another version";

extern "C" {

void lb_memory_history(int on, char **err) {
  auto f = reinterpret_cast<decltype(lorabench_memory_history) *>(dlsym(RTLD_DEFAULT, "lorabench_memory_history"));
  if (f)
    f(on, err);
  else
    *err = strdup(missing);
}

void *lb_memory_snapshot(int64_t *n, char **err) {
  auto f = reinterpret_cast<decltype(lorabench_memory_snapshot) *>(dlsym(RTLD_DEFAULT, "lorabench_memory_snapshot"));
  if (!f) {
    *err = strdup(missing);
    return nullptr;
  }
  struct Copy {
    void *bytes = nullptr;
    int64_t n = 0;
  } copy;
  f([](const char *bytes, int64_t n, void *to) {
      auto c = static_cast<Copy *>(to);
      c->bytes = malloc(n);
      if (c->bytes)
        memcpy(c->bytes, bytes, c->n = n);
    },
    &copy, err);
  *n = copy.n;
  return copy.bytes;
}

} // extern "C"
