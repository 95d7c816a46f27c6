// Misuses of CUDA, one a run: misuse NAME. The status is 0 whatever CUDA said; misuse_test.go looks at what the stand-in noted.
#include <cuda_runtime_api.h>

#include <map>
#include <stdio.h>
#include <stdlib.h>
#include <string>
#include <thread>

extern "C" {
int cublasCreate_v2(void **h);
int cublasSgemm_v2(void *h, int ta, int tb, int m, int n, int k, const float *alpha, const float *a, int lda, const float *b, int ldb,
                   const float *beta, float *c, int ldc);
void **__cudaRegisterFatBinary(void *);
void __cudaRegisterFunction(void **, const char *host, char *, const char *name, int, uint3 *, uint3 *, dim3 *, dim3 *, int *);
}

static const float one = 1;
static const char kernel = 0; // its address stands for a kernel's host function

static void expect(bool fine, const char *what) {
  if (!fine)
    fprintf(stderr, "misuse: %s\n", what), exit(1);
}
static char *memory(size_t n, bool refused = false) {
  void *p;
  expect(!cudaMalloc(&p, n) == !refused, "cudaMalloc");
  return static_cast<char *>(p);
}
static cudaStream_t new_stream(unsigned flags = cudaStreamNonBlocking) {
  cudaStream_t s;
  expect(!cudaStreamCreateWithPriority(&s, flags, 0), "cudaStreamCreateWithPriority");
  return s;
}
static cudaEvent_t new_event() {
  cudaEvent_t e;
  expect(!cudaEventCreateWithFlags(&e, cudaEventDisableTiming), "cudaEventCreate");
  return e;
}
static cudaStream_t capturing(cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal, unsigned flags = cudaStreamNonBlocking) {
  auto s = new_stream(flags);
  expect(!cudaStreamBeginCapture(s, mode), "cudaStreamBeginCapture");
  return s;
}
static void end(cudaStream_t s) {
  cudaGraph_t g;
  bool refused = cudaStreamEndCapture(s, &g);
  expect(refused == !g, "a graph from a capture that failed");
}
static void outside(unsigned flags) { // a capture waits for an event that is none of its own
  auto e = new_event();
  cudaEventRecord(e, new_stream());
  auto s = capturing();
  cudaStreamWaitEvent(s, e, flags), end(s);
}
static void product(void *a, int lda) { // [4, 4] = A [4, 4] B [4, 4]
  static void *h;
  if (!h)
    cublasCreate_v2(&h);
  auto *b = reinterpret_cast<float *>(memory(64)), *c = reinterpret_cast<float *>(memory(64));
  cublasSgemm_v2(h, 0, 0, 4, 4, 4, &one, static_cast<float *>(a), lda, b, 4, &one, c, 4);
}
static void launch(dim3 grid, dim3 block, size_t shared, cudaStream_t s) {
  __cudaRegisterFunction(__cudaRegisterFatBinary(nullptr), &kernel, nullptr, "kernel", 0, nullptr, nullptr, nullptr, nullptr, nullptr);
  cudaLaunchKernel(&kernel, grid, block, nullptr, shared, s);
}
static void replay(bool give_back, bool take_again) { // a graph whose memory is freed
  auto *p = memory(64);
  auto s = capturing();
  cudaMemsetAsync(p, 0, 64, s);
  cudaGraph_t g;
  cudaGraphExec_t x;
  expect(!cudaStreamEndCapture(s, &g) && !cudaGraphInstantiateWithFlags(&x, g, 0), "capture");
  if (give_back)
    cudaFree(p);
  if (take_again)
    memory(64);
  cudaGraphLaunch(x, s);
}

