// The CUDA part of internal/torch: built by internal/setup into liblorabench_cuda.so, also on a
// machine without CUDA, and opened at run time. Opening it brings in libtorch_cuda, so that one
// binary serves machines with and without a GPU.
//
// ATen/cuda/CUDAContext.h is left out on purpose: it wants cuBLAS's headers.
#include "part.h"

#include <torch/csrc/cuda/memory_snapshot.h>

#include "graph.h"

namespace {

using lorabench::Graph;
using lorabench::Pool;

template <class F> void guard(char **err, F f) {
  try {
    f();
  } catch (const std::exception &e) {
    *err = strdup(e.what());
  }
}

} // namespace

extern "C" {

int lorabench_cuda_device(int device, char *name, int size, int *capability) {
  cudaDeviceProp prop;
  cudaError_t e = cudaGetDeviceProperties(&prop, device);
  if (e != cudaSuccess)
    return e;
  strncpy(name, prop.name, size - 1);
  name[size - 1] = 0;
  *capability = prop.major * 10 + prop.minor;
  return 0;
}

void lorabench_use_stream(int device, char **err) {
  guard(err, [&] {
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(device));
    // The streams of the pool do not wait for the default one.
    c10::cuda::device_synchronize();
    c10::cuda::setCurrentCUDAStream(lorabench::stream_of(static_cast<c10::DeviceIndex>(device)));
  });
}

void lorabench_memory_history(int on, char **err) {
  // Without stacks: there are no Python frames to show, and C++ ones take minutes to name.
  guard(err, [&] {
    torch::cuda::_record_memory_history(on ? std::optional<std::string>("all") : std::nullopt, std::nullopt, "python", 1 << 20,
                                        /*clearHistory=*/true);
  });
}

void lorabench_memory_snapshot(void (*write)(const char *bytes, int64_t n, void *to), void *to, char **err) {
  guard(err, [&] {
    auto pickle = torch::cuda::_memory_snapshot_pickled();
    write(pickle.data(), static_cast<int64_t>(pickle.size()), to);
  });
}

void *lorabench_graph_pool(int device, char **err) {
  Pool *pool = nullptr;
  guard(err, [&] { pool = new Pool(device); });
  return pool;
}

int64_t lorabench_graph_pool_bytes(void *pool, char **err) {
  int64_t n = 0;
  guard(err, [&] { n = static_cast<Pool *>(pool)->bytes(); });
  return n;
}

void lorabench_graph_pool_free(void *pool, char **err) {
  std::unique_ptr<Pool> p(static_cast<Pool *>(pool));
  guard(err, [&] { p->release(); });
}

void *lorabench_graph_begin(void *pool, char **err) {
  std::unique_ptr<Graph> g;
  guard(err, [&] {
    g = std::make_unique<Graph>(*static_cast<Pool *>(pool));
    g->begin();
  });
  if (*err && g) {
    g->abandon();
    g.reset();
  }
  return g.release();
}

void lorabench_graph_end(void *graph, char **err) {
  guard(err, [&] { static_cast<Graph *>(graph)->end(); });
  if (*err)
    lorabench_graph_abandon(graph);
}

void lorabench_graph_abandon(void *graph) {
  static_cast<Graph *>(graph)->abandon();
  delete static_cast<Graph *>(graph);
}

void lorabench_graph_replay(void *graph, char **err) {
  guard(err, [&] { static_cast<Graph *>(graph)->replay(); });
}

void lorabench_graph_free(void *graph) { delete static_cast<Graph *>(graph); }

} // extern "C"
