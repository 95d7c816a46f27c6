// The functions of the CUDA part, in C. internal/torch finds them by name at run time and takes their
// types from here, so that the two sides agree. One that can fail takes err and leaves a malloc'ed
// message there. All but the first are called on the libtorch thread only.
#pragma once
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

// The device's name and compute capability (major * 10 + minor). Returns CUDA's error code.
int lorabench_cuda_device(int device, char *name, int size, int *capability);

// Makes the device, and one stream of its own for it, this thread's current ones.
void lorabench_use_stream(int device, char **err);

// A pool of memory that several graphs share; bytes is what it holds.
void *lorabench_graph_pool(int device, char **err);
int64_t lorabench_graph_pool_bytes(void *pool, char **err);
void lorabench_graph_pool_free(void *pool, char **err);

// From begin to end the thread's work is recorded instead of done. Whatever happened in between, one
// of end and abandon must follow. abandon ends the recording and frees the graph, and so does an end
// that fails.
void *lorabench_graph_begin(void *pool, char **err);
void lorabench_graph_end(void *graph, char **err);
void lorabench_graph_abandon(void *graph);
void lorabench_graph_replay(void *graph, char **err);
void lorabench_graph_free(void *graph);

// Notes every allocation from now on, or with 0 no more.
void lorabench_memory_history(int on, char **err);
// The history and what is allocated now, as torch.cuda.memory._dump_snapshot writes it: a pickle for
// PyTorch's memory viewer. Calls write with it.
void lorabench_memory_snapshot(void (*write)(const char *bytes, int64_t n, void *to), void *to, char **err);

#ifdef __cplusplus
}
#endif
