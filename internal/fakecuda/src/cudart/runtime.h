// State and helpers that the files of libcudart's stand-in share. Rules name the section they follow of "CUDA Runtime API" (API)
// or of the "CUDA C++ Programming Guide" (PG).
#pragma once
#include "../fake.h"

#include <cuda_runtime_api.h>

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

// One lock guards everything; it is recursive because exported functions call each other.
#define LOCK std::lock_guard<std::recursive_mutex> guard(fake::mutex)

namespace fake {

extern std::recursive_mutex &mutex;

// ---- counters.cpp

// One line of the counters' file, which internal/fakecuda/counters.go reads. Work counts as direct, as recorded by a capture, and
// as done again by a graph's launch.
struct Counter {
  char name[480];
  uint64_t direct, captured, replayed, bytes;
};

Counter *counter(const std::string &name); // made at its first use
uint64_t setting(const char *name, uint64_t otherwise); // a number in the environment

// Counts a refusal and leaves it for cudaGetLastError. why tells apart refusals with one code.
cudaError_t fail(const std::string &where, cudaError_t error, const char *why = "");

// ---- memory.cpp

bool on_device(const void *p);            // an address of the card, allocated or not
bool inside(const void *p, size_t n);     // n bytes at p are one allocation's of the card
bool pinned(const void *p);               // host memory of cudaHostAlloc or cudaHostRegister
char *behind(const void *p);              // where the host finds what address p holds
void *allocate(size_t bytes);             // nullptr where the card is full
constexpr size_t big = 64 << 10;          // bytes from which work on the card's memory alone is not really done

// ---- capture.cpp

// Work is what a stream is given: a kernel or product, which is only counted, or a function that the host runs.
struct Work {
  Counter *count = nullptr;
  uint64_t flops = 0;
  std::function<void()> run;
  std::vector<const void *> uses; // addresses of the card that must still be allocated when a graph is launched
};

struct Capture;

} // namespace fake

struct CUstream_st {
  unsigned flags;
  int priority;
  fake::Capture *capture = nullptr;
};

struct CUgraph_st {
  std::vector<fake::Work> nodes;
};

namespace fake {

// PG "CUDA Graphs / Creating a Graph Using Stream Capture".
struct Capture {
  unsigned long long id;
  cudaStreamCaptureMode mode;
  uint64_t thread; // that began it
  cudaStream_t origin;
  CUgraph_st *graph;
  bool invalid = false;
  std::set<cudaStream_t> members{};  // streams in it
  std::set<cudaStream_t> unjoined{}; // streams with work that the origin does not yet wait for
};

extern std::map<unsigned long long, Capture *> &captures; // open ones, by id
extern std::set<cudaGraph_t> &graphs;                     // that captures made
extern CUstream_st legacy;                                // the default stream
CUstream_st *stream(cudaStream_t s);                      // nullptr for one that does not exist

cudaError_t submit(const char *where, cudaStream_t s, Work work); // does the work, or records it
cudaError_t unsafe(const char *where);                            // refuses what an open capture forbids
cudaError_t implicit(const char *where, CUstream_st *s);          // refuses the legacy stream during a capture that it would wait for

} // namespace fake
