// Recording work as a CUDA graph, over PyTorch's own at::cuda::CUDAGraph, which makes the caching
// allocator and the random generator take part. capture_begin registers the device's default
// generator itself: its kernels read seed and offset from memory that each replay fills anew, so
// masks differ, and are those that the same work would draw without a graph.
//
// What is added here is the way out of a capture that failed. PyTorch leaves the allocators recording
// and the generator believing it is captured, after which every draw of the process throws.
#pragma once
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <string.h>

#include <exception>
#include <map>
#include <memory>

namespace lorabench {

namespace allocator = c10::cuda::CUDACachingAllocator;

inline at::HostAllocator *host() { return at::getHostAllocator(at::kCUDA); }

// Whether f came to its end.
template <class F> bool attempt(F f) {
  try {
    f();
    return true;
  } catch (const std::exception &) {
    return false;
  }
}

// A pool holds a reference of its own: the allocators refuse a pool whose last graph is gone, which
// is also what a first capture that fails leaves behind.
struct Pool {
  c10::DeviceIndex device;
  c10::MempoolId_t id = at::cuda::graph_pool_handle();

  explicit Pool(int index) : device(static_cast<c10::DeviceIndex>(index)) {
    allocator::createOrIncrefPool(device, id);
    // The allocator of pinned memory offers no reference without recording.
    host()->begin_allocate_to_pool(id, [](c10::Stream) { return false; });
    host()->end_allocate_to_pool(id);
  }

  // Its memory goes back to the driver at the next emptyCache.
  void release() {
    allocator::releasePool(device, id);
    host()->release_pool(id);
  }

  int64_t bytes() const {
    int64_t sum = 0;
    for (auto &segment : allocator::snapshot(id, /*include_traces=*/false).segments)
      if (segment.device == device && segment.owner_private_pool_id == id)
        sum += segment.total_size;
    return sum;
  }
};

class Graph : public at::cuda::CUDAGraph {
public:
  explicit Graph(const Pool &p) : device(p.device), id(p.id) {}

  void begin() {
    c10::cuda::CUDAGuard guard(device);
    // Thread-local: what other threads ask of CUDA meanwhile (NVML, a look at the memory) is no part
    // of the work and must not end the capture, as it would in the default, global mode.
    capture_begin(id, cudaStreamCaptureModeThreadLocal);
    begun = true;
  }

  void end() {
    c10::cuda::CUDAGuard guard(device);
    capture_end();
  }

  // Undoes what begin did, wherever begin, the work or end failed. Throws nothing.
  void abandon() {
    if (capture_ended_)
      return; // only the instantiation failed: the destructor knows what to free
    if (begun) {
      cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
      cudaStreamIsCapturing(capture_stream_, &status);
      cudaGraph_t unfinished = nullptr;
      if (status != cudaStreamCaptureStatusNone)
        cudaStreamEndCapture(capture_stream_, &unfinished);
      if (unfinished)
        cudaGraphDestroy(unfinished);
    }
    cudaGetLastError(); // or the next kernel would report it as its own
    // Whether an allocator was still recording tells, before begun, whether it was asked at all.
    bool device_recorded = attempt([&] { allocator::endAllocateToPool(device, id); });
    bool host_recorded = attempt([&] { host()->end_allocate_to_pool(id); });
    if (begun || device_recorded)
      attempt([&] { allocator::releasePool(device, id); });
    if (begun || host_recorded)
      attempt([&] { host()->release_pool(id); });
    for (auto it = captured_generator_states_.begin(); it != captured_generator_states_.end();) {
      it->first->capturing_ = false;
      // The destructor takes each state's registration back, and ends the process where there is none.
      it = it->first->registered_graphs_.count(this) ? std::next(it) : captured_generator_states_.erase(it);
    }
  }

private:
  c10::DeviceIndex device;
  c10::MempoolId_t id;
  bool begun = false;
};

// The stream of a device, the same one each time: a thread that takes over must go on where the last
// one was.
inline c10::cuda::CUDAStream stream_of(c10::DeviceIndex device) {
  static std::map<c10::DeviceIndex, c10::cuda::CUDAStream> streams;
  auto it = streams.find(device);
  if (it == streams.end())
    it = streams.emplace(device, c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device)).first;
  return it->second;
}

} // namespace lorabench
