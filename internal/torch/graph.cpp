// Passes calls on to the CUDA part, which is not there on a machine without a GPU.
#include "graph.h"

#include <dlfcn.h>
#include <string.h>

#include <string>

#include "cuda/part.h"

namespace {

// f is the part's function of that name, with the type that cuda/part.h gives it. The part is opened
// for all to see (RTLD_GLOBAL), so it need not be known here.
template <class F> bool find(F *&f, const char *name, char **err) {
  f = reinterpret_cast<F *>(dlsym(RTLD_DEFAULT, name));
  if (!f)
    *err = strdup((std::string("liblorabench_cuda.so is not open, or has no ") + name).c_str());
  return f != nullptr;
}

} // namespace

// Looked up at each call, which takes less than a microsecond: a replay is hundreds of kernels.
#define FIND(name)                                                                                                     \
  decltype(name) *f;                                                                                                   \
  bool found = find(f, #name, err)

extern "C" {

void lb_use_stream(int device, char **err) {
  FIND(lorabench_use_stream);
  if (found)
    f(device, err);
}

void *lb_graph_pool(int device, char **err) {
  FIND(lorabench_graph_pool);
  return found ? f(device, err) : nullptr;
}

int64_t lb_graph_pool_bytes(void *pool, char **err) {
  FIND(lorabench_graph_pool_bytes);
  return found ? f(pool, err) : 0;
}

void lb_graph_pool_free(void *pool, char **err) {
  FIND(lorabench_graph_pool_free);
  if (found)
    f(pool, err);
}

void *lb_graph_begin(void *pool, char **err) {
  FIND(lorabench_graph_begin);
  return found ? f(pool, err) : nullptr;
}

void lb_graph_end(void *graph, char **err) {
  FIND(lorabench_graph_end);
  if (found)
    f(graph, err);
}

void lb_graph_abandon(void *graph, char **err) {
  FIND(lorabench_graph_abandon);
  if (found)
    f(graph);
}

void lb_graph_replay(void *graph, char **err) {
  FIND(lorabench_graph_replay);
  if (found)
    f(graph, err);
}

void lb_graph_free(void *graph, char **err) {
  FIND(lorabench_graph_free);
  if (found)
    f(graph);
}

} // extern "C"
