// PyTorch's memory snapshot, from the CUDA part: see cuda/part.h. Plain C: cgo reads this.
#pragma once
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

void lb_memory_history(int on, char **err);
void *lb_memory_snapshot(int64_t *n, char **err); // malloc'ed

#ifdef __cplusplus
}
#endif