static const std::map<std::string, void (*)()> cases = {
    {"nothing wrong", [] { // what the others do, rightly
       void *host;
       expect(!cudaHostAlloc(&host, 64, 0), "cudaHostAlloc"); // before the card's own memory
       cudaMemcpy(memory(64), host, 64, cudaMemcpyHostToDevice);
       replay(false, false);
       product(memory(64), 4);
       launch({1}, {32}, 0, new_stream());
       auto s = capturing(), other = new_stream();
       auto fork = new_event(), join = new_event();
       cudaEventRecord(fork, s), cudaStreamWaitEvent(other, fork, 0);
       launch({1}, {32}, 0, other);
       cudaEventRecord(join, other), cudaStreamWaitEvent(s, join, 0);
       end(s);
     }},
    {"malloc in capture", [] { auto s = capturing(); void *p; cudaMalloc(&p, 64), end(s); }},
    {"malloc in relaxed capture", [] { auto s = capturing(cudaStreamCaptureModeRelaxed); void *p; cudaMalloc(&p, 64), end(s); }},
    {"malloc with the mode exchanged", [] {
       auto s = capturing();
       auto mode = cudaStreamCaptureModeRelaxed;
       void *p;
       cudaThreadExchangeStreamCaptureMode(&mode), cudaMalloc(&p, 64), cudaThreadExchangeStreamCaptureMode(&mode), end(s);
     }},
    {"stream synchronised in capture", [] { auto s = capturing(); cudaStreamSynchronize(s), end(s); }},
    {"other stream synchronised in capture", [] { auto s = capturing(); cudaStreamSynchronize(new_stream()), end(s); }},
    {"device synchronised in relaxed capture", [] { auto s = capturing(cudaStreamCaptureModeRelaxed); cudaDeviceSynchronize(), end(s); }},
    {"captured event queried", [] {
       auto s = capturing(cudaStreamCaptureModeRelaxed);
       auto e = new_event();
       cudaEventRecord(e, s), cudaEventQuery(e), end(s);
     }},
    {"use after invalidation", [] { auto s = capturing(); cudaStreamSynchronize(s), launch({1}, {32}, 0, s), end(s); }},
    {"event from outside", [] { outside(0); }},
    {"event from outside, external", [] { outside(cudaEventWaitExternal); }},
    {"two captures merged", [] {
       auto a = capturing(), b = capturing();
       auto e = new_event();
       cudaEventRecord(e, a), cudaStreamWaitEvent(b, e, 0), end(b), end(a);
     }},
    {"malloc beside a global capture", [] { auto s = capturing(); std::thread([] { memory(64, true); }).join(), end(s); }},
    {"malloc beside a capture of a thread", [] {
       auto s = capturing(cudaStreamCaptureModeThreadLocal);
       std::thread([] { memory(64); }).join(), end(s);
     }},
    {"ended by another thread", [] { auto s = capturing(); std::thread([s] { end(s); }).join(), end(s); }},
    {"not joined", [] {
       auto s = capturing(), other = new_stream();
       auto e = new_event();
       cudaEventRecord(e, s), cudaStreamWaitEvent(other, e, 0), end(s);
     }},
    {"legacy stream, blocking capture", [] {
       auto s = capturing(cudaStreamCaptureModeRelaxed, cudaStreamDefault);
       launch({1}, {32}, 0, nullptr), end(s);
     }},
    {"legacy stream, other capture", [] { auto s = capturing(); launch({1}, {32}, 0, nullptr), end(s); }},
    {"capture of the legacy stream", [] { cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal); }},
    {"pageable copy in capture", [] {
       auto *p = memory(64);
       char host[64] = {};
       auto s = capturing();
       cudaMemcpyAsync(p, host, 64, cudaMemcpyHostToDevice, s), end(s);
     }},
    {"replay over freed memory", [] { replay(true, false); }},
    {"replay after another allocation", [] { replay(true, true); }},
    {"product on the host", [] { float host[16]; product(host, 4); }},
    {"product over the end", [] { product(memory(64) + (2 << 20) - 60, 4); }},
    {"leading dimension", [] { product(memory(64), 3); }},
    {"copy over the end", [] { auto *p = memory(64); char host[64]; cudaMemcpy(p + (2 << 20) - 60, host, 64, cudaMemcpyHostToDevice); }},
    {"copy in the wrong direction", [] { auto *p = memory(64); char host[64]; cudaMemcpy(p, host, 64, cudaMemcpyDeviceToHost); }},
    {"set of freed memory", [] { auto *p = memory(64); cudaFree(p), cudaMemset(p, 0, 64); }},
    {"freed twice", [] { auto *p = memory(64); cudaFree(p), cudaFree(p); }},
    {"too many threads", [] { launch({1}, {2048}, 0, new_stream()); }},
    {"grid too high", [] { launch({1, 65536}, {32}, 0, new_stream()); }},
    {"too much shared memory", [] { launch({1}, {32}, 64 << 10, new_stream()); }},
    {"kernel that is not registered", [] { cudaLaunchKernel(&one, {1}, {32}, nullptr, 0, new_stream()); }},
    {"stream that is destroyed", [] { auto s = new_stream(); cudaStreamDestroy(s), launch({1}, {32}, 0, s); }},
};

int main(int argc, char **argv) {
  auto i = cases.find(argc > 1 ? argv[1] : "");
  expect(i != cases.end(), "no such case");
  i->second();
}
