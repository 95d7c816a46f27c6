// CUDA graphs, from the CUDA part: see cuda/part.h. Plain C: cgo reads this.
#pragma once
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

void lb_use_stream(int device, char **err);
void *lb_graph_pool(int device, char **err);
int64_t lb_graph_pool_bytes(void *pool, char **err);
void lb_graph_pool_free(void *pool, char **err);
void *lb_graph_begin(void *pool, char **err);
void lb_graph_end(void *graph, char **err);
void lb_graph_abandon(void *graph, char **err);
void lb_graph_replay(void *graph, char **err);
void lb_graph_free(void *graph, char **err);

#ifdef __cplusplus
}
#endif
