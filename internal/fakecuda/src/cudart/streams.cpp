// Streams and events: API "Stream Management", "Event Management". A stream does its work at once, so nothing is ever pending;
// what matters is who would have waited, and what a capture forbids (PG "CUDA Graphs / Prohibited and Unhandled Operations").
#include "runtime.h"

#include <chrono>
#include <unordered_set>

struct CUevent_st {
  unsigned flags;
  bool recorded = false;
  std::chrono::steady_clock::time_point at{};
  unsigned long long capture = 0; // that it was last recorded in, 0 if none; it may be over
  cudaStream_t from = nullptr;
};

namespace fake {
namespace {
CUstream_st per_thread{0, 0};
std::unordered_set<cudaStream_t> &streams = *new std::unordered_set<cudaStream_t>;
std::unordered_set<cudaEvent_t> &events = *new std::unordered_set<cudaEvent_t>;

Capture *open_capture(cudaEvent_t e) {
  auto i = captures.find(e->capture);
  return i == captures.end() ? nullptr : i->second;
}
} // namespace

CUstream_st *stream(cudaStream_t s) {
  if (s == nullptr || s == cudaStreamLegacy)
    return &legacy;
  if (s == cudaStreamPerThread)
    return &per_thread;
  return streams.count(s) ? s : nullptr;
}
} // namespace fake

using namespace fake;

API cudaError_t cudaStreamCreateWithPriority(cudaStream_t *s, unsigned flags, int priority) {
  LOCK;
  streams.insert(*s = new CUstream_st{flags, priority});
  counter("api cudaStreamCreate")->direct++;
  return cudaSuccess;
}
API cudaError_t cudaStreamCreate(cudaStream_t *s) { return cudaStreamCreateWithPriority(s, 0, 0); }
API cudaError_t cudaStreamDestroy(cudaStream_t s) { // not deleted: a capture may still hold it
  LOCK;
  return streams.erase(s) ? cudaSuccess : fail("cudaStreamDestroy", cudaErrorInvalidResourceHandle);
}
API cudaError_t cudaStreamGetPriority(cudaStream_t of, int *priority) {
  LOCK;
  auto *s = stream(of);
  return s ? (*priority = s->priority, cudaSuccess) : fail("cudaStreamGetPriority", cudaErrorInvalidResourceHandle);
}
API cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) { return *least = 0, *greatest = -5, cudaSuccess; }

// "It is invalid to synchronize or query the execution status of a stream which is being captured."
static cudaError_t ask(const char *where, cudaStream_t of) {
  auto *s = stream(of);
  if (!s)
    return fail(where, cudaErrorInvalidResourceHandle);
  if (s->capture) {
    s->capture->invalid = true;
    return fail(where, cudaErrorStreamCaptureUnsupported);
  }
  if (auto e = implicit(where, s))
    return e;
  return unsafe(where);
}
API cudaError_t cudaStreamQuery(cudaStream_t s) {
  LOCK;
  return ask("cudaStreamQuery", s);
}
API cudaError_t cudaStreamSynchronize(cudaStream_t s) {
  LOCK;
  counter("wait cudaStreamSynchronize")->direct++;
  return ask("cudaStreamSynchronize", s);
}
// "It is also invalid to synchronize a broader handle which encompasses an active stream capture, such as a device": in any mode.
API cudaError_t cudaDeviceSynchronize() {
  LOCK;
  counter("wait cudaDeviceSynchronize")->direct++;
  for (auto &[id, c] : captures)
    c->invalid = true;
  return captures.empty() ? cudaSuccess : fail("cudaDeviceSynchronize", cudaErrorStreamCaptureUnsupported);
}

API cudaError_t cudaLaunchHostFunc(cudaStream_t s, cudaHostFn_t f, void *data) {
  LOCK;
  Work work;
  work.run = [=] { f(data); };
  return submit("cudaLaunchHostFunc", s, std::move(work));
}
API cudaError_t cudaStreamAddCallback(cudaStream_t s, cudaStreamCallback_t f, void *data, unsigned) {
  LOCK;
  if (auto e = unsafe("cudaStreamAddCallback"))
    return e;
  Work work;
  work.run = [=] { f(s, cudaSuccess, data); };
  return submit("cudaStreamAddCallback", s, std::move(work));
}

API cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags) {
  LOCK;
  events.insert(*e = new CUevent_st{flags});
  counter("api cudaEventCreate")->direct++;
  return cudaSuccess;
}
API cudaError_t cudaEventCreate(cudaEvent_t *e) { return cudaEventCreateWithFlags(e, 0); }
API cudaError_t cudaEventDestroy(cudaEvent_t e) {
  LOCK;
  if (!events.erase(e))
    return fail("cudaEventDestroy", cudaErrorInvalidResourceHandle);
  delete e;
  return cudaSuccess;
}

API cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t to, unsigned) {
  LOCK;
  auto *s = stream(to);
  counter("api cudaEventRecord")->direct++;
  if (!s || !events.count(e))
    return fail("cudaEventRecord", cudaErrorInvalidResourceHandle);
  if (auto error = implicit("cudaEventRecord", s))
    return error;
  if (s->capture && s->capture->invalid)
    return fail("cudaEventRecord", cudaErrorStreamCaptureInvalidated);
  e->recorded = true;
  e->at = std::chrono::steady_clock::now();
  e->capture = s->capture ? s->capture->id : 0;
  e->from = s;
  return cudaSuccess;
}
API cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) { return cudaEventRecordWithFlags(e, s, 0); }

// A captured event "does not represent an item scheduled for execution": to ask for it is invalid in every mode.
static cudaError_t ask(const char *where, cudaEvent_t e) {
  if (!events.count(e))
    return fail(where, cudaErrorInvalidResourceHandle);
  if (!e->capture)
    return unsafe(where);
  if (auto *c = open_capture(e))
    c->invalid = true;
  return fail(where, cudaErrorCapturedEvent);
}
API cudaError_t cudaEventQuery(cudaEvent_t e) {
  LOCK;
  return ask("cudaEventQuery", e);
}
API cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  LOCK;
  counter("wait cudaEventSynchronize")->direct++;
  return ask("cudaEventSynchronize", e);
}
API cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t a, cudaEvent_t b) {
  LOCK;
  if (!events.count(a) || !events.count(b) || !a->recorded || !b->recorded || (a->flags | b->flags) & cudaEventDisableTiming)
    return fail("cudaEventElapsedTime", cudaErrorInvalidResourceHandle);
  *ms = std::chrono::duration<float, std::milli>(b->at - a->at).count();
  return cudaSuccess;
}

// PG "Cross-stream Dependencies and Events": a stream that waits for a captured event joins its capture; a capture may neither
// wait for an event from outside (but cudaEventWaitExternal) nor for another capture's.
API cudaError_t cudaStreamWaitEvent(cudaStream_t of, cudaEvent_t e, unsigned flags) {
  LOCK;
  const char *where = "cudaStreamWaitEvent";
  auto *s = stream(of);
  if (!s || !events.count(e))
    return fail(where, cudaErrorInvalidResourceHandle);
  counter("api cudaStreamWaitEvent")->direct++;
  auto *from = open_capture(e), *into = s->capture;
  if ((into && into->invalid) || (from && from->invalid))
    return fail(where, cudaErrorStreamCaptureInvalidated);
  if (!e->recorded || (into && flags & cudaEventWaitExternal))
    return cudaSuccess;
  if (into && from != into) {
    into->invalid = true;
    return fail(where, from ? cudaErrorStreamCaptureMerge : cudaErrorStreamCaptureIsolation);
  }
  if (from && s == &legacy) {
    from->invalid = true;
    return fail(where, cudaErrorStreamCaptureImplicit);
  }
  if (from && !into) {
    s->capture = from;
    from->members.insert(s);
    from->unjoined.insert(s);
  } else if (from && e->from != s) {
    from->unjoined.erase(e->from);
  }
  return cudaSuccess;
}
