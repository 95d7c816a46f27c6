// Stream capture: API "Stream Management" (cudaStreamBeginCapture, cudaThreadExchangeStreamCaptureMode, ...), PG "CUDA Graphs /
// Creating a Graph Using Stream Capture" with its parts "Cross-stream Dependencies and Events", "Prohibited and Unhandled
// Operations" and "Invalidation".
#include "runtime.h"

#include <algorithm>
#include <functional>
#include <thread>

namespace fake {

std::map<unsigned long long, Capture *> &captures = *new std::map<unsigned long long, Capture *>;
std::set<cudaGraph_t> &graphs = *new std::set<cudaGraph_t>;
CUstream_st legacy{0, 0};

namespace {

thread_local cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;

uint64_t this_thread() { return std::hash<std::thread::id>()(std::this_thread::get_id()); }

// "Prohibited and Unhandled Operations": the legacy stream encompasses every stream that is not cudaStreamNonBlocking.
bool blocking(const Capture *c) {
  return std::any_of(c->members.begin(), c->members.end(), [](cudaStream_t s) { return !(s->flags & cudaStreamNonBlocking); });
}

cudaError_t record(const char *where, CUstream_st *s, Work work) {
  auto *c = s->capture;
  if (c->invalid) // "Invalidation": every use of its streams fails until the capture is ended
    return fail(where, cudaErrorStreamCaptureInvalidated);
  if (work.count)
    work.count->captured++;
  if (work.flops)
    counter("flops")->captured += work.flops;
  c->graph->nodes.push_back(std::move(work));
  if (s != c->origin)
    c->unjoined.insert(s);
  return cudaSuccess;
}

} // namespace

// cudaThreadExchangeStreamCaptureMode: potentially unsafe calls (those that may wait for the device, as an allocation) are
// prohibited to a thread that captures in another mode than relaxed, and while any thread captures in global mode; a thread may
// exchange its mode to lift the one, or both. A prohibited call invalidates the captures that prohibit it.
cudaError_t unsafe(const char *where) {
  bool forbidden = false;
  for (auto &[id, c] : captures) {
    if (thread_mode == cudaStreamCaptureModeRelaxed || c->mode == cudaStreamCaptureModeRelaxed)
      continue;
    bool global = c->mode == cudaStreamCaptureModeGlobal && thread_mode == cudaStreamCaptureModeGlobal;
    if (global || c->thread == this_thread())
      forbidden = c->invalid = true;
  }
  return forbidden ? fail(where, cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

// "Prohibited and Unhandled Operations": any use of the legacy stream is invalid while a stream that it would wait for captures.
cudaError_t implicit(const char *where, CUstream_st *s) {
  bool forbidden = false;
  for (auto &[id, c] : captures)
    if (s == &legacy && blocking(c))
      forbidden = c->invalid = true;
  return forbidden ? fail(where, cudaErrorStreamCaptureImplicit) : cudaSuccess;
}

cudaError_t submit(const char *where, cudaStream_t to, Work work) {
  auto *s = stream(to);
  if (!s)
    return fail(where, cudaErrorInvalidResourceHandle);
  if (auto e = implicit(where, s))
    return e;
  if (s->capture)
    return record(where, s, std::move(work));
  if (s == &legacy) {
    counter("legacy stream")->direct++;
    if (!captures.empty())
      counter("note work on the legacy stream while another stream captures")->direct++;
  }
  if (work.count)
    work.count->direct++;
  if (work.flops)
    counter("flops")->direct += work.flops;
  if (work.run)
    work.run();
  return cudaSuccess;
}

} // namespace fake

using namespace fake;

API int fake_product(void *stream, const char *name, uint64_t flops, const void *a, const void *b, const void *c) {
  LOCK;
  return submit(name, static_cast<cudaStream_t>(stream), {counter(name), flops, nullptr, {a, b, c}});
}

API cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode *mode) {
  std::swap(*mode, thread_mode);
  return cudaSuccess;
}

API cudaError_t cudaStreamBeginCapture(cudaStream_t to, cudaStreamCaptureMode mode) {
  LOCK;
  static unsigned long long ids = 0;
  auto *s = stream(to);
  if (!s)
    return fail("cudaStreamBeginCapture", cudaErrorInvalidResourceHandle);
  if (s == &legacy) // "capture cannot be initiated on cudaStreamLegacy"
    return fail("cudaStreamBeginCapture", cudaErrorStreamCaptureUnsupported);
  if (s->capture)
    return fail("cudaStreamBeginCapture", cudaErrorIllegalState);
  auto *c = new Capture{++ids, mode, this_thread(), s, new CUgraph_st};
  c->members.insert(s);
  captures[c->id] = s->capture = c;
  return cudaSuccess;
}

API cudaError_t cudaStreamEndCapture(cudaStream_t from, cudaGraph_t *graph) {
  LOCK;
  const char *where = "cudaStreamEndCapture";
  auto *s = stream(from);
  *graph = nullptr;
  if (!s)
    return fail(where, cudaErrorInvalidResourceHandle);
  auto *c = s->capture;
  if (!c || c->origin != s)
    return fail(where, c ? cudaErrorStreamCaptureUnmatched : cudaErrorIllegalState);
  if (c->mode != cudaStreamCaptureModeRelaxed && c->thread != this_thread()) // "must be called from the same thread"
    return fail(where, cudaErrorStreamCaptureWrongThread);
  for (auto *m : c->members)
    m->capture = nullptr;
  captures.erase(c->id);
  // "Cross-stream Dependencies and Events": every stream must be joined to the origin before the end.
  auto e = c->invalid ? cudaErrorStreamCaptureInvalidated : !c->unjoined.empty() ? cudaErrorStreamCaptureUnjoined : cudaSuccess;
  if (e == cudaSuccess) {
    graphs.insert(*graph = c->graph);
    auto *n = counter("graph capture");
    n->direct++, n->captured += c->graph->nodes.size();
  } else {
    delete c->graph;
  }
  delete c;
  return fail(where, e);
}

API cudaError_t cudaStreamIsCapturing(cudaStream_t of, cudaStreamCaptureStatus *status) {
  LOCK;
  auto *s = stream(of);
  if (!s)
    return fail("cudaStreamIsCapturing", cudaErrorInvalidResourceHandle);
  if (s == &legacy && std::any_of(captures.begin(), captures.end(), [](auto &c) { return blocking(c.second); }))
    return fail("cudaStreamIsCapturing", cudaErrorStreamCaptureImplicit); // "does not invalidate the capture"
  *status = !s->capture ? cudaStreamCaptureStatusNone
            : s->capture->invalid ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

API cudaError_t cudaStreamGetCaptureInfo(cudaStream_t of, cudaStreamCaptureStatus *status, unsigned long long *id, cudaGraph_t *graph,
                                         const cudaGraphNode_t **dependencies, const cudaGraphEdgeData **edges, size_t *n) {
  LOCK;
  if (auto e = cudaStreamIsCapturing(of, status))
    return e;
  auto *c = stream(of)->capture;
  if (id)
    *id = c ? c->id : 0;
  if (graph)
    *graph = c ? c->graph : nullptr;
  if (dependencies)
    *dependencies = nullptr;
  if (edges)
    *edges = nullptr;
  if (n)
    *n = 0;
  return cudaSuccess;
}
